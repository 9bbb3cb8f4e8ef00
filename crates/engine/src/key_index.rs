//! The index of keys beside a snapshot: written while it is examined, copied after it, deleted with
//! it.
//!
//! An index only saves time: nothing depends on it, and its loss is no fault. It tells itself of
//! which database it is ([`rollsnap_snapfile::index`]), so that the manifest need not name it, and
//! a stale one is known. Where an index is, there is a manifest: it comes after the one that a save
//! publishes, and goes before it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use rollsnap_snapfile::ReadAt;
use rollsnap_store::{ObjectInfo, ObjectName, Store, StoreError, Terms, Upload};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::catalog::{Catalog, Entry};
use crate::image::fetch;
use crate::name::Part;
use crate::retention::Guard;
use crate::{Manifest, SnapshotName};

/// Takes the pieces of an index as an examiner makes them.
pub type Pieces = Sender<Bytes>;

/// Bytes of a piece, about: a write of a store costs little beside so many.
const PIECE: usize = 64 << 10;

/// Pieces that wait for the store.
const WAITING: usize = 2;

pub(crate) fn pieces() -> (Pieces, Receiver<Bytes>) {
    mpsc::channel(WAITING)
}

/// Gathers what an examination tells, on a thread for blocking work. Once nobody takes it any
/// more, what comes is dropped. Memory: a piece.
pub(crate) struct Gathered {
    pieces: Option<Pieces>,
    bytes: Vec<u8>,
}

impl Gathered {
    pub(crate) fn new(pieces: Pieces) -> Self {
        Self {
            pieces: Some(pieces),
            bytes: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= PIECE {
            self.pass_on();
        }
    }

    /// Passes on what is left.
    pub(crate) fn finish(mut self) {
        self.pass_on();
    }

    fn pass_on(&mut self) {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let sent = self.pieces.as_ref().map(|it| it.blocking_send(bytes));
        if !matches!(sent, Some(Ok(()))) {
            self.pieces = None;
        }
    }
}

/// Writes the pieces of an index beside its snapshot, not yet visible. `None` where none came.
pub(crate) async fn take(
    store: &dyn Store,
    name: &SnapshotName,
    mut pieces: Receiver<Bytes>,
) -> Result<Option<Box<dyn Upload>>, StoreError> {
    let mut upload = None;
    while let Some(piece) = pieces.recv().await {
        let upload = match &mut upload {
            Some(upload) => upload,
            None => upload.insert(store.begin(&name.index(), Terms::replacing()).await?),
        };
        upload.write(piece).await?;
    }
    Ok(upload)
}

/// Makes what was taken visible.
pub(crate) async fn publish(
    taken: Result<Option<Box<dyn Upload>>, StoreError>,
) -> Result<(), StoreError> {
    if let Some(upload) = taken? {
        upload.commit().await?;
    }
    Ok(())
}

/// The name of the index that belongs to an object, if that could be a snapshot.
pub fn beside(object: &ObjectName) -> Option<ObjectName> {
    match Part::of(object)? {
        Part::Stored(name, _) => Some(name.index()),
        Part::Manifest(_) | Part::Index(_) | Part::Bundle => None,
    }
}

/// Opens the index beside an object of a store that is far away, if there is one. Only what is
/// asked for is fetched. Its reads block on `runtime`: they are for a thread for blocking work.
pub async fn find(
    store: &Arc<dyn Store>,
    object: &ObjectName,
    runtime: Handle,
) -> Result<Option<Arc<dyn ReadAt>>, StoreError> {
    let Some(name) = beside(object) else {
        return Ok(None);
    };
    let listed = store.list(name.as_str()).await?;
    let info = listed.into_iter().find(|info| info.name == name);
    Ok(info.map(|info| {
        Arc::new(Far {
            store: Arc::clone(store),
            info,
            runtime,
        }) as _
    }))
}

/// An index in a store that is far away.
struct Far {
    store: Arc<dyn Store>,
    info: ObjectInfo,
    runtime: Handle,
}

impl ReadAt for Far {
    fn size(&self) -> io::Result<u64> {
        Ok(self.info.size)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.saturating_add(buf.len() as u64);
        if end > self.info.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let read = fetch(&*self.store, &self.info, offset..end);
        let bytes = self.runtime.block_on(read).map_err(io::Error::other)?;
        buf.copy_from_slice(&bytes);
        Ok(())
    }
}

/// Copies the index of a snapshot that both stores have, if there is one.
///
/// Where the snapshot was deleted there meanwhile, its index goes too: alone it would stay for
/// ever.
pub async fn copy(from: &dyn Store, to: &dyn Store, name: &SnapshotName) -> Result<(), StoreError> {
    let object = name.index();
    let listed = from.list(object.as_str()).await?;
    let Some(info) = listed.into_iter().find(|info| info.name == object) else {
        return Ok(());
    };
    let terms = Terms {
        at_most: Some(info.size),
        ..Terms::replacing()
    };
    let mut pieces = from.read(&object, None).await?;
    let mut upload = to.begin(&object, terms).await?;
    while let Some(piece) = pieces.try_next().await? {
        upload.write(piece).await?;
    }
    upload.commit().await?;
    let manifest = name.manifest();
    let there = to.list(manifest.as_str()).await?;
    if there.iter().all(|info| info.name != manifest) {
        to.delete(&object).await?;
    }
    Ok(())
}

/// Copies the indexes that are here of this member's snapshots, and not there beside the same.
pub(crate) async fn pay(
    from: (&dyn Store, &Catalog),
    to: (&dyn Store, &Catalog),
    guard: Guard,
) -> Result<(), StoreError> {
    let ((local, here), (remote, there)) = (from, to);
    let is_same = |manifest: &Manifest| {
        let twin = there.find(&manifest.name).and_then(Entry::manifest);
        twin.is_some_and(|twin| twin.stored.content == manifest.stored.content)
    };
    let owed = here
        .manifests()
        .filter(|manifest| guard.owns(manifest) && is_same(manifest))
        .map(|manifest| &manifest.name)
        .filter(|name| here.indexed.contains(name) && !there.indexed.contains(name));
    for name in owed {
        copy(local, remote, name).await?;
    }
    Ok(())
}
