//! The drills beside the loop: one at a time, and while nothing else is due where there is time enough.
//! One that had to make way twice goes on beside the saves: a rehearsal that takes longer than the
//! interval would else never end. No save waits for it, and it ends where one finds no room.
//!
//! When the last one was, the manifests tell, as long as retention leaves them; within one run it is
//! remembered. A restart may so rehearse a little early, and never late.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rollsnap_store::ErrorKind;
use tokio::time::Instant;

use crate::drill::{DrillError, Driller};
use crate::event::{Event, Observer};
use crate::manifest::{Drill, Method, Verdict};
use crate::pipeline::Pipeline;
use crate::proof::exchange;
use crate::retention::Guard;
use crate::{Catalog, Manifest, SnapshotName};

/// How long until the next try where there was nothing to drill, or it could not be done.
const PAUSE: Duration = Duration::from_secs(3600);

/// How often in a row a drill makes way for a save that is due. Then it goes on beside them.
const COURTESY: u32 = 2;

/// How often in a row a drill makes way before that is told.
const PATIENCE: u32 = 3;

/// Which drills are wanted.
#[derive(Debug, Clone)]
pub struct Rehearsals {
    /// The time from one to the next.
    pub every: Duration,
    /// Who holds them.
    pub driller: Arc<dyn Driller>,
}

/// The running drill, if there is one. Where none is wanted, nothing ever happens.
pub(crate) struct Drills {
    wanted: Option<Rehearsals>,
    running: Option<BoxFuture<'static, End>>,
    next: Instant,
    /// When the last one ended, as far as this run knows.
    last: Option<DateTime<Utc>>,
    /// How often in a row one made way.
    put_off: u32,
    /// The last one could not be held, which was told.
    is_failing: bool,
}

/// How a drill ended.
pub(crate) struct End {
    name: SnapshotName,
    /// The snapshot's manifest with it, whether or not that could be written.
    drilled: Option<Box<Manifest>>,
    result: Result<(), DrillError>,
}

/// The snapshot to drill, and how long until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The newest that was proved as deep as is demanded.
    pub manifest: Manifest,
    /// How long until it is due.
    pub wait: Duration,
}

/// The last drill of one member's snapshots that manifests tell of.
pub fn last(here: &Catalog, guard: Guard) -> Option<(&Manifest, &Drill)> {
    let ours = here.manifests().filter(|manifest| guard.owns(manifest));
    let drilled = ours.filter_map(|manifest| Some((manifest, manifest.drill.as_ref()?)));
    drilled.max_by_key(|(_, drill)| drill.at)
}

/// What is drilled next, and when, where one drill shall follow another after `every`. `known` is a
/// drill that no manifest tells of any more. `None` where nothing can be.
pub fn turn(
    here: &Catalog,
    guard: Guard,
    demand: Method,
    known: Option<DateTime<Utc>>,
    every: Duration,
    now: DateTime<Utc>,
) -> Option<Turn> {
    let held = |manifest: &&Manifest| {
        guard.owns(manifest)
            && manifest.is_verified(demand)
            && manifest.verdict() != Some(Verdict::Corrupt)
    };
    let newest = here.manifests().filter(held).max_by_key(|it| it.order)?;
    let told = last(here, guard).map(|(_, drill)| drill.at);
    let wait = told.max(known).map(|last| {
        // One that lies ahead was told by a clock that was set since.
        let since = (now - last).to_std().unwrap_or_default();
        every.saturating_sub(since)
    });
    Some(Turn {
        manifest: newest.clone(),
        wait: wait.unwrap_or_default(),
    })
}

impl Drills {
    pub(crate) fn new(wanted: Option<Rehearsals>) -> Self {
        Self {
            wanted,
            running: None,
            next: Instant::now(),
            last: None,
            put_off: 0,
            is_failing: false,
        }
    }

    /// Tells which was the last, where any is wanted.
    pub(crate) fn introduce(
        &self,
        here: &Catalog,
        guard: Option<Guard>,
        now: DateTime<Utc>,
        observer: &dyn Observer,
    ) {
        let Some(Rehearsals { every, .. }) = self.wanted else {
            return;
        };
        let last = guard.and_then(|guard| last(here, guard));
        let age = last.map(|(_, drill)| (now - drill.at).to_std().unwrap_or_default());
        observer.tell(Event::Drills {
            every,
            last: last.map(|(manifest, _)| manifest),
            age,
        });
    }

    /// When to look whether one is due; `None` while one runs or none is wanted.
    pub(crate) fn due(&self) -> Option<Instant> {
        let is_wanted = self.wanted.is_some() && self.running.is_none();
        is_wanted.then_some(self.next)
    }

    /// Begins one if it is due.
    pub(crate) fn begin(&mut self, pipeline: &Pipeline, here: &Catalog, guard: Guard) {
        if self.due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        let Some(Rehearsals { every, driller }) = &self.wanted else {
            return;
        };
        let (demand, now) = (pipeline.method(), pipeline.clock.now());
        let turn = turn(here, guard, demand, self.last, *every, now);
        match turn {
            Some(turn) if turn.wait.is_zero() => {
                let (pipeline, driller) = (pipeline.clone(), Arc::clone(driller));
                self.running = Some(run(pipeline, driller, turn.manifest).boxed());
            }
            Some(turn) => self.next = Instant::now() + turn.wait,
            None => self.next = Instant::now() + PAUSE.min(*every),
        }
    }

    /// Ends the running one where it is, for a save that is due, unless that was done often enough. It
    /// has its turn again.
    pub(crate) fn make_way(&mut self, observer: &dyn Observer) {
        if self.put_off < COURTESY {
            self.give_up(observer);
        }
    }

    /// Ends the running one in any case: it may have what a save that failed was short of.
    pub(crate) fn give_up(&mut self, observer: &dyn Observer) {
        if self.running.take().is_none() {
            return;
        }
        self.next = Instant::now();
        self.put_off += 1;
        if self.put_off >= PATIENCE {
            self.failed(&DrillError::NoTime(self.put_off), observer);
        }
    }

    /// The end of the running one, to be settled; never, while there is none. Cancel-safe.
    pub(crate) async fn end(&mut self) -> End {
        match &mut self.running {
            Some(running) => running.await,
            None => std::future::pending().await,
        }
    }

    /// Tells what came of it, and each change between failing and working once. Returns the snapshot
    /// that was drilled.
    pub(crate) fn settle(&mut self, end: End, observer: &dyn Observer) -> SnapshotName {
        let End {
            name,
            drilled,
            result,
        } = end;
        self.running = None;
        self.put_off = 0;
        let every = self.wanted.as_ref().map_or(PAUSE, |wanted| wanted.every);
        let mut wait = PAUSE.min(every);
        if let Some(manifest) = &drilled {
            self.last = manifest.drill.as_ref().map(|drill| drill.at);
            wait = every;
            observer.tell(Event::Drilled { manifest });
        }
        match &result {
            Ok(()) => self.is_failing = false,
            Err(error) => self.failed(error, observer),
        }
        self.next = Instant::now() + wait;
        name
    }

    fn failed(&mut self, error: &DrillError, observer: &dyn Observer) {
        if !self.is_failing {
            observer.tell(Event::DrillFailed { error });
        }
        self.is_failing = true;
    }

    /// Ends the running one, and waits until nothing of it is left.
    pub(crate) async fn rest(self) {
        drop(self.running);
        if let Some(wanted) = self.wanted {
            wanted.driller.rest().await;
        }
    }
}

async fn run(pipeline: Pipeline, driller: Arc<dyn Driller>, manifest: Manifest) -> End {
    let mut after = None;
    let result = hold(&pipeline, &*driller, &manifest, &mut after).await;
    End {
        name: manifest.name,
        drilled: after,
        result,
    }
}

async fn hold(
    pipeline: &Pipeline,
    driller: &dyn Driller,
    manifest: &Manifest,
    told: &mut Option<Box<Manifest>>,
) -> Result<(), DrillError> {
    let codec = manifest.stored.codec;
    let stored = match pipeline.local.open(&manifest.name.stored(codec)).await {
        // Retention took it meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        stored => stored?,
    };
    let done = driller.drill(stored, codec).await?;
    let after = manifest.with_drill(Some(done.to_drill(pipeline.clock.now())));
    // Told even where it cannot be written down.
    *told = Some(Box::new(after.clone()));
    exchange(&*pipeline.local, manifest, &after).await?;
    Ok(())
}
