//! Numbers for Prometheus. What happened is counted from the events as they come; what there is
//! is read when somebody asks, so that it is true after a restart and after a reload.

mod family;
mod gauges;
pub mod reference;
pub mod table;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use prometheus::{HistogramVec, IntCounterVec, Registry, TextEncoder};
use rollsnap_engine::Kind;
use rollsnap_engine::event::Event;
use rollsnap_engine::manifest::Outcome;
use rollsnap_store::Location;

use super::shared::Shared;
use crate::herald::Whom;

pub use family::{Family, Label};

/// The kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// A snapshot is streamed from etcd to the directory.
    Save,
    /// Its content is verified.
    Verify,
    /// It is copied to the bucket.
    Upload,
    /// Older ones are deleted.
    Prune,
    /// A copy is read back from the bucket.
    ReadBack,
    /// A restore is rehearsed.
    Drill,
}

impl Stage {
    /// All, in the order of a snapshot's life.
    pub const ALL: [Self; 6] = [
        Self::Save,
        Self::Verify,
        Self::Upload,
        Self::Prune,
        Self::ReadBack,
        Self::Drill,
    ];

    /// Its label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Save => "save",
            Self::Verify => "verify",
            Self::Upload => "upload",
            Self::Prune => "prune",
            Self::ReadBack => "read_back",
            Self::Drill => "drill",
        }
    }
}

/// What was counted since the daemon began.
pub struct Metrics {
    registry: Registry,
    deleted: IntCounterVec,
    saves: IntCounterVec,
    failures: IntCounterVec,
    seconds: HistogramVec,
    bytes: HistogramVec,
    drills: IntCounterVec,
    notices: IntCounterVec,
    since: DateTime<Utc>,
}

impl Metrics {
    /// Everything at 0.
    pub fn new(since: DateTime<Utc>) -> Self {
        let metrics = Self {
            registry: Registry::new(),
            deleted: table::DELETED.counter(),
            saves: table::SAVES.counter(),
            failures: table::FAILURES.counter(),
            seconds: table::SECONDS_OF.histogram(),
            bytes: table::BYTES_OF.histogram(),
            drills: table::DRILLS.counter(),
            notices: table::NOTICES.counter(),
            since,
        };
        for counter in [
            &metrics.deleted,
            &metrics.saves,
            &metrics.failures,
            &metrics.drills,
            &metrics.notices,
        ] {
            let registered = metrics.registry.register(Box::new(counter.clone()));
            registered.expect(family::TABLE);
        }
        for histogram in [&metrics.seconds, &metrics.bytes] {
            let registered = metrics.registry.register(Box::new(histogram.clone()));
            registered.expect(family::TABLE);
        }
        metrics
    }

    fn did(&self, stage: Stage, took: Duration, bytes: Option<u64>) {
        let label = &[stage.as_str()];
        let seconds = self.seconds.with_label_values(label);
        seconds.observe(took.as_secs_f64());
        if let Some(bytes) = bytes {
            self.bytes.with_label_values(label).observe(number(bytes));
        }
    }

    /// A snapshot that was asked for is not there, or lacks something.
    pub fn request_failed(&self, kind: Kind) {
        self.saves.with_label_values(&["failed"]).inc();
        self.failed(Stage::Save, kind);
    }

    /// Others were told something, or could not be.
    pub fn noticed(&self, whom: Whom, is_delivered: bool) {
        let result = if is_delivered { "delivered" } else { "failed" };
        let labels = &[whom.as_str(), result];
        self.notices.with_label_values(labels).inc();
    }

    fn failed(&self, stage: Stage, kind: Kind) {
        let labels = &[stage.as_str(), kind.label()];
        self.failures.with_label_values(labels).inc();
    }

    /// Counts what happened.
    pub fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Saved { manifest, took } => {
                self.saves.with_label_values(&["saved"]).inc();
                self.did(Stage::Save, *took, Some(manifest.database.size));
            }
            Event::SaveFailed { error, .. } => {
                self.saves.with_label_values(&["failed"]).inc();
                self.failed(Stage::Save, error.kind());
            }
            Event::Verified { manifest, took } => {
                self.did(Stage::Verify, *took, Some(manifest.database.size));
            }
            Event::Quarantined(_) => self.failed(Stage::Verify, Kind::Corrupt),
            Event::ProofFailed { error, .. } => self.failed(Stage::Verify, error.kind()),
            Event::Uploaded {
                manifest,
                took,
                resumed,
                ..
            } => {
                let sent = manifest.stored.content.size.saturating_sub(*resumed);
                self.did(Stage::Upload, *took, Some(sent));
            }
            Event::RemoteDown { error, .. } | Event::NotCopied { error, .. } => {
                self.failed(Stage::Upload, error.kind().into());
            }
            Event::Deleted { location, took, .. } => {
                self.deleted.with_label_values(&[store(location)]).inc();
                self.did(Stage::Prune, *took, None);
            }
            Event::PruneFailed { error, .. } => self.failed(Stage::Prune, error.kind().into()),
            Event::ReadBack { manifest, .. } => {
                let Some(reading) = &manifest.read_back else {
                    return;
                };
                if reading.finding.is_some() {
                    self.failed(Stage::ReadBack, Kind::Corrupt);
                } else {
                    let size = manifest.stored.content.size;
                    self.did(Stage::ReadBack, reading.took, Some(size));
                }
            }
            Event::ReadBackFailed { error, .. } => {
                self.failed(Stage::ReadBack, error.kind().into());
            }
            Event::Drilled { manifest } => {
                let Some(drill) = &manifest.drill else {
                    return;
                };
                let result = drill.result.as_str();
                self.drills.with_label_values(&[result]).inc();
                if drill.result == Outcome::Held {
                    self.did(Stage::Drill, drill.took, Some(manifest.database.size));
                } else {
                    self.failed(Stage::Drill, Kind::Corrupt);
                }
            }
            Event::DrillFailed { error } => self.failed(Stage::Drill, error.kind()),
            _ => {}
        }
    }
}

/// Which store a place is in.
pub(super) fn store(location: &Location) -> &'static str {
    if location.to_string().starts_with("s3://") {
        "s3"
    } else {
        "local"
    }
}

/// What Prometheus counts in. Exact to 2^53 bytes, which is 8 PiB.
#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers"
)]
fn number(count: u64) -> f64 {
    count as f64
}

/// All of it, in Prometheus' text format.
pub(super) async fn answer(State(shared): State<Arc<Shared>>) -> Response {
    let mut families = shared.metrics.registry.gather();
    families.extend(gauges::gather(&shared).await);
    families.sort_by(|a, b| a.name().cmp(b.name()));
    let text = TextEncoder::new().encode_to_string(&families);
    let text = text.expect("every family has a name and at least one number");
    ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response()
}
