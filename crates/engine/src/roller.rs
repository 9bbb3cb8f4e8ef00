//! The one loop that owns state: when a snapshot is due, take it, rotate, and keep the bucket in
//! step.
//!
//! A save never waits for the bucket. The mirror works beside the loop, one round at a time; a
//! save that comes while it is busy goes to the directory alone and is copied in the next round.
//!
//! A save's attempt ends with its [proof](crate::proof), which works beside the loop too. Only
//! then are older ones rotated and the upload completed. What an earlier run left unproved is
//! examined while nothing is due, and so are copies in the bucket read back. A
//! [drill](crate::drills) makes way for a save that is due and begins anew, but not for ever.

mod care;
mod due;
mod outcome;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_store::Store;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use self::due::Due;
use crate::catalog;
use crate::debt::Namesakes;
use crate::drills::{self, Drills, Rehearsals};
use crate::event::{Event, Observer};
use crate::manifest::{Class, Verdict};
use crate::mirror::{Mirror, Seen};
use crate::name::TimeStyle;
use crate::pipeline::{Order, Pipeline};
use crate::proofs::{self, Proofs};
use crate::readings::{self, Readings, Wanted};
use crate::reconcile::complete_drafts;
use crate::retention::{Ages, Guard, PruneForeign, Retention};
use crate::room::Shrunk;
use crate::rounds::{self, Rounds};
use crate::schedule::{Schedule, clock_jump};
use crate::tended::Tended;
use crate::tickets::Tickets;
use crate::{Manifest, SnapshotName};

/// How often the loop looks at the wall clock while nothing is due.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// A wall clock is said to have jumped when it parts from the monotonic one by more than this
/// between two looks. Slewing (at most 500 ppm) stays far below.
const JUMP: TimeDelta = TimeDelta::seconds(5);

/// How long the bucket has, at the end, to forget the uploads that were cut or to complete the one
/// whose parts are all there.
const LAST_WORD: Duration = Duration::from_secs(3);

/// Longer than any process lives, for sums of times that have no end.
const LONG: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Everything that the rounds need.
pub struct Roller {
    /// How a snapshot is taken.
    pub pipeline: Pipeline,
    /// When.
    pub schedule: Schedule,
    /// What is kept.
    pub retention: Retention,
    /// Where the old program's rolling snapshots go by their age.
    pub prune_foreign: PruneForeign,
    /// What becomes in the bucket of one-offs of one name.
    pub namesakes: Namesakes,
    /// The time in which every copy in the bucket is read back once, where that is wanted.
    pub verify_remote: Option<Duration>,
    /// The rehearsals of restores, where they are wanted.
    pub drills: Option<Rehearsals>,
    /// How names write the time.
    pub style: TimeStyle,
    /// Who hears of it.
    pub observer: Arc<dyn Observer>,
}

/// What changes from tick to tick.
struct State {
    /// When the next snapshot is due.
    due: Due,
    /// When the next attempt was last said to be.
    told_next: Option<Instant>,
    /// Whose snapshots these are; certain from the first save on.
    guard: Option<Guard>,
    /// The last look at both clocks.
    looked: (Instant, DateTime<Utc>),
    /// Until when ages are doubted.
    doubt_until: Option<Instant>,
    local: catalog::Reader,
    /// What no rule deletes from the directory was told.
    is_left_alone_told: bool,
    /// The bucket, where there is one. What is dropped on the way to it is aborted.
    remote: Option<Tended>,
    rounds: Rounds,
    proofs: Proofs,
    readings: Readings,
    drills: Drills,
    /// The last snapshot was broken. Until one holds, none is sent before it is proved.
    is_suspicious: bool,
    care: care::Care,
}

/// Why the loop woke up.
enum News {
    Round(rounds::End),
    Proof(proofs::End),
    Reading(readings::End),
    Drill(drills::End),
    Time,
}

impl Roller {
    /// Works until told to stop. A save that is running then goes on to its end; `abandon` drops
    /// it clean. An examination ends at once, and the next run begins it anew. An upload that is
    /// cut is paid by the next run, and the bucket has three seconds to forget its parts.
    pub async fn run(&self, stop: &CancellationToken, abandon: &CancellationToken) {
        let mut state = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            state = self.begin() => state,
        };
        while !stop.is_cancelled() {
            self.tell_next(&mut state);
            let (wake, may_read) = (state.wake(), state.may_read());
            let news = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                end = state.rounds.end() => News::Round(end),
                end = state.proofs.end() => News::Proof(end),
                end = state.readings.end(), if may_read => News::Reading(end),
                end = state.drills.end() => News::Drill(end),
                () = sleep_until(wake) => News::Time,
            };
            tokio::select! {
                biased;
                () = abandon.cancelled() => break,
                () = Box::pin(self.turn(&mut state, news)) => {}
            }
        }
        drop(state.proofs);
        drop(state.readings);
        drop(state.rounds);
        let uploads = async {
            if let Some(remote) = state.remote {
                remote.rest(LAST_WORD).await;
            }
        };
        // A server that goes on without us would do so for ever.
        let drills = timeout(LAST_WORD, state.drills.rest());
        let ((), _) = tokio::join!(uploads, drills);
    }

    /// What a waking leads to. Every part of it may be dropped where it waits.
    async fn turn(&self, state: &mut State, news: News) {
        let mut is_paid = false;
        match news {
            News::Round(end) => is_paid = self.settled(state, end).await,
            News::Proof(end) => self.judged(state, end).await,
            News::Reading(end) => {
                if state.readings.settle(end, &*self.observer) {
                    // What is here is uploaded anew.
                    state.rounds.want();
                }
            }
            News::Drill(end) => {
                let name = state.drills.settle(end, &*self.observer);
                state.local.forget(&name);
            }
            News::Time => {}
        }
        self.look_at_clocks(state);
        if state.proofs.is_fresh() {
            return;
        }
        if is_paid {
            self.mirrored(state).await;
        }
        if state.due.attempt_at() <= Instant::now() {
            state.proofs.make_way();
            state.drills.make_way(&*self.observer);
            self.tick(state).await;
        }
        if let Some(guard) = state.guard.filter(|_| !state.proofs.is_fresh()) {
            state.rounds.begin(None, guard, ages(state));
            let here = state.local.last();
            state.proofs.begin_next(&self.pipeline, here, guard);
            if state.may_read() {
                state.readings.begin(guard);
                state
                    .drills
                    .begin(&self.pipeline, state.local.last(), guard);
            }
        }
    }

    fn tell_next(&self, state: &mut State) {
        let next = state.due.attempt_at();
        if state.told_next.replace(next) != Some(next) {
            let wait = next.saturating_duration_since(Instant::now());
            self.observer.tell(Event::Next { wait });
        }
    }

    /// Puts right what is left, and finds out when the first snapshot is due.
    async fn begin(&self) -> State {
        let pipeline = &self.pipeline;
        self.observer.tell(Event::Started {
            schedule: &self.schedule,
            keep: self.limit(),
        });
        self.recover().await;
        let mut local = catalog::Reader::default();
        // A directory that cannot be listed says nothing of earlier successes: the first save
        // is due, and tells what is wrong.
        let catalog = local.read(&*pipeline.local).await.unwrap_or_default();
        let (guard, has_no_space) = self.guard(&catalog).await;
        let ours = |manifest: &&Manifest| guard.is_some_and(|guard| guard.owns(manifest));
        let successes = catalog
            .manifests()
            .filter(ours)
            .filter(|manifest| manifest.class == Class::Rolling)
            .filter(|manifest| manifest.verdict() != Some(Verdict::Corrupt))
            .map(|manifest| manifest.started_at);
        // Both clocks at one moment: all of the above may have taken long.
        let (began, now) = (Instant::now(), pipeline.clock.now());
        let (due, first) = Due::first(&self.schedule, successes, (began, now));
        let remote = pipeline.remote.clone().map(|remote| {
            let tickets = self.tickets(&*remote);
            Tended::new(remote).noting(tickets)
        });
        let mirror = remote.as_ref().map(|remote| self.mirror(remote));
        let readings = Readings::new(remote.as_ref().and_then(|remote| self.readings(remote)));
        let mut rounds = Rounds::new(mirror);
        if catalog.manifests().any(|manifest| ours(&manifest)) {
            // What an earlier run owes is paid at once.
            rounds.want();
        }
        self.observer.tell(Event::Waiting { first });
        let drills = Drills::new(self.drills.clone());
        drills.introduce(&catalog, guard, now, &*self.observer);
        let mut proofs = Proofs::default();
        if let Some(guard) = guard.filter(|_| !first.is_zero()) {
            // Nothing else may happen for hours.
            proofs.begin_next(pipeline, &catalog, guard);
        }
        let mut state = State {
            due,
            told_next: None,
            guard,
            looked: (began, now),
            doubt_until: None,
            local,
            is_left_alone_told: false,
            remote,
            rounds,
            proofs,
            readings,
            drills,
            is_suspicious: false,
            care: care::Care::default(),
        };
        self.hold(&mut state, has_no_space);
        state
    }

    fn mirror(&self, remote: &Tended) -> Mirror {
        Mirror {
            local: Arc::clone(&self.pipeline.local),
            remote: Arc::new(remote.clone()),
            tickets: self.tickets(remote),
            quarantine: Arc::clone(&self.pipeline.quarantine),
            demand: self.pipeline.method(),
            retention: self.retention,
            foreign: self.prune_foreign.there(self.limit()),
            namesakes: self.namesakes,
            clock: Arc::clone(&self.pipeline.clock),
            observer: Arc::clone(&self.observer),
            seen: Seen::default(),
        }
    }

    /// How long a snapshot stays if none is missed.
    fn limit(&self) -> Duration {
        self.retention.span(self.schedule.longest())
    }

    fn tickets(&self, remote: &dyn Store) -> Tickets {
        Tickets::new(Arc::clone(&self.pipeline.drafts), remote.location().clone())
    }

    fn readings(&self, remote: &Tended) -> Option<Wanted> {
        Some(Wanted {
            store: Arc::new(remote.clone()),
            every: self.verify_remote?,
            clock: Arc::clone(&self.pipeline.clock),
        })
    }

    async fn recover(&self) {
        let pipeline = &self.pipeline;
        match complete_drafts(&*pipeline.local, &*pipeline.drafts).await {
            Ok(recovered) => {
                for recovery in recovered {
                    self.observer.tell(Event::Recovered(recovery));
                }
            }
            Err(error) => {
                let location = pipeline.local.location();
                self.observer.tell(Event::RecoveryFailed {
                    location,
                    error: &error,
                });
            }
        }
    }

    /// Notices a wall clock that was set. Nothing is deleted for its age until the time since
    /// has outlasted the age limit: by then snapshots of a steady clock fill the window.
    fn look_at_clocks(&self, state: &mut State) {
        let (then, wall_then) = state.looked;
        let (now, wall_now) = (Instant::now(), self.pipeline.clock.now());
        state.looked = (now, wall_now);
        state.due.follow(&self.schedule, (now, wall_now));
        let by = clock_jump(wall_now - wall_then, now - then);
        if by.abs() < JUMP {
            return;
        }
        self.observer.tell(Event::ClockJumped { by });
        state.doubt_until = Some(now.checked_add(self.limit()).unwrap_or(now + LONG));
        state.due.jumped(&self.schedule, by);
    }

    /// One attempt at the snapshot that is due.
    async fn tick(&self, state: &mut State) {
        let began = Instant::now();
        // What a failed attempt left must not wait for a restart: without its manifest a
        // snapshot takes room that nobody may free.
        self.recover().await;
        let order = self.order(state).await;
        self.observer.tell(Event::Begins { name: &order.name });
        // Two uploads at once would take twice the memory.
        let mut pipeline = self.careful(state);
        let may_follow = !state.rounds.is_running() && !state.is_suspicious;
        let free = state.remote.as_ref().filter(|_| may_follow);
        pipeline.remote = free.map(|remote| Arc::new(remote.clone()) as _);
        match pipeline.save(&order, &|_, _| {}).await {
            Ok(saved) => self.saved(state, saved, began).await,
            Err(error) => self.failed(state, &order.name, &error),
        }
    }

    /// What is to be saved now, by what the directory holds.
    async fn order(&self, state: &mut State) -> Order {
        // Where the directory cannot be listed now, what it held last time still counts: an order
        // below it would make the new snapshot the oldest.
        let _ = state.local.read(&*self.pipeline.local).await;
        let here = state.local.last();
        // A second has one name. It is taken after a clock was set back by whole intervals, and
        // at an interval of a second by a timer that comes a little early.
        let mut at = self.pipeline.clock.now();
        let mut name = SnapshotName::rolling(at, self.style);
        while here.find(&name).is_some() {
            at += TimeDelta::seconds(1);
            name = SnapshotName::rolling(at, self.style);
        }
        Order {
            name,
            class: Class::Rolling,
            after: here.newest().map_or(0, |manifest| manifest.order),
            shrunk: Shrunk::of(here, self.pipeline.codec),
            replaces: false,
        }
    }
}

impl State {
    /// When to wake up if nothing happens.
    fn wake(&self) -> Instant {
        let heartbeat = Instant::now() + HEARTBEAT;
        if self.proofs.is_fresh() {
            return heartbeat;
        }
        let round = self.rounds.due().unwrap_or(heartbeat);
        let reading = self.readings.due().filter(|_| self.may_read());
        let reading = reading.unwrap_or(heartbeat);
        let drill = self.drills.due().filter(|_| self.may_read());
        let drill = drill.unwrap_or(heartbeat);
        [self.due.attempt_at(), heartbeat, round, reading, drill]
            .into_iter()
            .min()
            .unwrap_or(heartbeat)
    }

    /// Whether copies may be read back, and drills begin: not while a snapshot is proved or anything is uploaded.
    /// While one is saved, nothing else goes on anyway.
    fn may_read(&self) -> bool {
        self.guard.is_some() && !self.proofs.is_fresh() && !self.rounds.is_running()
    }
}

fn ages(state: &State) -> Ages {
    match state.doubt_until {
        Some(until) if Instant::now() < until => Ages::Doubted,
        _ => Ages::Trusted,
    }
}
