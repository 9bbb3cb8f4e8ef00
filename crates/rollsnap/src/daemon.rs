//! `rollsnap run`: the order of events from the first look at the settings to the last.

use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::drill;
use rollsnap_engine::enclosure::Enclosure;
use rollsnap_engine::event::{Event, Observer, Recovery};
use rollsnap_engine::gentle::Hearer;
use rollsnap_engine::pipeline::Pipeline;
use rollsnap_engine::roller::Roller;
use rollsnap_engine::tended::Tended;
use rollsnap_engine::{Clock, Kind, SnapshotName};
use rollsnap_etcd::Members;
use rollsnap_store::local::{DaemonLock, LocalDir, Owner};
use rollsnap_store::{Effort, Store};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::assembly;
use crate::check::{self, Onset};
use crate::commands::progress::Bar;
use crate::commands::save::{self, Report};
use crate::config::Settings;
use crate::herald::Herald;
use crate::http::{Answer, Desk, Requests};
use crate::journal;
use crate::output::moment;
use crate::report::Failure;
use crate::signals::Orders;
use crate::supervisor;

/// How long a running save may go on after the first SIGTERM. Docker kills after 10 s, and what
/// was dropped must be cleaned up before that, for which the roller takes up to 3 s.
const GRACE: Duration = Duration::from_secs(6);

/// How long the bucket has, at the end, to forget an upload that was asked for and is cut.
const LAST_WORD: Duration = Duration::from_secs(3);

/// How long others have, at the end, to hear what they have not been told yet.
const LAST_NOTICE: Duration = Duration::from_secs(1);

/// What the daemon is made from.
pub struct Daemon<'a> {
    /// Reads all settings anew.
    pub load: &'a (dyn Fn() -> Result<Settings, Failure> + Sync),
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Who hears what happens.
    pub observer: Arc<dyn Observer>,
    /// What goes into a snapshot's zip beside it.
    pub enclosure: Option<Arc<dyn Enclosure>>,
    /// What the signals say.
    pub orders: Orders,
    /// Where it answers over HTTP.
    pub desk: Desk,
    /// Who tells others how it goes.
    pub herald: Arc<Herald>,
    /// Snapshots that are asked for there.
    pub requests: Requests,
}

/// What a set of settings comes to. Making it finds everything that can be wrong with them but
/// what only etcd or the bucket can tell.
struct Work {
    settings: Settings,
    onset: Arc<Onset>,
    local: LocalDir,
    lock: Arc<DaemonLock>,
    members: Arc<Members>,
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
        let result = tokio::select! {
            result = Box::pin(self.all_rounds()) => result,
            never = supervisor::watchdog() => match never {},
        };
        self.herald.rest(LAST_NOTICE).await;
        result
    }

    async fn all_rounds(&self) -> Result<(), Failure> {
        let mut work = self.prepare(None)?;
        while let Some(anew) = Box::pin(self.rounds(&work)).await? {
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
        let pipeline = Pipeline {
            enclosure: self.enclosure.clone(),
            ..assembly::pipeline(&settings, &local, &self.clock)?
        };
        let held = before.filter(|before| before.local.location() == local.location());
        Ok(Work {
            lock: match held {
                Some(before) => Arc::clone(&before.lock),
                None => Arc::new(self.lock(&local)?),
            },
            members: assembly::source(&settings)?,
            roller: Roller {
                pipeline,
                schedule: settings.schedule.when.value.clone(),
                retention: settings.schedule.retention.value,
                prune_foreign: settings.schedule.prune_foreign.value,
                namesakes: settings.namesakes,
                verify_remote: verify_remote(&settings),
                drills: assembly::drills(&settings, &self.clock),
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
        self.desk.answer(&work.settings, &work.local, &work.members);
        self.herald.put_in_force(&work.settings);
        let rounds = async {
            // Rarely needed, and large.
            let on_request = Box::pin(self.on_request(work, &stop, &abandon));
            if active.value {
                // The rounds come first: theirs is the first line of the log.
                tokio::join!(work.roller.run(&stop, &abandon), on_request, async {
                    journal::tell_settings(&report);
                    sweep(&work.local, &*self.observer).await;
                    self.sweep_drills(&work.settings).await;
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = self.look_over(work) => {}
                    }
                });
            } else {
                info!(by = %active.origin, "Backups are switched off; none is taken");
                journal::tell_settings(&report);
                on_request.await;
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

    /// Takes snapshots that are asked for, one after another, until told to stop. One that is
    /// being taken then goes on to its end, as those of the rounds do.
    async fn on_request(&self, work: &Work, stop: &CancellationToken, abandon: &CancellationToken) {
        let bucket = work.roller.pipeline.remote.clone().map(Tended::new);
        let pipeline = Pipeline {
            remote: bucket.clone().map(|bucket| Arc::new(bucket) as _),
            hearer: Hearer::new(Arc::clone(&self.observer)),
            ..work.roller.pipeline.clone()
        };
        let mut requests = self.requests.lock().await;
        loop {
            let request = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                request = requests.recv() => request,
            };
            let Some(request) = request else { break };
            let taking = self.take(work, &pipeline, request.name, abandon);
            let answer = tokio::select! {
                biased;
                answer = taking => answer,
                () = abandon.cancelled() => {
                    Err(Failure::new(Kind::Canceled, "stopped before the end"))
                }
            };
            // A name that is taken is the caller's affair.
            if let Err(failure) = &answer
                && failure.kind != Kind::Usage
            {
                self.desk.shared().request_failed(failure);
                error!(
                    error = %failure.message,
                    kind = failure.kind.label(),
                    hint = failure.hint.as_deref(),
                    "Backup on request failed"
                );
            }
            // Whoever asked may be gone.
            let _ = request.answer.send(answer);
        }
        if let Some(bucket) = bucket {
            bucket.rest(LAST_WORD).await;
        }
    }

    async fn take(
        &self,
        work: &Work,
        pipeline: &Pipeline,
        name: Option<SnapshotName>,
        stop: &CancellationToken,
    ) -> Answer {
        let style = work.settings.making.time_style.value;
        let name = name.unwrap_or_else(|| SnapshotName::one_off(self.clock.now(), style));
        let (bar, observer) = (Bar::hidden(), &*self.observer);
        let taken = save::take(pipeline, &work.local, name, stop, &bar, observer).await?;
        let report = Report::of(&work.settings, &taken);
        let report = serde_json::to_value(report);
        let report = report.map_err(|error| Failure::new(Kind::Bug, error.to_string()))?;
        taken.lacks().map_or(Ok(report), Err)
    }

    /// Tries out the set-up as far as that changes nothing, once no save waits for it.
    async fn look_over(&self, work: &Work) {
        work.onset.over().await;
        let now = self.clock.now();
        let trials = check::try_out(&work.settings, Effort::Harmless, now).await;
        journal::tell_trials(&trials);
    }

    /// Removes what killed drills left, and ends their servers.
    async fn sweep_drills(&self, settings: &Settings) {
        let scratch = assembly::scratch(settings);
        let swept = tokio::task::spawn_blocking(move || drill::sweep(scratch.dir())).await;
        match swept {
            Ok(Ok(names)) => {
                for name in names {
                    self.observer.tell(Event::Recovered(Recovery::Swept(name)));
                }
            }
            Ok(Err(error)) => self.observer.tell(Event::DrillFailed { error: &error }),
            // The program is shutting down.
            Err(_) => {}
        }
    }

    fn lock(&self, local: &LocalDir) -> Result<DaemonLock, Failure> {
        let owner = Owner {
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            pid: std::process::id(),
            since: moment(self.clock.now()),
        };
        Ok(local.lock_daemon(&owner)?)
    }
}

/// Removes what interrupted runs left in the spool.
pub(crate) async fn sweep(local: &LocalDir, observer: &dyn Observer) {
    match local.sweep().await {
        Ok(orphans) => {
            for orphan in orphans {
                observer.tell(Event::Recovered(Recovery::Swept(orphan.name)));
            }
        }
        Err(error) => {
            let location = local.location();
            observer.tell(Event::RecoveryFailed {
                location,
                error: &error,
            });
        }
    }
}

/// The time in which copies are read back once, where there are any and that is wanted.
fn verify_remote(settings: &Settings) -> Option<Duration> {
    let bucket = settings.bucket.value.as_ref()?;
    bucket.verify_remote.as_ref().map(|every| every.value)
}
