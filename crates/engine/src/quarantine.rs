//! Where a snapshot goes that deep verification found broken: out of every listing, not out of
//! the world. It is the evidence, and may be all that is left of a cluster.
//!
//! | step | a crash after it leaves |
//! |---|---|
//! | the manifest says `corrupt` | a snapshot that counts for nothing; the next start moves it |
//! | its manifest is in the quarantine | the same, and the same is done again |
//! | it is moved | a manifest of nothing, which the next rotation removes |
//! | the manifest is deleted | more than the newest few in the quarantine, until the next one |

use std::cmp::Reverse;
use std::fmt;

use async_trait::async_trait;
use rollsnap_store::{ErrorKind, ObjectName, Store, StoreError, local};

use crate::catalog::{Entry, Reader};
use crate::follow::put_manifest;
use crate::{Manifest, prune};

/// Snapshots that stay in quarantine: the newest so many, so that a sick member cannot fill the
/// disk.
pub const KEPT: usize = 3;

/// A room beside the objects of a store, into which they can be moved.
#[async_trait]
pub trait Quarantine: Send + Sync + fmt::Debug {
    /// What is there, as a store.
    fn room(&self) -> &dyn Store;
    /// Moves an object here, replacing one of its name, durable once done. Needs no room, so it
    /// succeeds on a disk that is full. `NotFound` when there is no such object.
    async fn take(&self, name: &ObjectName) -> Result<(), StoreError>;
}

#[async_trait]
impl Quarantine for local::Quarantine {
    fn room(&self) -> &dyn Store {
        self
    }

    async fn take(&self, name: &ObjectName) -> Result<(), StoreError> {
        Self::take(self, name).await
    }
}

/// A snapshot that was moved aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// What is known of it; its verification says what is wrong.
    pub manifest: Manifest,
    /// Where it is now.
    pub path: String,
}

impl Quarantined {
    /// The first of its findings.
    pub fn finding(&self) -> &str {
        let verification = self.manifest.verification.as_ref();
        let first = verification.and_then(|verification| verification.findings.first());
        first.map_or("its manifest says that it is corrupt", String::as_str)
    }
}

/// Moves a snapshot and its manifest aside, and forgets the oldest there. Done again after a
/// crash, it ends the same. `None` when there is no such snapshot any more.
pub async fn move_aside(
    objects: &dyn Store,
    quarantine: &dyn Quarantine,
    manifest: &Manifest,
) -> Result<Option<Quarantined>, StoreError> {
    let room = quarantine.room();
    let object = manifest.name.stored(manifest.stored.codec);
    put_manifest(room, manifest).await?;
    let taken = quarantine.take(&object).await;
    match &taken {
        Err(error) if error.kind() != ErrorKind::NotFound => return taken.map(|()| None),
        _ => {
            objects.delete(&manifest.name.index()).await?;
            objects.delete(&manifest.name.manifest()).await?;
        }
    }
    // It is out of the way, which is what the caller must know. The next one trims again.
    let _ = trim(room).await;
    // An earlier run may have moved it, and died before it could say so.
    let there = room.list(object.as_str()).await?;
    let is_there = there.iter().any(|there| there.name == object);
    Ok(is_there.then(|| Quarantined {
        manifest: manifest.clone(),
        path: format!("{}/{object}", room.location()),
    }))
}

/// Deletes all but the newest few, and manifests of nothing.
pub(crate) async fn trim(room: &dyn Store) -> Result<(), StoreError> {
    let catalog = Reader::default().read(room).await?;
    let mut entries: Vec<_> = catalog.entries.iter().collect();
    let order = |entry: &Entry| entry.manifest().map(|manifest| manifest.order);
    entries.sort_by_key(|entry| Reverse((order(entry), entry.modified, entry.name.clone())));
    for entry in entries.into_iter().skip(KEPT) {
        prune::delete(room, &entry.name, entry.codec).await?;
    }
    for orphan in &catalog.orphans {
        room.delete(&orphan.name.manifest()).await?;
    }
    Ok(())
}
