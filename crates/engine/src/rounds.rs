//! The mirror's rounds: beside the loop, one at a time, tried again while the bucket fails.

use std::mem;
use std::time::Duration;

use rollsnap_store::StoreError;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::event::Event;
use crate::follow::Following;
use crate::mirror::{Mirror, RoundError, owed};
use crate::retention::{Ages, Guard};
use crate::{Kind, Manifest, backoff, catalog};

/// The least pause between two rounds while the bucket fails.
const PAUSE_THERE: Duration = Duration::from_secs(5);

/// The pause between two rounds while the directory fails. Its saves fail too, and say so.
const PAUSE_HERE: Duration = Duration::from_secs(60);

/// The mirror and its round. Without a bucket there is neither, and nothing ever happens.
pub(crate) struct Rounds {
    /// Here between two rounds; a running one has it.
    mirror: Option<Mirror>,
    running: Option<JoinHandle<End>>,
    /// When to begin one.
    next: Option<Instant>,
    /// Rounds in a row that could not read the directory.
    blind: u32,
    /// Rounds in a row that the bucket failed.
    failures: u32,
    /// Rounds in a row whose deletions the bucket refused.
    refusals: u32,
}

/// How a round ended.
pub(crate) struct End {
    mirror: Mirror,
    guard: Guard,
    result: Result<(), RoundError>,
}

impl Rounds {
    pub(crate) fn new(mirror: Option<Mirror>) -> Self {
        Self {
            mirror,
            running: None,
            next: None,
            blind: 0,
            failures: 0,
            refusals: 0,
        }
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
        self.running = Some(tokio::spawn(async move {
            let result = mirror.round(following, guard, ages).await;
            End {
                mirror,
                guard,
                result,
            }
        }));
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

    /// Takes the mirror back, and tells each change between failing and working once.
    pub(crate) async fn settle(&mut self, end: End) {
        let End {
            mirror,
            guard,
            result,
        } = end;
        self.running = None;
        match result {
            Ok(()) => {
                self.paid(&mirror);
                self.refusals = 0;
            }
            Err(RoundError::Rotation(error)) => {
                self.paid(&mirror);
                self.refused(&mirror, &error);
            }
            Err(RoundError::There(error)) => self.down(&mirror, &error, guard).await,
            Err(RoundError::Here(error)) => self.cannot_see(&mirror, &error),
        }
        self.mirror = Some(mirror);
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
            let here = here.unwrap_or_default();
            mirror.observer.tell(Event::RemoteDown {
                location: mirror.remote.location(),
                error,
                owed: owed(&here, mirror.reader.last(), guard, mirror.demand).len(),
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

    /// Ends the running round where it is, and drops its upload. What it owed is paid by the next
    /// run.
    pub(crate) fn stop(self) {
        if let Some(running) = self.running {
            running.abort();
        }
    }
}

/// The pause after so many failures in a row.
fn wait_after(failures: u32, error: &StoreError) -> Duration {
    backoff::wait_after(failures, Kind::from(error.kind())).max(PAUSE_THERE)
}
