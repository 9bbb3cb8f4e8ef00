//! Keeps the bucket in step with the directory.
//!
//! What it does is said by the two catalogs: [`debt`](crate::debt) tells what is owed,
//! `transfer` how one snapshot is copied, `leftovers` what
//! becomes of uploads that were cut.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use rollsnap_store::{ErrorKind, SpoolStore, Store, StoreError};
use tokio::time::Instant;

use crate::bundle::{self, Bundle};
use crate::catalog::{self, Catalog, Entry};
use crate::debt::{Debt, Namesakes};
use crate::event::{Event, Observer, Recovery};
use crate::follow::Following;
use crate::leftovers::Leftovers;
use crate::manifest::Method;
use crate::proof::exchange;
use crate::prune::{self, Locks};
use crate::quarantine::Quarantine;
use crate::reconcile::sweep_orphans;
use crate::retention::{self, Ages, Foreign, Guard, Retention};
use crate::tickets::Tickets;
use crate::transfer::{CopyError, Earlier, Transfer};
use crate::{Clock, Manifest, SnapshotName, key_index};

pub use crate::transfer::{Copied, copy};

/// Brings one bucket up to date with one directory.
pub struct Mirror {
    /// The directory.
    pub local: Arc<dyn SpoolStore>,
    /// The bucket.
    pub remote: Arc<dyn Store>,
    /// Where the tickets of uploads to it are.
    pub tickets: Tickets,
    /// What was moved aside here, of which the bucket may have a copy.
    pub quarantine: Arc<dyn Quarantine>,
    /// How deep a snapshot is verified before it is copied.
    pub demand: Method,
    /// What is kept in the bucket.
    pub retention: Retention,
    /// What becomes there of the old program's.
    pub foreign: Foreign,
    /// What becomes there of one-offs of one name.
    pub namesakes: Namesakes,
    /// The time of day, for ages.
    pub clock: Arc<dyn Clock>,
    /// Who hears of it.
    pub observer: Arc<dyn Observer>,
    /// What earlier rounds saw; of a new mirror nothing.
    pub seen: Seen,
}

/// What is remembered from round to round.
#[derive(Debug, Default)]
pub struct Seen {
    /// Manifests.
    reader: catalog::Reader,
    /// When the bucket was asked for what uploads left.
    leftovers: Leftovers,
    /// The certificates here.
    bundle: Bundle,
    /// What no rule deletes was told.
    is_left_alone_told: bool,
    /// What the bucket holds under a lock.
    locks: Locks,
    /// Snapshots that cannot be copied whatever the bucket does. Told already; not tried again,
    /// for each try reads them through.
    given_up: BTreeSet<(SnapshotName, u64)>,
    /// Nothing is to be deleted by retention.
    pub(crate) is_held: bool,
    /// Of these, those of this round whose name another snapshot has there.
    pub(crate) taken: BTreeSet<SnapshotName>,
}

/// What a round could not do.
#[derive(Debug)]
pub enum RoundError {
    /// Read the directory. The round ended there.
    Here(StoreError),
    /// Read the bucket or write to it. Not all that is owed is paid.
    There(StoreError),
    /// Delete in the bucket. What is owed is paid.
    Rotation(StoreError),
}

impl From<StoreError> for RoundError {
    fn from(error: StoreError) -> Self {
        Self::There(error)
    }
}

impl Mirror {
    /// The bucket's catalog as it was read last; empty before the first round.
    pub fn there(&self) -> &Catalog {
        self.seen.reader.last()
    }

    /// One round: completes the upload that followed the last save, finishes cut deletions, tells
    /// what was found out since, pays what is owed, and only then, on a fresh and whole listing,
    /// frees what cut uploads left and carries out the bucket's own retention.
    ///
    /// A failed listing, of either side, ends the round; the next one begins anew. An upload that
    /// fails is told at the end and keeps nothing from being freed, nor does a deletion that is
    /// refused keep anything from being uploaded. A verdict that cannot be told ends the round:
    /// retention would count what is broken there.
    pub async fn round(
        &mut self,
        following: Option<(Following, Manifest)>,
        guard: Guard,
        ages: Ages,
    ) -> Result<(), RoundError> {
        let followed = match following {
            Some((upload, manifest)) => {
                let took = upload.commit(&manifest).await;
                took.map(|took| self.tell_uploaded(&manifest, took, 0))
            }
            None => Ok(()),
        };
        // A failed upload is a debt like any other: if the bucket answers now, it is paid now.
        let there = match self.seen.reader.read(&*self.remote).await {
            Ok(there) => there,
            Err(error) => return Err(followed.err().unwrap_or(error).into()),
        };
        self.observer.tell(Event::RemoteListed { catalog: &there });
        // Before paying: a manifest of nothing would keep its name from the snapshot.
        let swept = self.sweep(&there, guard).await;
        let here = catalog::Reader::default().read(&*self.local).await;
        let here = here.map_err(RoundError::Here)?;
        self.tell_verdicts(&here, &there, guard).await?;
        let paid = self.pay(self.debt(&here, &there, guard), ages).await;

        // A bucket that is full takes nothing until something goes: what cannot be paid keeps
        // nothing from being freed.
        let there = match self.seen.reader.read(&*self.remote).await {
            Ok(there) => there,
            Err(error) => return Err(paid.err().unwrap_or(error.into())),
        };
        self.observer.tell(Event::RemoteListed { catalog: &there });
        let paid = match paid {
            Ok(()) => self.pay_beside(&here, &there, guard).await,
            Err(error) => Err(error),
        };
        self.clear_leftovers(self.debt(&here, &there, guard), ages)
            .await;
        let rotated = self.rotate(&there, guard, ages).await;
        paid?;
        swept.and(rotated).map_err(RoundError::Rotation)
    }

    /// The bucket's own retention, carried out.
    async fn rotate(
        &mut self,
        there: &Catalog,
        guard: Guard,
        ages: Ages,
    ) -> Result<(), StoreError> {
        if self.seen.is_held {
            return Ok(());
        }
        let location = self.remote.location();
        self.observer.tell(Event::RemoteRotation { location });
        let plan = self.plan(&there.entries, guard, ages);
        let told = &mut self.seen.is_left_alone_told;
        prune::tell_left_alone(told, &*self.remote, there, &plan, &*self.observer);
        let locks = &mut self.seen.locks;
        let done = prune::carry_out(&*self.remote, there, &plan, locks, &*self.observer).await;
        done.map(drop)
    }

    fn debt<'a>(&self, here: &'a Catalog, there: &'a Catalog, guard: Guard) -> Debt<'a> {
        Debt {
            here,
            there,
            guard,
            demand: self.demand,
            namesakes: self.namesakes,
        }
    }

    /// The bucket's own retention.
    fn plan(&self, entries: &[Entry], guard: Guard, ages: Ages) -> Vec<retention::Verdict> {
        let now = self.clock.now();
        let (demand, foreign) = (self.demand, self.foreign);
        self.retention
            .plan(entries, guard, demand, now, ages, foreign)
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
            let Some(twin) = twin else { continue };
            if let Some(told) = manifest.told_to(twin) {
                // Another member's of that name may have taken its place just now.
                exchange(&*self.remote, twin, &told).await?;
            }
        }
        Ok(())
    }

    /// Copies what is here and not there, newest first, and not what retention there would delete
    /// at once.
    async fn pay(&mut self, debt: Debt<'_>, ages: Ages) -> Result<(), RoundError> {
        let in_vain = debt.in_vain(|entries| self.plan(entries, debt.guard, ages));
        for entry in debt.owed() {
            let name = &entry.name;
            let Some(manifest) = entry.manifest() else {
                continue;
            };
            if self.is_given_up(entry) || in_vain.contains(name) {
                continue;
            }
            let transfer = Transfer {
                from: &*self.local,
                to: &*self.remote,
                entry,
                manifest,
                earlier: Some(Earlier {
                    tickets: &self.tickets,
                    local: &*self.local,
                }),
                replaces: debt.may_replace(manifest),
            };
            let began = Instant::now();
            match transfer.run().await {
                Ok(done) => {
                    if done.copied == Copied::Replaced {
                        let location = self.remote.location();
                        self.observer.tell(Event::Replaced { manifest, location });
                    }
                    self.tell_uploaded(manifest, began.elapsed(), done.resumed);
                }
                Err(CopyError::Local(error)) if error.kind() == ErrorKind::Corrupt => {
                    self.give_up(entry, &error);
                }
                Err(CopyError::Taken(error)) => {
                    self.seen.taken.insert(name.clone());
                    self.give_up(entry, &error);
                }
                // Retention took it meanwhile.
                Err(CopyError::Local(error)) if error.kind() == ErrorKind::NotFound => {}
                Err(CopyError::Local(error)) => return Err(RoundError::Here(error)),
                Err(CopyError::Remote(error)) => return Err(RoundError::There(error)),
            }
        }
        Ok(())
    }

    /// Copies what lies beside the snapshots.
    async fn pay_beside(
        &mut self,
        here: &Catalog,
        there: &Catalog,
        guard: Guard,
    ) -> Result<(), RoundError> {
        key_index::pay((&*self.local, here), (&*self.remote, there), guard).await?;
        Ok(self.pay_bundle(here, there, guard).await?)
    }

    /// Copies the certificates of a cluster that RKE before v0.2.0 built.
    async fn pay_bundle(
        &mut self,
        here: &Catalog,
        there: &Catalog,
        guard: Guard,
    ) -> Result<(), StoreError> {
        let observer = &self.observer;
        let from = (&*self.local as &dyn Store, here);
        let to = (&*self.remote, there);
        let tell = |news: bundle::News<'_>| {
            observer.tell(match news {
                bundle::News::Copied(object, location) => {
                    Event::BundleUploaded { object, location }
                }
                bundle::News::Unfit(error) => Event::BundleUnfit { error },
            });
        };
        self.seen.bundle.pay(from, to, guard, tell).await
    }

    /// Frees what cut uploads left that nothing will go on with. Where that fails it keeps
    /// nothing from being uploaded or rotated.
    async fn clear_leftovers(&mut self, debt: Debt<'_>, ages: Ages) {
        let in_vain = debt.in_vain(|entries| self.plan(entries, debt.guard, ages));
        let missing = debt.missing().into_iter();
        let wanted = missing
            .filter(|entry| !self.is_given_up(entry))
            .filter(|entry| !in_vain.contains(&entry.name))
            .map(Entry::object)
            .collect();
        let (remote, now) = (&*self.remote, self.clock.now());
        let tell = |freed| self.observer.tell(Event::Recovered(Recovery::Freed(freed)));
        let leftovers = &mut self.seen.leftovers;
        let cleared = leftovers
            .clear(remote, &self.tickets, &wanted, &debt, now, tell)
            .await;
        let was_failing = mem::replace(&mut leftovers.is_failing, cleared.is_err());
        if let (Err(error), false) = (&cleared, was_failing) {
            let location = remote.location();
            self.observer.tell(Event::SweepFailed { location, error });
        }
    }

    fn give_up(&mut self, entry: &Entry, error: &StoreError) {
        let name = &entry.name;
        self.observer.tell(Event::NotCopied { name, error });
        self.seen.given_up.extend(key_of(entry));
    }

    fn is_given_up(&self, entry: &Entry) -> bool {
        key_of(entry).is_some_and(|key| self.seen.given_up.contains(&key))
    }

    fn tell_uploaded(&self, manifest: &Manifest, took: Duration, resumed: u64) {
        let location = self.remote.location();
        self.observer.tell(Event::Uploaded {
            manifest,
            location,
            took,
            resumed,
        });
    }
}

/// What tells a snapshot from an earlier one of its name.
fn key_of(entry: &Entry) -> Option<(SnapshotName, u64)> {
    let manifest = entry.manifest()?;
    Some((entry.name.clone(), manifest.order))
}
