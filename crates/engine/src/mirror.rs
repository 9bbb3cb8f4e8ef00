//! Keeps the bucket in step with the directory.
//!
//! There is no ledger of what is owed: the difference between the two catalogs is the to-do
//! list, after any failure and after any restart.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use rollsnap_snapfile::Digest;
use rollsnap_store::{ErrorKind, ObjectName, SpoolStore, Store, StoreError, Terms, Upload};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::catalog::{self, Catalog, Entry};
use crate::event::{Event, Observer, Recovery};
use crate::follow::{Following, occupied, put_manifest};
use crate::manifest::{Content, Method, Verdict};
use crate::prune;
use crate::quarantine::Quarantine;
use crate::read_back::is_copy_of;
use crate::reconcile::{content_of, sweep_orphans};
use crate::retention::{Ages, Guard, Retention};
use crate::{Clock, Manifest, SnapshotName};

/// Brings one bucket up to date with one directory.
pub struct Mirror {
    /// The directory.
    pub local: Arc<dyn SpoolStore>,
    /// The bucket.
    pub remote: Arc<dyn Store>,
    /// What was moved aside here, of which the bucket may have a copy.
    pub quarantine: Arc<dyn Quarantine>,
    /// How deep a snapshot is verified before it is copied.
    pub demand: Method,
    /// What is kept in the bucket.
    pub retention: Retention,
    /// The time of day, for ages.
    pub clock: Arc<dyn Clock>,
    /// Who hears of it.
    pub observer: Arc<dyn Observer>,
    /// Remembers manifests from round to round.
    pub reader: catalog::Reader,
    /// Snapshots that cannot be copied whatever the bucket does. Told already; not tried again,
    /// for each try reads them through.
    pub given_up: BTreeSet<SnapshotName>,
}

/// What a round could not do.
#[derive(Debug)]
pub enum RoundError {
    /// Read the directory. The round ended there.
    Here(StoreError),
    /// Read the bucket or write to it. The round ended there.
    There(StoreError),
    /// Delete in the bucket. What is owed is paid.
    Rotation(StoreError),
}

impl From<StoreError> for RoundError {
    fn from(error: StoreError) -> Self {
        Self::There(error)
    }
}

/// What there was in the place of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// Nothing, or the copy itself without its manifest.
    New,
    /// A copy of the same snapshot that is no longer what had been uploaded.
    Replaced,
}

/// Why a snapshot could not be copied, by the side that failed.
#[derive(Debug)]
enum CopyError {
    Local(StoreError),
    Remote(StoreError),
    /// Another object has the name there.
    Taken(StoreError),
}

impl Mirror {
    /// One round: completes the upload that followed the last save, finishes cut deletions, tells
    /// what was found out since, pays what is owed, and only then, on a fresh and whole listing, carries out the bucket's own
    /// retention.
    ///
    /// The first failure of either side ends the round; the next one begins anew. A deletion that
    /// is refused is told at the end: it keeps nothing from being uploaded.
    pub async fn round(
        &mut self,
        following: Option<(Following, Manifest)>,
        guard: Guard,
        ages: Ages,
    ) -> Result<(), RoundError> {
        let followed = match following {
            Some((upload, manifest)) => {
                let took = upload.commit(&manifest).await;
                took.map(|took| self.tell_uploaded(&manifest, took))
            }
            None => Ok(()),
        };
        // A failed upload is a debt like any other: if the bucket answers now, it is paid now.
        let there = match self.reader.read(&*self.remote).await {
            Ok(there) => there,
            Err(error) => return Err(followed.err().unwrap_or(error).into()),
        };
        // Before paying: a manifest of nothing would keep its name from the snapshot.
        let swept = self.sweep(&there, guard).await;
        let here = catalog::Reader::default().read(&*self.local).await;
        let here = here.map_err(RoundError::Here)?;
        self.tell_verdicts(&here, &there, guard).await?;
        self.pay(&here, &there, guard).await?;
        swept.map_err(RoundError::Rotation)?;

        let there = self.reader.read(&*self.remote).await?;
        let plan = self
            .retention
            .plan(&there.entries, guard, self.demand, self.clock.now(), ages);
        let done = prune::carry_out(&*self.remote, &there, &plan, &*self.observer).await;
        done.map(drop).map_err(RoundError::Rotation)
    }

    /// Finishes deletions that were cut.
    async fn sweep(&self, there: &Catalog, guard: Guard) -> Result<(), StoreError> {
        for name in sweep_orphans(&*self.remote, there, guard).await? {
            self.observer
                .tell(Event::Recovered(Recovery::Deleted(name)));
        }
        Ok(())
    }

    /// Lets the bucket know what was found out here of snapshots that it has already: its
    /// retention must count on no other than ours does.
    async fn tell_verdicts(
        &self,
        here: &Catalog,
        there: &Catalog,
        guard: Guard,
    ) -> Result<(), RoundError> {
        let aside = catalog::Reader::default()
            .read(self.quarantine.room())
            .await;
        let aside = aside.map_err(RoundError::Here)?;
        let manifests = here.manifests().chain(aside.manifests());
        for manifest in manifests.filter(|manifest| guard.owns(manifest)) {
            let twin = there.find(&manifest.name).and_then(Entry::manifest);
            if let Some(twin) = twin.filter(|twin| manifest.knows_more_than(twin)) {
                let told = manifest.with_reading(twin.read_back.clone());
                put_manifest(&*self.remote, &told).await?;
            }
        }
        Ok(())
    }

    /// Copies what is here and not there, newest first.
    async fn pay(
        &mut self,
        here: &Catalog,
        there: &Catalog,
        guard: Guard,
    ) -> Result<(), RoundError> {
        for entry in owed(here, there, guard, self.demand) {
            let Some(manifest) = entry.manifest() else {
                continue;
            };
            if self.given_up.contains(&entry.name) {
                continue;
            }
            let began = Instant::now();
            match try_copy(&*self.local, &*self.remote, entry, manifest).await {
                Ok(copied) => {
                    if copied == Copied::Replaced {
                        let location = self.remote.location();
                        self.observer.tell(Event::Replaced { manifest, location });
                    }
                    self.tell_uploaded(manifest, began.elapsed());
                }
                Err(CopyError::Local(error)) if error.kind() == ErrorKind::Corrupt => {
                    self.give_up(entry, &error);
                }
                Err(CopyError::Taken(error)) => self.give_up(entry, &error),
                // Retention took it meanwhile.
                Err(CopyError::Local(error)) if error.kind() == ErrorKind::NotFound => {}
                Err(CopyError::Local(error)) => return Err(RoundError::Here(error)),
                Err(CopyError::Remote(error)) => return Err(RoundError::There(error)),
            }
        }
        Ok(())
    }

    fn give_up(&mut self, entry: &Entry, error: &StoreError) {
        let name = &entry.name;
        self.observer.tell(Event::NotCopied { name, error });
        self.given_up.insert(name.clone());
    }

    fn tell_uploaded(&self, manifest: &Manifest, took: Duration) {
        let location = self.remote.location();
        self.observer.tell(Event::Uploaded {
            manifest,
            location,
            took,
        });
    }
}

/// The snapshots of this member that are here, verified as deep as is demanded and not broken,
/// and that are not there; newest first.
pub fn owed<'a>(
    here: &'a Catalog,
    there: &Catalog,
    guard: Guard,
    demand: Method,
) -> Vec<&'a Entry> {
    let digest = |manifest: &Manifest| manifest.stored.content.digest;
    let is_there = |manifest: &Manifest| {
        let twin = there.find(&manifest.name).and_then(Entry::manifest);
        let is_whole = |twin: &Manifest| !twin.is_of_broken_copy();
        twin.is_some_and(|twin| digest(twin) == digest(manifest) && is_whole(twin))
    };
    let is_fit = |manifest: &Manifest| match manifest.verdict() {
        Some(Verdict::Corrupt) => false,
        _ => demand == Method::Digest || manifest.is_verified(demand),
    };
    let is_owed =
        |manifest: &Manifest| guard.owns(manifest) && is_fit(manifest) && !is_there(manifest);
    let mut owed: Vec<_> = here
        .entries
        .iter()
        .filter(|entry| entry.manifest().is_some_and(is_owed))
        .collect();
    owed.sort_by_key(|entry| Reverse(entry.manifest().map(|manifest| manifest.order)));
    owed
}

/// Copies one stored snapshot from a store to another, proving on the way that it still is what
/// its manifest says.
pub async fn copy(
    local: &dyn Store,
    remote: &dyn Store,
    entry: &Entry,
    manifest: &Manifest,
) -> Result<Copied, StoreError> {
    try_copy(local, remote, entry, manifest)
        .await
        .map_err(|error| match error {
            CopyError::Local(error) | CopyError::Remote(error) | CopyError::Taken(error) => error,
        })
}

async fn try_copy(
    local: &dyn Store,
    remote: &dyn Store,
    entry: &Entry,
    manifest: &Manifest,
) -> Result<Copied, CopyError> {
    let (object, content) = (entry.object(), manifest.stored.content);
    let there = remote.list(manifest.name.as_str()).await;
    let there = there.map_err(CopyError::Remote)?;
    let find = |name: &ObjectName| there.iter().find(|there| there.name == *name);
    let is_whole = match (find(&object), find(&manifest.name.manifest())) {
        (None, None) => {
            send(local, remote, entry, manifest, Terms::new_of(entry.size)).await?;
            true
        }
        // An upload that was whole when its run died lacks only the manifest.
        (Some(there), _) if there.size == content.size => {
            let held = content_of(remote, &object).await;
            held.map_err(CopyError::Remote)? == content
        }
        _ => false,
    };
    let mut copied = Copied::New;
    if !is_whole {
        let is_copy = is_copy_of(remote, manifest).await;
        if !is_copy.map_err(CopyError::Remote)? {
            return Err(CopyError::Taken(occupied(remote.location(), &object)));
        }
        let terms = Terms {
            replaces: true,
            ..Terms::new_of(entry.size)
        };
        send(local, remote, entry, manifest, terms).await?;
        copied = Copied::Replaced;
    }
    let put = put_manifest(remote, manifest).await;
    put.map(|()| copied).map_err(CopyError::Remote)
}

async fn send(
    local: &dyn Store,
    remote: &dyn Store,
    entry: &Entry,
    manifest: &Manifest,
    terms: Terms,
) -> Result<(), CopyError> {
    let mut upload = remote
        .begin(&entry.object(), terms)
        .await
        .map_err(CopyError::Remote)?;
    match pour(local, entry, manifest.stored.content, &mut *upload).await {
        Ok(()) => upload.commit().await.map(drop).map_err(CopyError::Remote),
        Err(error) => {
            // The first error tells why; a failing clean-up only leaves invisible parts.
            let _ = upload.abort().await;
            Err(error)
        }
    }
}

/// Reads an object into an upload and compares it with what it must be.
async fn pour(
    local: &dyn Store,
    entry: &Entry,
    expected: Content,
    upload: &mut dyn Upload,
) -> Result<(), CopyError> {
    let mut hash = Sha256::new();
    let mut pieces = local
        .read(&entry.object(), None)
        .await
        .map_err(CopyError::Local)?;
    while let Some(piece) = pieces.try_next().await.map_err(CopyError::Local)? {
        hash.update(&piece);
        upload.write(piece).await.map_err(CopyError::Remote)?;
    }
    let digest = Digest(hash.finalize().into());
    if digest == expected.digest {
        return Ok(());
    }
    let message = format!(
        "digest is {digest}, its manifest tells of {}",
        expected.digest
    );
    let location = local.location();
    Err(CopyError::Local(
        StoreError::new(
            ErrorKind::Corrupt,
            "read",
            location,
            &entry.object(),
            message,
        )
        .with_hint("it changed after it was proved: check the disk or the bucket that holds it"),
    ))
}
