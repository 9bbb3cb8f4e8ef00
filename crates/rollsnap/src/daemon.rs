//! `rollsnap run`: the order of events from the first look at the settings to the last.

use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::event::{Event, Observer, Recovery};
use rollsnap_engine::roller::Roller;
use rollsnap_engine::schedule::Schedule;
use rollsnap_engine::{Clock, Kind};
use rollsnap_store::Store;
use rollsnap_store::local::{DaemonLock, LocalDir, Owner};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::assembly;
use crate::config::Settings;
use crate::report::Failure;
use crate::signals::Orders;
use crate::supervisor;

/// How long a running save may go on after the first SIGTERM. Docker kills after 10 s, and what
/// was dropped must be cleaned up before that.
const GRACE: Duration = Duration::from_secs(8);

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

/// Why the rounds ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Stop,
    Reload,
}

impl Daemon<'_> {
    /// Works until told to stop. A fault of the settings ends it at the start; later, on a
    /// reload, the settings in force stay in force.
    pub async fn run(&self) -> Result<(), Failure> {
        let mut settings = (self.load)()?;
        loop {
            match self.rounds(&settings).await? {
                Ending::Stop => return Ok(()),
                Ending::Reload => {
                    supervisor::reloading();
                    match (self.load)() {
                        Ok(read) => settings = read,
                        Err(failure) => error!(
                            error = %failure.message,
                            "The configuration is wrong; the old one stays in force"
                        ),
                    }
                }
            }
        }
    }

    /// The rounds with one set of settings.
    async fn rounds(&self, settings: &Settings) -> Result<Ending, Failure> {
        let local = assembly::local(settings)?;
        let _lock = self.lock(&local)?;
        let roller = Roller {
            pipeline: assembly::pipeline(settings, &local, &self.clock)?,
            schedule: Schedule {
                interval: settings.schedule.interval.value,
            },
            retention: settings.schedule.retention.value,
            style: settings.making.time_style.value,
            observer: Arc::clone(&self.observer),
        };
        let stop = CancellationToken::new();
        let abandon = CancellationToken::new();
        let work = async {
            let active = &settings.schedule.active;
            if active.value {
                // The rounds come first: theirs is the first line of the log.
                tokio::join!(roller.run(&stop, &abandon), self.sweep(&local));
            } else {
                info!(by = %active.origin, "Backups are switched off; none is taken");
                stop.cancelled().await;
            }
        };
        supervisor::ready("taking snapshots by the schedule");
        let mut work = std::pin::pin!(work);
        let ending = tokio::select! {
            () = self.orders.stop.cancelled() => Ending::Stop,
            () = self.orders.reload.notified() => Ending::Reload,
            () = &mut work => return Err(Failure::new(Kind::Bug, "the rounds ended by themselves")),
            () = async { supervisor::watchdog().await; std::future::pending().await } => Ending::Stop,
        };
        stop.cancel();
        if ending == Ending::Stop {
            supervisor::stopping();
            info!("Stopping");
        }
        // A reload waits for the running save however long it takes; a stop does not.
        let grace = async {
            self.orders.stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = &mut work => return Ok(ending),
            () = grace => abandon.cancel(),
        }
        work.await;
        Ok(ending)
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
