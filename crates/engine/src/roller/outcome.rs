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
use crate::{Kind, Manifest, SnapshotName, backoff, prune, rounds, schedule};

impl Roller {
    /// Tries again later.
    pub(super) fn failed(&self, state: &mut State, name: &SnapshotName, error: &SaveError) {
        state.care.is_hasty |= error.is_for_its_pace();
        if error.kind() == Kind::Full {
            state.drills.give_up(&*self.observer);
        }
        let attempt = state.due.fail();
        let wait = backoff::wait_after(attempt, error.kind());
        let retry_in = wait.min(self.schedule.shortest());
        state.due.retry_at(Instant::now() + retry_in);
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
            has_no_space,
            ..
        } = saved;
        self.observer.tell(Event::Saved {
            manifest: &manifest,
            took,
        });
        self.hold(state, has_no_space);
        let fellows = self.pipeline.source.fellows();
        state.guard = Some(Guard::of(&manifest).and(fellows));
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
        let wall = self.pipeline.clock.now() - began.elapsed();
        state.due.done(&self.schedule, (began, wall));
        state.is_suspicious = false;
        state.care.is_hasty = false;
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
            state.due.hurry();
        }
    }

    /// Takes the mirror back. Returns whether what was owed is paid.
    pub(super) async fn settled(&self, state: &mut State, end: rounds::End) -> bool {
        let is_paid = state.rounds.settle(end).await;
        self.step_aside(state);
        is_paid
    }

    /// What follows a round that found the newest snapshot's name taken in the bucket. Names are
    /// seconds, and members that keep step would collide each time: this one takes another snapshot
    /// a little later, which the bucket gets, and keeps that phase.
    fn step_aside(&self, state: &mut State) {
        let Some(guard) = state.guard else { return };
        let here = state.local.last();
        let rolling = here
            .manifests()
            .filter(|manifest| guard.owns(manifest) && manifest.class == Class::Rolling);
        let newest = rolling.max_by_key(|manifest| manifest.order);
        let Some(name) = newest.map(|manifest| &manifest.name) else {
            return;
        };
        let Some(times) = state.rounds.collision(name) else {
            return;
        };
        let (interval, member) = (self.schedule.shortest(), guard.member.0);
        let Some(wait) = schedule::step_aside(interval, member, times) else {
            return;
        };
        // What is due sooner, or is being tried again, has another second anyway.
        if state.due.earlier(Instant::now() + wait) {
            self.observer.tell(Event::SteppedAside { name, wait });
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
        if state.care.is_held {
            return;
        }
        let store = &*self.pipeline.local;
        let ages = ages(state);
        let (local, rounds) = (&mut state.local, &mut state.rounds);
        let told = &mut state.is_left_alone_told;
        let result = async {
            let catalog = local.read(store).await?;
            for name in sweep_orphans(store, &catalog, guard).await? {
                self.observer
                    .tell(Event::Recovered(Recovery::Deleted(name)));
            }
            let now = self.pipeline.clock.now();
            let demand = self.pipeline.method();
            let foreign = self.prune_foreign.here(self.limit());
            let mut plan = self
                .retention
                .plan(&catalog.entries, guard, demand, now, ages, foreign);
            if let Some((location, names)) = rounds.hold_back(&mut plan, &catalog, guard) {
                for name in &names {
                    self.observer.tell(Event::HeldBack { name, location });
                }
            }
            prune::tell_left_alone(told, store, &catalog, &plan, &*self.observer);
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
