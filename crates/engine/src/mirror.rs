//! Keeps the bucket in step with the directory.
//!
//! There is no ledger of what is owed: the difference between the two catalogs is the to-do
//! list, after any failure and after any restart.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use rollsnap_snapfile::Digest;
use rollsnap_store::{ErrorKind, SpoolStore, Store, StoreError, Upload};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::catalog::{self, Catalog, Entry};
use crate::event::{Event, Observer, Recovery};
use crate::follow::{self, Following, put_manifest};
use crate::manifest::Content;
use crate::prune;
use crate::reconcile::{content_of, sweep_orphans};
use crate::retention::{Ages, Guard, Retention};
use crate::{Clock, Manifest};

/// Brings one bucket up to date with one directory.
pub struct Mirror {
    /// The directory.
    pub local: Arc<dyn SpoolStore>,
    /// The bucket.
    pub remote: Arc<dyn Store>,
    /// What is kept in the bucket.
    pub retention: Retention,
    /// The time of day, for ages.
    pub clock: Arc<dyn Clock>,
    /// Who hears of it.
    pub observer: Arc<dyn Observer>,
    /// Remembers manifests from round to round.
    pub reader: catalog::Reader,
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
    /// One round: completes the upload that followed the last save, pays what is owed, and only
    /// then, on a fresh and whole listing, carries out the bucket's own retention.
    ///
    /// The first failure of the bucket ends the round; the next one begins anew.
    pub async fn round(
        &mut self,
        following: Option<(Following, Manifest)>,
        guard: Guard,
        ages: Ages,
    ) -> Result<(), StoreError> {
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
            Err(error) => return followed.and(Err(error)),
        };
        self.pay(&there, guard).await?;

        let there = self.reader.read(&*self.remote).await?;
        for name in sweep_orphans(&*self.remote, &there, guard).await? {
            self.observer
                .tell(Event::Recovered(Recovery::Deleted(name)));
        }
        let plan = self
            .retention
            .plan(&there.entries, guard, self.clock.now(), ages);
        prune::carry_out(&*self.remote, &there, &plan, &*self.observer).await?;
        Ok(())
    }

    /// Copies what is here and not there, newest first.
    async fn pay(&mut self, there: &Catalog, guard: Guard) -> Result<(), StoreError> {
        let here = catalog::Reader::default().read(&*self.local).await?;
        for entry in owed(&here, there, guard) {
            let Some(manifest) = entry.proved() else {
                continue;
            };
            let began = Instant::now();
            match try_copy(&*self.local, &*self.remote, entry, manifest).await {
                Ok(()) => self.tell_uploaded(manifest, began.elapsed()),
                // Retention took it meanwhile.
                Err(CopyError::Local(error)) if error.kind() == ErrorKind::NotFound => {}
                Err(CopyError::Local(error) | CopyError::Taken(error)) => {
                    self.observer.tell(Event::NotCopied {
                        name: &entry.name,
                        error: &error,
                    });
                }
                Err(CopyError::Remote(error)) => return Err(error),
            }
        }
        Ok(())
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

/// The snapshots of this member that are proved here and not there, newest first.
pub fn owed<'a>(here: &'a Catalog, there: &Catalog, guard: Guard) -> Vec<&'a Entry> {
    let digest = |manifest: &Manifest| manifest.stored.content.digest;
    let is_there = |manifest: &Manifest| {
        let twin = there.find(&manifest.name).and_then(Entry::proved);
        twin.is_some_and(|twin| digest(twin) == digest(manifest))
    };
    let is_owed = |manifest: &Manifest| guard.owns(manifest) && !is_there(manifest);
    let mut owed: Vec<_> = here
        .entries
        .iter()
        .filter(|entry| entry.proved().is_some_and(is_owed))
        .collect();
    owed.sort_by_key(|entry| Reverse(entry.proved().map(|manifest| manifest.order)));
    owed
}

/// Copies one stored snapshot from a store to another, proving on the way that it still is what its manifest says.
pub async fn copy(
    local: &dyn Store,
    remote: &dyn Store,
    entry: &Entry,
    manifest: &Manifest,
) -> Result<(), StoreError> {
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
) -> Result<(), CopyError> {
    let object = entry.object();
    match follow::taken(remote, &manifest.name, manifest.stored.codec).await {
        Ok(None) => send(local, remote, entry, manifest).await?,
        Ok(Some(taken)) => {
            // An upload that was whole when its run died lacks only the manifest.
            let there = content_of(remote, &object).await;
            if there.is_ok_and(|there| there == manifest.stored.content) {
                return put_manifest(remote, manifest)
                    .await
                    .map_err(CopyError::Remote);
            }
            return Err(CopyError::Taken(taken));
        }
        Err(error) => return Err(CopyError::Remote(error)),
    }
    put_manifest(remote, manifest)
        .await
        .map_err(CopyError::Remote)
}

async fn send(
    local: &dyn Store,
    remote: &dyn Store,
    entry: &Entry,
    manifest: &Manifest,
) -> Result<(), CopyError> {
    let mut upload = remote
        .begin(&entry.object())
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
        .with_hint("the file changed after it was proved: check the disk"),
    ))
}
