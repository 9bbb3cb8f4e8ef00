//! An object as a stream: parts of it on their way together, handed out in their order.
//!
//! One connection is as fast as the server's one thread that reads, encrypts and sends, or as one
//! window of bytes on a long line; servers have many threads, and lines carry many windows.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use rollsnap_store::{ObjectInfo, Store, StoreError};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::remote::read_into;

/// Bytes asked for at once.
const PART: u64 = 2 << 20;

/// Parts that are on their way, wait for their turn or are being read: 16 MiB in all. A server that
/// keeps one of them waiting 50 ms still has seven others to send.
const PARTS: usize = 8;

/// An object as it was listed, from its first byte to its last.
///
/// Memory: 16 MiB, less for a smaller object. Reads block on the runtime, as those of
/// [`Remote`](super::Remote) do. Dropped, it ends what is on its way.
pub(super) struct Download {
    store: Arc<dyn Store>,
    object: Arc<ObjectInfo>,
    runtime: Handle,
    /// The first byte that was not asked for.
    next: u64,
    coming: VecDeque<Coming>,
    /// The part that is being read, and how much of it was.
    part: Vec<u8>,
    read: usize,
}

type Coming = AbortOnDropHandle<Result<Vec<u8>, StoreError>>;

impl Download {
    /// Asks for the first parts.
    pub(super) fn begin(store: Arc<dyn Store>, object: ObjectInfo, runtime: Handle) -> Self {
        let mut download = Self {
            store,
            object: Arc::new(object),
            runtime,
            next: 0,
            coming: VecDeque::with_capacity(PARTS),
            part: Vec::new(),
            read: 0,
        };
        for _ in 0..PARTS {
            download.ask(Vec::new());
        }
        download
    }

    /// Asks for the next part, if there is one, to be put in place of what is in `buffer`: of a few
    /// hundred fresh ones malloc would keep more than are in use.
    fn ask(&mut self, buffer: Vec<u8>) {
        let range = self.next..self.object.size.min(self.next + PART);
        if range.is_empty() {
            return;
        }
        self.next = range.end;
        let (store, object) = (Arc::clone(&self.store), Arc::clone(&self.object));
        let part = async move { read_into(buffer, &*store, &object, range).await };
        let task = self.runtime.spawn(part);
        self.coming.push_back(AbortOnDropHandle::new(task));
    }

    /// Waits for the part whose turn it is; `false` where none is left.
    fn turn(&mut self) -> io::Result<bool> {
        self.read = 0;
        let done = std::mem::take(&mut self.part);
        if !done.is_empty() {
            self.ask(done);
        }
        let Some(coming) = self.coming.pop_front() else {
            return Ok(false);
        };
        let part = self.runtime.block_on(coming).map_err(io::Error::other);
        match part.and_then(|part| part.map_err(io::Error::other)) {
            Ok(part) => self.part = part,
            Err(error) => {
                // What comes after a part that is missing is nothing to go on with.
                self.coming.clear();
                self.next = self.object.size;
                return Err(error);
            }
        }
        Ok(true)
    }
}

impl io::Read for Download {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.read == self.part.len() {
            if !self.turn()? {
                return Ok(0);
            }
        }
        let rest = &self.part[self.read..];
        let now = rest.len().min(buf.len());
        buf[..now].copy_from_slice(&rest[..now]);
        self.read += now;
        Ok(now)
    }
}
