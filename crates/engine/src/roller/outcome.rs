//! What follows the end of an attempt, of an examination, of an old snapshot.

use tokio::time::Instant;

use super::{Roller, State, ages};
use crate::event::{Event, Recovery};
use crate::follow::Following;
use crate::manifest::Class;
use crate::pipeline::Saved;
use crate::proof::Proof;
use crate::proofs::{self, Fresh};
use crate::prune::Locks;
use crate::reconcile::sweep_orphans;
use crate::retention::Guard;
use crate::save_error::SaveError;
use crate::{Manifest, SnapshotName, backoff, prune};

impl Roller {
    /// Tries again later.
    pub(super) fn failed(&self, state: &mut State, name: &SnapshotName, error: &SaveError) {
        state.attempts += 1;
        let wait = backoff::wait_after(state.attempts, error.kind());
        let retry_in = wait.min(self.schedule.interval);
        state.attempt_at = Instant::now() + retry_in;
        let attempt = state.attempts;
        self.observer.tell(Event::SaveFailed {
            name,
            error,
            attempt,
            retry_in,
        });
    }

    /// What follows a snapshot that is published: the word of it, and its proof.
    pub(super) async fn saved(&self, state: &mut State, saved: Saved, began: Instant) {
        let Saved {
            manifest,
            took,
            upload,
        } = saved;
        self.observer.tell(Event::Saved {
            manifest: &manifest,
            took,
        });
        state.guard = Some(Guard::of(&manifest));
        let fresh = Fresh { began, upload };
        if self.pipeline.examiner.is_some() {
            state.proofs.begin(&self.pipeline, manifest, Some(fresh));
        } else {
            let following = fresh.upload.map(|upload| (upload, manifest));
            self.stands(state, began, following).await;
        }
    }

    /// What follows a proof, of a new snapshot or of an old one.
    pub(super) async fn judged(&self, state: &mut State, end: proofs::End) {
        let proofs::End {
            name,
            order,
            fresh,
            took,
            again,
            result,
        } = end;
        let mut kept = None;
        match result {
            Ok(Proof::Kept {
                manifest,
                unasked,
                unindexed,
            }) => {
                self.observer.tell(Event::Verified {
                    manifest: &manifest,
                    took,
                });
                if let Some(error) = unasked {
                    self.observer.tell(Event::NotCompared {
                        name: &name,
                        error: &error,
                    });
                }
                if let Some(error) = unindexed {
                    self.observer.tell(Event::NotIndexed {
                        name: &name,
                        error: &error,
                    });
                }
                kept = Some(*manifest);
            }
            Ok(Proof::Quarantined(quarantined)) => {
                self.observer.tell(Event::Quarantined(&quarantined));
                match fresh {
                    Some(fresh) => {
                        fresh.upload.into_iter().for_each(Following::discard);
                        state.is_suspicious = true;
                        self.failed(state, &name, &SaveError::broken(&quarantined));
                    }
                    None => self.lost(state, order).await,
                }
                return;
            }
            Ok(Proof::Gone) => {}
            Err(error) if again => drop(error),
            Err(error) => self.observer.tell(Event::ProofFailed {
                name: &name,
                error: &error,
            }),
        }
        let Some(fresh) = fresh else {
            return self.rotate_and_mirror(state).await;
        };
        // Of what is not proved, nothing goes to the bucket: it is owed once it is.
        let following = fresh.upload.zip(kept);
        self.stands(state, fresh.began, following).await;
    }

    /// What follows a success: the next is due, older ones may go, and the bucket has its round.
    async fn stands(
        &self,
        state: &mut State,
        began: Instant,
        following: Option<(Following, Manifest)>,
    ) {
        state.due = began + self.schedule.next_wait(began - state.due);
        state.attempt_at = state.due;
        state.attempts = 0;
        state.is_suspicious = false;
        // A clock that was set while the save ran must not delete anything after it.
        self.look_at_clocks(state);
        let Some(guard) = state.guard else { return };
        self.rotate(state, guard).await;
        state.rounds.want();
        state.rounds.begin(following, guard, ages(state));
    }

    /// What follows the end of an old snapshot: if it was the newest, a new one is due now.
    async fn lost(&self, state: &mut State, order: u64) {
        self.rotate_and_mirror(state).await;
        let guard = state.guard;
        let is_newer = |manifest: &Manifest| {
            guard.is_some_and(|guard| guard.owns(manifest))
                && manifest.class == Class::Rolling
                && manifest.order > order
        };
        if !state.local.last().manifests().any(is_newer) {
            let now = Instant::now();
            state.due = state.due.min(now);
            state.attempt_at = state.attempt_at.min(now);
        }
    }

    async fn rotate_and_mirror(&self, state: &mut State) {
        if let Some(guard) = state.guard {
            self.rotate(state, guard).await;
            state.rounds.want();
        }
    }

    /// What follows a round that paid what was owed: what was kept here for the bucket's sake may
    /// go, and nothing else, for no snapshot has come meanwhile.
    pub(super) async fn mirrored(&self, state: &mut State) {
        let held_back = state.rounds.held_back();
        if let Some(guard) = state.guard.filter(|_| !held_back.is_empty()) {
            let of_these = |name: &SnapshotName| held_back.contains(name);
            self.rotate_some(state, guard, &of_these).await;
        }
    }

    async fn rotate(&self, state: &mut State, guard: Guard) {
        self.rotate_some(state, guard, &|_| true).await;
    }

    /// The directory's own retention, on a fresh listing, as far as it concerns these.
    async fn rotate_some(
        &self,
        state: &mut State,
        guard: Guard,
        concerns: &(dyn Fn(&SnapshotName) -> bool + Send + Sync),
    ) {
        let store = &*self.pipeline.local;
        let ages = ages(state);
        let (local, rounds) = (&mut state.local, &mut state.rounds);
        let result = async {
            let catalog = local.read(store).await?;
            for name in sweep_orphans(store, &catalog, guard).await? {
                self.observer
                    .tell(Event::Recovered(Recovery::Deleted(name)));
            }
            let now = self.pipeline.clock.now();
            let demand = self.pipeline.method();
            let mut plan = self
                .retention
                .plan(&catalog.entries, guard, demand, now, ages);
            if let Some((location, names)) = rounds.hold_back(&mut plan, &catalog, guard) {
                for name in &names {
                    self.observer.tell(Event::HeldBack { name, location });
                }
            }
            plan.retain(|verdict| concerns(&verdict.name));
            let locks = &mut Locks::default();
            prune::carry_out(store, &catalog, &plan, locks, &*self.observer).await
        };
        if let Err(error) = result.await {
            self.observer.tell(Event::PruneFailed {
                location: store.location(),
                error: &error,
            });
        }
    }
}
