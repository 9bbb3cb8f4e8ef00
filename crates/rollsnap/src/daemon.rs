//! `rollsnap run`: the order of events from the first look at the settings to the last.

use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::event::{Event, Observer, Recovery};
use rollsnap_engine::roller::Roller;
use rollsnap_engine::schedule::Schedule;
use rollsnap_engine::{Clock, Kind};
use rollsnap_store::local::{DaemonLock, LocalDir, Owner};
use rollsnap_store::{Effort, Store};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::assembly;
use crate::check::{self, Onset};
use crate::config::Settings;
use crate::journal;
use crate::report::Failure;
use crate::signals::Orders;
use crate::supervisor;

/// How long a running save may go on after the first SIGTERM. Docker kills after 10 s, and what
/// was dropped must be cleaned up before that, for which the roller takes up to 3 s.
const GRACE: Duration = Duration::from_secs(6);

/// What the daemon is made from.
pub struct Daemon<'a> {
    /// Reads all settings anew.
    pub load: &'a (dyn Fn() -> Result<Settings, Failure> + Sync),
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Who hears what happens.
    pub observer: Arc<dyn Observer>,
    /// What the signals say.
    pub orders: Orders,
}

/// What a set of settings comes to. Making it finds everything that can be wrong with them but
/// what only etcd or the bucket can tell.
struct Work {
    settings: Settings,
    onset: Arc<Onset>,
    local: LocalDir,
    lock: Arc<DaemonLock>,
    roller: Roller,
}

impl Work {
    /// What the service manager shows.
    fn status(&self) -> &'static str {
        if self.settings.schedule.active.value {
            "taking snapshots by the schedule"
        } else {
            "switched off, taking no snapshots"
        }
    }
}

impl Daemon<'_> {
    /// Works until told to stop. A fault of the settings ends it at the start; later, on a
    /// reload, the settings in force stay in force.
    pub async fn run(&self) -> Result<(), Failure> {
        tokio::select! {
            result = self.all_rounds() => result,
            never = supervisor::watchdog() => match never {},
        }
    }

    async fn all_rounds(&self) -> Result<(), Failure> {
        let mut work = self.prepare(None)?;
        while let Some(anew) = self.rounds(&work).await? {
            work = anew;
        }
        Ok(())
    }

    /// Waits until the settings are to be read again and are right. Until then nothing is
    /// disturbed: wrong ones are told, and those in force stay in force.
    async fn new_settings(&self, work: &Work) -> Work {
        loop {
            self.orders.reload.notified().await;
            supervisor::reloading();
            match self.prepare(Some(work)) {
                Ok(anew) => return anew,
                Err(failure) => error!(
                    error = %failure.message,
                    kind = failure.kind.label(),
                    hint = failure.hint.as_deref(),
                    "The configuration is wrong; the old one stays in force"
                ),
            }
            supervisor::ready(work.status());
        }
    }

    /// Reads the settings and makes everything that they speak of. A directory that stays the
    /// same stays locked.
    fn prepare(&self, before: Option<&Work>) -> Result<Work, Failure> {
        let settings = (self.load)()?;
        let local = assembly::local(&settings)?;
        let onset = Arc::new(Onset::new(Arc::clone(&self.observer)));
        let held = before.filter(|before| before.local.location() == local.location());
        Ok(Work {
            lock: match held {
                Some(before) => Arc::clone(&before.lock),
                None => Arc::new(self.lock(&local)?),
            },
            roller: Roller {
                pipeline: assembly::pipeline(&settings, &local, &self.clock)?,
                schedule: Schedule {
                    interval: settings.schedule.interval.value,
                },
                retention: settings.schedule.retention.value,
                verify_remote: verify_remote(&settings),
                style: settings.making.time_style.value,
                observer: Arc::clone(&onset) as _,
            },
            onset,
            settings,
            local,
        })
    }

    /// The rounds with one set of settings, and what to go on with; `None` to stop.
    async fn rounds(&self, work: &Work) -> Result<Option<Work>, Failure> {
        let stop = CancellationToken::new();
        let abandon = CancellationToken::new();
        let (active, report) = (&work.settings.schedule.active, work.settings.report());
        let rounds = async {
            if active.value {
                // The rounds come first: theirs is the first line of the log.
                tokio::join!(work.roller.run(&stop, &abandon), async {
                    journal::tell_settings(&report);
                    self.sweep(&work.local).await;
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = self.look_over(work) => {}
                    }
                });
            } else {
                info!(by = %active.origin, "Backups are switched off; none is taken");
                journal::tell_settings(&report);
                stop.cancelled().await;
            }
        };
        supervisor::ready(work.status());
        let mut rounds = std::pin::pin!(rounds);
        let next = tokio::select! {
            biased;
            () = self.orders.stop.cancelled() => None,
            anew = self.new_settings(work) => Some(anew),
            () = &mut rounds => return Err(Failure::new(Kind::Bug, "the rounds ended by themselves")),
        };
        stop.cancel();
        if next.is_none() {
            supervisor::stopping();
            info!("Stopping");
        }
        // A reload waits for the running save however long it takes; a stop does not.
        let grace = async {
            self.orders.stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = &mut rounds => return Ok(next),
            () = grace => abandon.cancel(),
        }
        rounds.await;
        Ok(next)
    }

    /// Tries out the set-up as far as that changes nothing, once no save waits for it.
    async fn look_over(&self, work: &Work) {
        work.onset.over().await;
        let now = self.clock.now();
        let trials = check::try_out(&work.settings, Effort::Harmless, now).await;
        journal::tell_trials(&trials);
    }

    /// Removes what interrupted runs left in the spool.
    async fn sweep(&self, local: &LocalDir) {
        match local.sweep().await {
            Ok(orphans) => {
                for orphan in orphans {
                    self.observer
                        .tell(Event::Recovered(Recovery::Swept(orphan.name)));
                }
            }
            Err(error) => {
                let location = local.location();
                self.observer.tell(Event::RecoveryFailed {
                    location,
                    error: &error,
                });
            }
        }
    }

    fn lock(&self, local: &LocalDir) -> Result<DaemonLock, Failure> {
        let owner = Owner {
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            pid: std::process::id(),
            since: self
                .clock
                .now()
                .to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        };
        Ok(local.lock_daemon(&owner)?)
    }
}

/// The time in which copies are read back once, where there are any and that is wanted.
fn verify_remote(settings: &Settings) -> Option<Duration> {
    let bucket = settings.bucket.value.as_ref()?;
    bucket.verify_remote.as_ref().map(|every| every.value)
}
