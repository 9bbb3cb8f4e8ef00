//! An object of a store, read in blocks as they are asked for.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt;
use rollsnap_snapfile::ReadAt;
use rollsnap_store::{ErrorKind, ObjectInfo, Store, StoreError};
use tokio::runtime::Handle;

/// Bytes asked for at least: the way to a bucket and back costs as much as the next 128 KiB do.
const BLOCK: u64 = 128 << 10;

/// Blocks that are held, 8 MiB.
const HELD: usize = 64;

/// Blocks asked for at once, 1 MiB: a compressed frame is at most that large.
const MOST_AT_ONCE: u64 = 8;

/// An object of a store as bytes at any place.
///
/// Memory: 9 MiB. Reads block on the runtime: never read it from an async worker, which would
/// panic, but from a thread for blocking work.
pub struct Remote {
    store: Arc<dyn Store>,
    object: ObjectInfo,
    runtime: Handle,
    held: Mutex<Held>,
}

/// Blocks by their index, the one used last at the end.
#[derive(Default)]
struct Held(Vec<(u64, Bytes)>);

impl Remote {
    /// The object as it was listed. Asks for nothing yet.
    pub fn new(store: Arc<dyn Store>, object: ObjectInfo, runtime: Handle) -> Self {
        Self {
            store,
            object,
            runtime,
            held: Mutex::default(),
        }
    }

    /// Asks for some neighbouring blocks, once: what breaks off is for the store to go on with.
    fn fetch(&self, blocks: Range<u64>, held: &mut Held) -> io::Result<()> {
        let range = blocks.start * BLOCK..(blocks.end * BLOCK).min(self.object.size);
        let read = read(&*self.store, &self.object, range);
        let mut bytes = self.runtime.block_on(read).map_err(io::Error::other)?;
        for index in blocks {
            let len = usize::try_from(BLOCK).unwrap_or(usize::MAX);
            held.put(index, bytes.split_to(len.min(bytes.len())));
        }
        Ok(())
    }
}

/// The bytes of a range, exactly.
pub(crate) async fn read(
    store: &dyn Store,
    object: &ObjectInfo,
    range: Range<u64>,
) -> Result<Bytes, StoreError> {
    let bytes = read_into(Vec::new(), store, object, range).await?;
    Ok(bytes.into())
}

/// The same, in place of what is in `bytes`.
pub(super) async fn read_into(
    mut bytes: Vec<u8>,
    store: &dyn Store,
    object: &ObjectInfo,
    range: Range<u64>,
) -> Result<Vec<u8>, StoreError> {
    let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    bytes.clear();
    bytes.reserve_exact(len);
    let mut pieces = store.read_part(object, range).await?;
    while let Some(piece) = pieces.try_next().await? {
        if piece.len() > len - bytes.len() {
            let message = format!("more than the {len} bytes came that were asked for");
            return Err(miscounted(store, object, message));
        }
        bytes.extend_from_slice(&piece);
    }
    if bytes.len() == len {
        return Ok(bytes);
    }
    let message = format!("{} bytes came where {len} were asked for", bytes.len());
    Err(miscounted(store, object, message))
}

fn miscounted(store: &dyn Store, object: &ObjectInfo, message: String) -> StoreError {
    let (location, name) = (store.location(), &object.name);
    StoreError::new(ErrorKind::Corrupt, "read", location, name, message)
}

impl Held {
    fn get(&mut self, index: u64) -> Option<Bytes> {
        let place = self.0.iter().rposition(|(held, _)| *held == index)?;
        let used = self.0.remove(place);
        let bytes = used.1.clone();
        self.0.push(used);
        Some(bytes)
    }

    fn put(&mut self, index: u64, bytes: Bytes) {
        if self.0.len() == HELD {
            self.0.remove(0);
        }
        self.0.push((index, bytes));
    }

    /// The blocks from the first of these on that are not held.
    fn missing(&self, blocks: Range<u64>) -> Range<u64> {
        let is_held = |index: &u64| self.0.iter().any(|(held, _)| held == index);
        let end = blocks.clone().find(is_held);
        blocks.start..end.unwrap_or(blocks.end)
    }
}

impl ReadAt for Remote {
    fn size(&self) -> io::Result<u64> {
        Ok(self.object.size)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64);
        let end = end.filter(|end| *end <= self.object.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut filled = 0;
        while filled < buf.len() {
            let at = offset + filled as u64;
            let index = at / BLOCK;
            let Some(block) = held.get(index) else {
                let last = end.div_ceil(BLOCK).min(index + MOST_AT_ONCE);
                let missing = held.missing(index..last);
                self.fetch(missing, &mut held)?;
                continue;
            };
            let from = usize::try_from(at % BLOCK).map_err(io::Error::other)?;
            let piece = block.get(from..).filter(|piece| !piece.is_empty());
            let piece = piece.ok_or(io::ErrorKind::UnexpectedEof)?;
            let len = piece.len().min(buf.len() - filled);
            buf[filled..filled + len].copy_from_slice(&piece[..len]);
            filled += len;
        }
        Ok(())
    }
}
