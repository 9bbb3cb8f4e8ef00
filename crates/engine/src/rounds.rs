//! The mirror's rounds: beside the loop, one at a time, tried again while the bucket fails.

use std::collections::BTreeSet;
use std::mem;
use std::time::Duration;

use rollsnap_store::{Location, StoreError};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::debt::{Debt, Namesakes};
use crate::event::Event;
use crate::follow::Following;
use crate::manifest::Method;
use crate::mirror::{Mirror, RoundError};
use crate::retention::{Ages, Guard, Verdict};
use crate::{Catalog, Kind, Manifest, SnapshotName, backoff, catalog};

/// The least pause between two rounds while the bucket fails.
const PAUSE_THERE: Duration = Duration::from_secs(5);

/// The longest rest between two rounds: somebody may have lost what was uploaded, and what cut
/// uploads left is looked for each day.
const REST: Duration = Duration::from_secs(24 * 3600);

/// The pause between two rounds while the directory fails. Its saves fail too, and say so.
const PAUSE_HERE: Duration = Duration::from_secs(60);

/// The mirror and its round. Without a bucket there is neither, and nothing ever happens. Dropped,
/// it ends the running round where it is, and drops its upload: what that owed is paid by the next
/// run.
pub(crate) struct Rounds {
    /// Here between two rounds; a running one has it.
    mirror: Option<Box<Mirror>>,
    running: Option<AbortOnDropHandle<End>>,
    /// When to begin one.
    next: Option<Instant>,
    /// Rounds in a row that could not read the directory.
    blind: u32,
    /// Rounds in a row that the bucket failed.
    failures: u32,
    /// Rounds in a row whose deletions the bucket refused.
    refusals: u32,
    /// Nothing is deleted by the bucket's retention.
    is_held: bool,
    /// What the last round could not upload, for another snapshot has the name there.
    taken: BTreeSet<SnapshotName>,
    /// How often that was the newest.
    collisions: u32,
    /// What the last round knew of the bucket; `None` without one.
    there: Option<There>,
}

/// What is known of the bucket between two rounds.
struct There {
    location: Location,
    /// As the last round read it; `None` before the first.
    catalog: Option<Catalog>,
    demand: Method,
    namesakes: Namesakes,
    /// How many it keeps by number.
    count: usize,
    /// What is kept here for it.
    held_back: BTreeSet<SnapshotName>,
    /// Of that what was told.
    told: BTreeSet<SnapshotName>,
}

/// How a round ended.
pub(crate) struct End {
    mirror: Box<Mirror>,
    guard: Guard,
    result: Result<(), RoundError>,
}

impl Rounds {
    pub(crate) fn new(mirror: Option<Mirror>) -> Self {
        let there = mirror.as_ref().map(|mirror| There {
            location: mirror.remote.location().clone(),
            catalog: None,
            demand: mirror.demand,
            namesakes: mirror.namesakes,
            count: mirror.retention.count(),
            held_back: BTreeSet::new(),
            told: BTreeSet::new(),
        });
        Self {
            there,
            mirror: mirror.map(Box::new),
            running: None,
            next: None,
            blind: 0,
            failures: 0,
            refusals: 0,
            is_held: false,
            taken: BTreeSet::new(),
            collisions: 0,
        }
    }

    /// Holds the bucket's retention from the next round on, or lets it go on.
    pub(crate) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Wants a round now, or as soon as the running one is over.
    pub(crate) fn want(&mut self) {
        self.next = Some(Instant::now());
    }

    /// When a round should begin; `None` while one runs or none is wanted.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.mirror.as_ref().and(self.next)
    }

    /// Begins a round if one is due.
    pub(crate) fn begin(
        &mut self,
        following: Option<(Following, Manifest)>,
        guard: Guard,
        ages: Ages,
    ) {
        if self.due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        let Some(mut mirror) = self.mirror.take() else {
            return;
        };
        self.next = None;
        mirror.seen.is_held = self.is_held;
        let round = async move {
            let result = mirror.round(following, guard, ages).await;
            End {
                mirror,
                guard,
                result,
            }
        };
        self.running = Some(AbortOnDropHandle::new(tokio::spawn(round)));
    }

    /// The end of the running round, to be settled; never, while there is none. Cancel-safe.
    pub(crate) async fn end(&mut self) -> End {
        match &mut self.running {
            Some(running) => running
                .await
                .expect("a round neither panics nor is aborted while the loop runs"),
            None => std::future::pending().await,
        }
    }

    /// Takes the mirror back, and tells each change between failing and working once. Returns
    /// whether what was owed is paid.
    pub(crate) async fn settle(&mut self, end: End) -> bool {
        let End {
            mut mirror,
            guard,
            result,
        } = end;
        self.running = None;
        self.taken = mem::take(&mut mirror.seen.taken);
        if let Some(there) = &mut self.there {
            there.catalog = Some(mirror.there().clone());
        }
        let is_paid = matches!(result, Ok(()) | Err(RoundError::Rotation(_)));
        match result {
            Ok(()) => {
                self.paid(&mirror);
                self.refusals = 0;
                self.again_after(REST);
            }
            Err(RoundError::Rotation(error)) => {
                self.paid(&mirror);
                self.refused(&mirror, &error);
            }
            Err(RoundError::There(error)) => self.down(&mirror, &error, guard).await,
            Err(RoundError::Here(error)) => self.cannot_see(&mirror, &error),
        }
        for remark in mirror.remote.remarks() {
            mirror.observer.tell(Event::Remarked {
                location: mirror.remote.location(),
                remark: &remark,
            });
        }
        self.mirror = Some(mirror);
        is_paid
    }

    /// Keeps in a plan of what is here what the bucket lacks, by what is known of it. Returns
    /// where to, and what is kept so for the first time. Before the first round nothing is told:
    /// most of it will be there.
    pub(crate) fn hold_back(
        &mut self,
        plan: &mut [Verdict],
        here: &Catalog,
        guard: Guard,
    ) -> Option<(&Location, Vec<SnapshotName>)> {
        let there = self.there.as_mut()?;
        let nothing = Catalog::default();
        let debt = Debt {
            here,
            there: there.catalog.as_ref().unwrap_or(&nothing),
            guard,
            demand: there.demand,
            namesakes: there.namesakes,
        };
        there.held_back = debt.hold_back(plan, there.count);
        let mut news = Vec::new();
        if there.catalog.is_some() {
            news.extend(there.held_back.difference(&there.told).cloned());
            there.told.clone_from(&there.held_back);
        }
        Some((&there.location, news))
    }

    /// How often such a thing happened before, where the last round could not upload this one
    /// because another snapshot has its name there.
    pub(crate) fn collision(&mut self, name: &SnapshotName) -> Option<u32> {
        let before = self.collisions;
        self.taken.remove(name).then(|| {
            self.collisions = before.wrapping_add(1);
            before
        })
    }

    /// What is kept here for the bucket's sake.
    pub(crate) fn held_back(&self) -> BTreeSet<SnapshotName> {
        let there = self.there.as_ref();
        there
            .map(|there| there.held_back.clone())
            .unwrap_or_default()
    }

    /// Both sides were read, and what was owed is there.
    fn paid(&mut self, mirror: &Mirror) {
        self.blind = 0;
        if mem::take(&mut self.failures) > 0 {
            let location = mirror.remote.location();
            mirror.observer.tell(Event::RemoteBack { location });
        }
    }

    fn refused(&mut self, mirror: &Mirror, error: &StoreError) {
        self.refusals += 1;
        self.again_after(wait_after(self.refusals, error));
        if self.refusals == 1 {
            let location = mirror.remote.location();
            mirror.observer.tell(Event::PruneFailed { location, error });
        }
    }

    async fn down(&mut self, mirror: &Mirror, error: &StoreError, guard: Guard) {
        self.failures += 1;
        self.again_after(wait_after(self.failures, error));
        if self.failures == 1 {
            let here = catalog::Reader::default().read(&*mirror.local).await;
            let debt = Debt {
                here: &here.unwrap_or_default(),
                there: mirror.there(),
                guard,
                demand: mirror.demand,
                namesakes: mirror.namesakes,
            };
            mirror.observer.tell(Event::RemoteDown {
                location: mirror.remote.location(),
                error,
                owed: debt.owed().len(),
            });
        }
    }

    fn cannot_see(&mut self, mirror: &Mirror, error: &StoreError) {
        self.blind += 1;
        self.again_after(PAUSE_HERE);
        if self.blind == 1 {
            let location = mirror.local.location();
            mirror.observer.tell(Event::MirrorBlind { location, error });
        }
    }

    /// Wants a round after a pause, unless a save that came meanwhile wants its own now.
    fn again_after(&mut self, pause: Duration) {
        self.next.get_or_insert(Instant::now() + pause);
    }
}

/// The pause after so many failures in a row.
fn wait_after(failures: u32, error: &StoreError) -> Duration {
    backoff::wait_after(failures, Kind::from(error.kind())).max(PAUSE_THERE)
}
