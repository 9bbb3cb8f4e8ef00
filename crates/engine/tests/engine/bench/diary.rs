//! Everything that was told, in order, with its moment.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use rollsnap_engine::event::Recovery;
use rollsnap_engine::gentle::Haste;
use rollsnap_engine::retention::Reason;
use rollsnap_engine::{Event, Kind, Manifest, Observer};
use tokio::time::Instant;

/// An event without what it borrowed. Places and names are as they print.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    Started,
    Waiting(Duration),
    Begins(String),
    Recovered(Recovery),
    Saved(Box<Manifest>),
    Verified(Box<Manifest>),
    Quarantined {
        name: String,
        path: String,
        finding: String,
    },
    NotCompared(String),
    NotIndexed(String),
    ProofFailed {
        name: String,
        error: String,
    },
    Defragmenting(String),
    Tight(String),
    PaceLetGo(Haste),
    RetentionHeld(bool),
    SaveFailed {
        error: String,
        kind: Kind,
        attempt: u32,
        retry_in: Duration,
    },
    Uploaded(String),
    /// What the next to be uploaded had there already.
    Resumed(u64),
    ReadBack(Box<Manifest>),
    ReadBackFailed(String),
    Drills(Option<Duration>),
    Drilled(Box<Manifest>),
    DrillFailed(String),
    Replaced(String),
    HeldBack(String),
    Locked(String),
    LeftAlone {
        location: String,
        snapshots: usize,
        others: usize,
        names: Vec<String>,
    },
    SteppedAside(Duration),
    BundleUploaded(String),
    BundleUnfit(String),
    SweepFailed(String),
    Remarked(String),
    RemoteDown {
        error: String,
        owed: usize,
    },
    RemoteBack,
    Deleted {
        name: String,
        location: String,
        reason: Reason,
    },
    RecoveryFailed,
    MirrorBlind,
    PruneFailed(String),
    NotCopied {
        name: String,
        error: String,
    },
    ClockJumped(TimeDelta),
}

impl Told {
    /// Whether a save failed.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::SaveFailed { .. })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Diary(Mutex<Vec<(Instant, Told)>>);

impl Diary {
    fn read(&self) -> MutexGuard<'_, Vec<(Instant, Told)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pages(&self) -> Vec<(Instant, Told)> {
        self.read().clone()
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.pick(|_, told| Some(told.clone()))
    }

    /// Prints the diary, one line an event, if the test panics while the answer lives.
    pub(crate) fn on_panic(self: &Arc<Self>, heading: String) -> impl Drop + use<> {
        OnPanic {
            diary: Arc::clone(self),
            heading,
        }
    }

    pub(crate) fn clear(&self) {
        self.read().clear();
    }

    fn pick<T>(&self, pick: impl Fn(Instant, &Told) -> Option<T>) -> Vec<T> {
        let pages = self.read();
        pages
            .iter()
            .filter_map(|(at, told)| pick(*at, told))
            .collect()
    }

    pub(crate) fn count(&self, want: impl Fn(&Told) -> bool) -> usize {
        self.read().iter().filter(|(_, told)| want(told)).count()
    }

    /// The manifests of all saves.
    pub(crate) fn saved(&self) -> Vec<Manifest> {
        self.pick(|_, told| match told {
            Told::Saved(manifest) => Some(Manifest::clone(manifest)),
            _ => None,
        })
    }

    /// The names of what was verified, in order.
    pub(crate) fn verified(&self) -> Vec<String> {
        self.pick(|_, told| match told {
            Told::Verified(manifest) => Some(manifest.name.to_string()),
            _ => None,
        })
    }

    /// The names of what was moved aside, in order.
    pub(crate) fn quarantined(&self) -> Vec<String> {
        self.pick(|_, told| match told {
            Told::Quarantined { name, .. } => Some(name.clone()),
            _ => None,
        })
    }

    /// The moments at which saves were done.
    pub(crate) fn saved_at(&self) -> Vec<Instant> {
        self.pick(|at, told| matches!(told, Told::Saved(_)).then_some(at))
    }

    /// The times between saves.
    pub(crate) fn gaps(&self) -> Vec<Duration> {
        let at = self.saved_at();
        at.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// What was deleted where, in order.
    pub(crate) fn deleted(&self, place: &str) -> Vec<String> {
        self.pick(|_, told| match told {
            Told::Deleted { name, location, .. } if location == place => Some(name.clone()),
            _ => None,
        })
    }
}

struct OnPanic {
    diary: Arc<Diary>,
    heading: String,
}

impl Drop for OnPanic {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut out = std::io::stderr();
        let _ = writeln!(out, "{}", self.heading);
        let pages = self.diary.pages();
        for (at, told) in &pages {
            let after = at.duration_since(pages[0].0);
            let _ = match told {
                Told::Saved(manifest) => writeln!(out, "{after:?} Saved({})", manifest.name),
                Told::Verified(manifest) => writeln!(out, "{after:?} Verified({})", manifest.name),
                Told::ReadBack(manifest) => writeln!(out, "{after:?} ReadBack({})", manifest.name),
                Told::Drilled(manifest) => writeln!(out, "{after:?} Drilled({})", manifest.name),
                told => writeln!(out, "{after:?} {told:?}"),
            };
        }
    }
}

impl Observer for Diary {
    fn tell(&self, event: Event<'_>) {
        if let Event::Uploaded { resumed, .. } = event
            && resumed > 0
        {
            self.read().push((Instant::now(), Told::Resumed(resumed)));
        }
        let told = match event {
            Event::Started { .. } => Told::Started,
            Event::Waiting { first } => Told::Waiting(first),
            Event::Begins { name } => Told::Begins(name.to_string()),
            Event::Recovered(recovery) => Told::Recovered(recovery),
            Event::Saved { manifest, .. } => Told::Saved(Box::new(manifest.clone())),
            Event::Verified { manifest, .. } => Told::Verified(Box::new(manifest.clone())),
            Event::Quarantined(quarantined) => Told::Quarantined {
                name: quarantined.manifest.name.to_string(),
                path: quarantined.path.clone(),
                finding: quarantined.finding().to_owned(),
            },
            Event::NotCompared { error, .. } => Told::NotCompared(chain(error)),
            Event::NotIndexed { error, .. } => Told::NotIndexed(chain(error)),
            Event::ProofFailed { name, error } => Told::ProofFailed {
                name: name.to_string(),
                error: chain(error),
            },
            Event::Defragmenting { error } => Told::Defragmenting(chain(error)),
            Event::Tight { error, .. } => Told::Tight(chain(error)),
            Event::PaceLetGo { haste } => Told::PaceLetGo(haste),
            Event::RetentionHeld(is_held) => Told::RetentionHeld(is_held),
            Event::SaveFailed {
                error,
                attempt,
                retry_in,
                ..
            } => Told::SaveFailed {
                error: chain(error),
                kind: error.kind(),
                attempt,
                retry_in,
            },
            Event::Uploaded { manifest, .. } => Told::Uploaded(manifest.name.to_string()),
            Event::ReadBack { manifest, .. } => Told::ReadBack(Box::new(manifest.clone())),
            Event::ReadBackFailed { error, .. } => Told::ReadBackFailed(chain(error)),
            Event::Drills { age, .. } => Told::Drills(age),
            Event::Drilled { manifest } => Told::Drilled(Box::new(manifest.clone())),
            Event::DrillFailed { error } => Told::DrillFailed(error.to_string()),
            Event::Replaced { manifest, .. } => Told::Replaced(manifest.name.to_string()),
            Event::HeldBack { name, .. } => Told::HeldBack(name.to_string()),
            Event::LeftAlone {
                location,
                snapshots,
                others,
                names,
            } => Told::LeftAlone {
                location: location.to_string(),
                snapshots,
                others,
                names: names.iter().map(ToString::to_string).collect(),
            },
            Event::Locked { name, .. } => Told::Locked(name.to_string()),
            Event::SteppedAside { wait, .. } => Told::SteppedAside(wait),
            Event::BundleUploaded { object, .. } => Told::BundleUploaded(object.name.to_string()),
            Event::BundleUnfit { error } => Told::BundleUnfit(chain(error)),
            Event::Remarked { remark, .. } => Told::Remarked(remark.message.clone()),
            Event::SweepFailed { error, .. } => Told::SweepFailed(chain(error)),
            Event::RemoteDown { error, owed, .. } => Told::RemoteDown {
                error: chain(error),
                owed,
            },
            Event::RemoteBack { .. } => Told::RemoteBack,
            Event::Deleted {
                name,
                location,
                reason,
                ..
            } => Told::Deleted {
                name: name.to_string(),
                location: location.to_string(),
                reason,
            },
            Event::RecoveryFailed { .. } => Told::RecoveryFailed,
            Event::MirrorBlind { .. } => Told::MirrorBlind,
            Event::PruneFailed { location, .. } => Told::PruneFailed(location.to_string()),
            Event::NotCopied { name, error } => Told::NotCopied {
                name: name.to_string(),
                error: chain(error),
            },
            Event::ClockJumped { by } => Told::ClockJumped(by),
            // Nothing happened.
            Event::Next { .. } | Event::RemoteListed { .. } | Event::RemoteRotation { .. } => {
                return;
            }
        };
        self.read().push((Instant::now(), told));
    }
}

/// An error and all its causes, as they would be printed.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
