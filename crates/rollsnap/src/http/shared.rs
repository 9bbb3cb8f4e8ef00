//! What is known of the daemon at any moment, for whoever asks. It hears every event and never
//! makes anybody wait.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_engine::catalog::{Catalog, Entry, Reader, Standing};
use rollsnap_engine::event::{Event, Observer};
use rollsnap_engine::schedule::Schedule;
use rollsnap_engine::{Clock, Kind};
use rollsnap_etcd::{Members, TlsFiles};
use rollsnap_store::StoreError;
use rollsnap_store::local::LocalDir;
use tokio::sync::Notify;

use super::metrics::{Metrics, Stage};
use super::request::{Requests, Waiting};
use super::surroundings::Surroundings;
use crate::config::{Row, Settings};
use crate::report::{Failure, chain};
use crate::rules::Rules;
use crate::sight::Sight;

/// What is known. One for the life of the daemon: a reload changes what it holds.
pub struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// The directory's manifests, as they were read last.
    reader: tokio::sync::Mutex<Reader>,
    /// What is counted.
    pub metrics: Metrics,
    /// Snapshots that are asked for.
    pub(super) requests: Requests,
    /// Other settings came into force.
    pub(super) changed: Notify,
}

/// What is in force.
#[derive(Clone)]
pub struct InForce {
    /// The directory.
    pub local: LocalDir,
    /// Its path.
    pub dir: PathBuf,
    /// Every setting, without secrets.
    pub report: Vec<Row>,
    /// When snapshots are taken.
    pub schedule: Schedule,
    /// Whether any are taken.
    pub is_active: bool,
    /// Whether there is a bucket.
    pub has_bucket: bool,
    /// What is kept.
    pub rules: Rules,
    /// The time between two drills, where there are any.
    pub drill: Option<Duration>,
    /// Where the bearer token is.
    pub token_file: Option<PathBuf>,
    /// The members of etcd.
    pub members: Arc<Members>,
    /// Their certificates' files.
    pub tls: TlsFiles,
    /// The certificate that is shown here.
    pub http_cert: Option<PathBuf>,
}

#[derive(Default)]
struct State {
    in_force: Option<InForce>,
    since: Option<DateTime<Utc>>,
    next: Option<DateTime<Utc>>,
    remote: Remote,
    failures: BTreeMap<Stage, LastFailure>,
    surroundings: Arc<Surroundings>,
}

/// What is known of the bucket.
#[derive(Debug, Clone, Default)]
pub struct Remote {
    /// As the daemon listed it last, and when; `None` before that.
    pub catalog: Option<(Arc<Catalog>, DateTime<Utc>)>,
    /// Since when it fails, and why; `None` while it answers.
    pub down: Option<(DateTime<Utc>, Failure)>,
}

/// The last failure of its kind of work, until that succeeds again.
#[derive(Debug, Clone)]
pub struct LastFailure {
    /// When.
    pub at: DateTime<Utc>,
    /// What it means.
    pub kind: Kind,
    /// From the verb to the cause, as the log has it.
    pub message: String,
    /// What may be done about it.
    pub hint: Option<String>,
}

impl Shared {
    /// Knows nothing yet. The second is where requests for a snapshot come out.
    pub fn new(clock: Arc<dyn Clock>) -> (Arc<Self>, Waiting) {
        let (requests, waiting) = Requests::new();
        let state = State {
            since: Some(clock.now()),
            ..State::default()
        };
        let metrics = Metrics::new(clock.now());
        let shared = Self {
            clock,
            state: Mutex::new(state),
            reader: tokio::sync::Mutex::default(),
            metrics,
            requests,
            changed: Notify::new(),
        };
        (Arc::new(shared), waiting)
    }

    /// These settings are in force from now on.
    pub fn put_in_force(&self, settings: &Settings, local: &LocalDir, members: &Arc<Members>) {
        let in_force = InForce {
            local: local.clone(),
            dir: settings.dir.value.clone(),
            report: settings.report(),
            schedule: settings.schedule.when.value.clone(),
            is_active: settings.schedule.active.value,
            has_bucket: settings.bucket.value.is_some(),
            rules: Rules::of(settings),
            drill: settings.drill.every.as_ref().map(|every| every.value),
            members: Arc::clone(members),
            tls: settings.etcd.tls(),
            http_cert: settings.http.cert.as_ref().map(|file| file.value.clone()),
            token_file: settings
                .http
                .token_file
                .as_ref()
                .map(|file| file.value.clone()),
        };
        let mut state = self.state();
        let is_same = |before: &InForce| before.report == in_force.report;
        if !state.in_force.as_ref().is_some_and(is_same) {
            // Another bucket, perhaps: what was known may be of none.
            state.remote = Remote::default();
            state.next = None;
        }
        // The rounds begin anew: what still fails they will tell, and what no longer does they will not.
        state.remote.down = None;
        state.failures.remove(&Stage::Upload);
        state.in_force = Some(in_force);
        drop(state);
        self.changed.notify_one();
    }

    /// The time of day.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// When the daemon began.
    pub fn since(&self) -> DateTime<Utc> {
        self.state().since.unwrap_or_else(|| self.clock.now())
    }

    /// What is in force; `None` before the settings were read.
    pub fn in_force(&self) -> Option<InForce> {
        self.state().in_force.clone()
    }

    /// When the next attempt at a snapshot is due; `None` where none is.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.state().next
    }

    /// The bucket.
    pub fn remote(&self) -> Remote {
        self.state().remote.clone()
    }

    /// The last failure of each kind of work that has not succeeded since.
    pub fn failures(&self) -> BTreeMap<Stage, LastFailure> {
        self.state().failures.clone()
    }

    /// What the directory holds now.
    pub async fn local_catalog(&self) -> Option<Result<Catalog, StoreError>> {
        let local = self.in_force()?.local;
        Some(self.reader.lock().await.read(&local).await)
    }

    /// What is in quarantine now.
    pub async fn quarantined(&self, in_force: &InForce) -> Result<Catalog, StoreError> {
        Reader::default().read(&in_force.local.quarantine()).await
    }

    /// What lies in both stores, the bucket as it was read last; `None` before the settings were
    /// read.
    pub async fn sight(&self) -> Option<Result<Sight, StoreError>> {
        let in_force = self.in_force()?;
        let here = match self.local_catalog().await? {
            Ok(here) => here,
            Err(error) => return Some(Err(error)),
        };
        let aside = match self.quarantined(&in_force).await {
            Ok(aside) => aside,
            Err(error) => return Some(Err(error)),
        };
        let remote = self.remote();
        Some(Ok(Sight {
            here,
            aside,
            there: remote.catalog.map(|(there, _)| there),
            unseen: remote.down.map(|(_, why)| why),
            has_bucket: in_force.has_bucket,
        }))
    }

    /// What lies around the daemon, as it was seen within the last minute.
    pub fn surroundings(&self) -> Arc<Surroundings> {
        Arc::clone(&self.state().surroundings)
    }

    pub(super) fn see(&self, seen: Surroundings) {
        self.state().surroundings = Arc::new(seen);
    }

    /// Counts a snapshot that was asked for and is not there, or lacks something.
    pub fn request_failed(&self, failure: &Failure) {
        self.metrics.request_failed(failure.kind);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds this, and if it did, the values would still be values.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of the bucket, if anything is, as what was just told changed it.
    fn know(&self, change: impl FnOnce(&mut Catalog)) {
        if let Some((there, _)) = &mut self.state().remote.catalog {
            change(Arc::make_mut(there));
        }
    }

    fn in_time(&self, wait: Duration) -> Option<DateTime<Utc>> {
        let wait = TimeDelta::from_std(wait).ok()?;
        self.clock.now().checked_add_signed(wait)
    }

    fn failed(&self, stage: Stage, kind: Kind, message: String, hint: Option<&str>) {
        let failure = LastFailure {
            at: self.clock.now(),
            kind,
            message,
            hint: hint.map(str::to_owned),
        };
        self.state().failures.insert(stage, failure);
    }

    fn store_failed(&self, stage: Stage, error: &StoreError) {
        self.failed(stage, error.kind().into(), chain(error), error.hint());
    }

    fn succeeded(&self, stage: Stage) {
        self.state().failures.remove(&stage);
    }
}

impl Observer for Shared {
    fn tell(&self, event: Event<'_>) {
        self.metrics.hear(&event);
        match event {
            Event::Next { wait } => {
                let next = self.in_time(wait);
                self.state().next = next;
            }
            Event::Saved { .. } => self.succeeded(Stage::Save),
            Event::SaveFailed { error, .. } => {
                self.failed(Stage::Save, error.kind(), chain(error), error.hint());
            }
            Event::Verified { .. } => self.succeeded(Stage::Verify),
            Event::ProofFailed { error, .. } => {
                self.failed(Stage::Verify, error.kind(), chain(error), error.hint());
            }
            Event::Quarantined(quarantined) => {
                let message = format!(
                    "{} is broken: {}",
                    quarantined.manifest.name,
                    quarantined.finding()
                );
                self.failed(Stage::Verify, Kind::Corrupt, message, None);
            }
            Event::RemoteListed { catalog } => {
                let listed = (Arc::new(catalog.clone()), self.clock.now());
                self.state().remote.catalog = Some(listed);
            }
            Event::RemoteDown { error, .. } => {
                self.store_failed(Stage::Upload, error);
                let down = (self.clock.now(), Failure::store(error));
                self.state().remote.down = Some(down);
            }
            Event::RemoteBack { .. } => {
                self.succeeded(Stage::Upload);
                self.state().remote.down = None;
            }
            Event::Uploaded { manifest, .. } => self.know(|there| {
                there.entries.retain(|entry| entry.name != manifest.name);
                there.entries.push(Entry {
                    name: manifest.name.clone(),
                    codec: manifest.stored.codec,
                    size: manifest.stored.content.size,
                    modified: None,
                    standing: Standing::of(manifest.clone()),
                });
            }),
            Event::PruneFailed { error, .. } => self.store_failed(Stage::Prune, error),
            Event::Deleted {
                name,
                codec,
                location,
                ..
            } => {
                self.succeeded(Stage::Prune);
                if super::metrics::store(location) == "s3" {
                    let is_it = |entry: &Entry| entry.name == *name && entry.codec == codec;
                    self.know(|there| there.entries.retain(|entry| !is_it(entry)));
                }
            }
            Event::ReadBackFailed { error, .. } => self.store_failed(Stage::ReadBack, error),
            Event::ReadBack { manifest, .. } => {
                self.succeeded(Stage::ReadBack);
                self.know(|there| {
                    let mut entries = there.entries.iter_mut();
                    if let Some(entry) = entries.find(|entry| entry.name == manifest.name) {
                        entry.standing = Standing::of(manifest.clone());
                    }
                });
            }
            Event::DrillFailed { error } => {
                self.failed(Stage::Drill, error.kind(), chain(error), error.hint());
            }
            Event::Drilled { .. } => self.succeeded(Stage::Drill),
            _ => {}
        }
    }
}
