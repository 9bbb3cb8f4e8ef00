//! The mirror's rounds: beside the loop, one at a time, tried again while the bucket fails.

use std::time::Duration;

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
    /// Failed rounds in a row.
    failures: u32,
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
            failures: 0,
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

    /// Takes the mirror back, and tells a change between failing and working once.
    pub(crate) async fn settle(&mut self, end: End) {
        let End {
            mirror,
            guard,
            result,
        } = end;
        self.running = None;
        let location = mirror.remote.location();
        match result {
            Err(RoundError::Here(error)) => {
                self.again_after(PAUSE_HERE);
                mirror.observer.tell(Event::RecoveryFailed {
                    location: mirror.local.location(),
                    error: &error,
                });
            }
            Ok(()) if self.failures == 0 => {}
            Ok(()) => {
                self.failures = 0;
                mirror.observer.tell(Event::RemoteBack { location });
            }
            Err(RoundError::There(error)) => {
                self.failures += 1;
                let wait = backoff::wait_after(self.failures, Kind::from(error.kind()));
                self.again_after(wait.max(PAUSE_THERE));
                if self.failures == 1 {
                    let here = catalog::Reader::default().read(&*mirror.local).await;
                    let here = here.unwrap_or_default();
                    mirror.observer.tell(Event::RemoteDown {
                        location,
                        error: &error,
                        owed: owed(&here, mirror.reader.last(), guard).len(),
                    });
                }
            }
        }
        self.mirror = Some(mirror);
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
