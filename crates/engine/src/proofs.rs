//! The examination beside the loop: one at a time, the newest first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::follow::Following;
use crate::manifest::Verdict;
use crate::pipeline::Pipeline;
use crate::proof::{Proof, ProofError};
use crate::retention::Guard;
use crate::{Catalog, Entry, Manifest, SnapshotName};

/// How long a snapshot is left alone after an examination, however that ended. A listing that
/// fails tells of it as it was before, and a disk that cannot be read is not asked all the time.
const PAUSE: Duration = Duration::from_secs(600);

/// The running examination, if there is one.
#[derive(Default)]
pub(crate) struct Proofs {
    running: Option<Running>,
    not_before: BTreeMap<SnapshotName, Instant>,
}

struct Running {
    name: SnapshotName,
    order: u64,
    fresh: Option<Fresh>,
    began: Instant,
    proof: BoxFuture<'static, Result<Proof, ProofError>>,
}

/// What waits for the proof of a snapshot that was just saved.
pub(crate) struct Fresh {
    /// When its save began.
    pub(crate) began: Instant,
    /// Its upload.
    pub(crate) upload: Option<Following>,
}

/// How an examination ended.
pub(crate) struct End {
    pub(crate) name: SnapshotName,
    /// The place of the snapshot among its member's.
    pub(crate) order: u64,
    /// Of a snapshot that was just saved.
    pub(crate) fresh: Option<Fresh>,
    pub(crate) took: Duration,
    /// Whether this snapshot's proof failed before in this run.
    pub(crate) again: bool,
    pub(crate) result: Result<Proof, ProofError>,
}

impl Proofs {
    /// Whether the snapshot that was just saved is being examined. Nothing is saved meanwhile:
    /// there would be ever more that nobody has proved.
    pub(crate) fn is_fresh(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.fresh.is_some())
    }

    /// Begins to examine a snapshot. What is being examined makes way, and has its turn again.
    pub(crate) fn begin(&mut self, pipeline: &Pipeline, manifest: Manifest, fresh: Option<Fresh>) {
        let (name, order) = (manifest.name.clone(), manifest.order);
        let mut pipeline = pipeline.clone();
        if fresh.is_none() {
            // Members have most likely forgotten the history up to an old one.
            pipeline.peers = None;
        }
        let proof = async move { pipeline.prove(manifest, Arc::new(|_, _| {})).await };
        self.running = Some(Running {
            name,
            order,
            fresh,
            began: Instant::now(),
            proof: proof.boxed(),
        });
    }

    /// Begins with the newest that waits, unless one is being examined.
    pub(crate) fn begin_next(&mut self, pipeline: &Pipeline, here: &Catalog, guard: Guard) {
        if self.running.is_some() {
            return;
        }
        let now = Instant::now();
        let waits = |manifest: &&Manifest| {
            let is_open = !manifest.is_verified(pipeline.method())
                || manifest.verdict() == Some(Verdict::Corrupt);
            let pause = self.not_before.get(&manifest.name);
            guard.owns(manifest) && is_open && pause.is_none_or(|until| *until <= now)
        };
        let manifests = here.entries.iter().filter_map(Entry::manifest);
        let newest = manifests
            .filter(waits)
            .max_by_key(|manifest| manifest.order);
        if let Some(manifest) = newest {
            self.begin(pipeline, manifest.clone(), None);
        }
    }

    /// Ends the examination of an old snapshot where it is. It has its turn again.
    pub(crate) fn make_way(&mut self) {
        self.running = None;
    }

    /// The end of the running examination; never, while there is none. Cancel-safe.
    pub(crate) async fn end(&mut self) -> End {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let result = (&mut running.proof).await;
        let now = Instant::now();
        let Running {
            name,
            order,
            fresh,
            began,
            ..
        } = self.running.take().expect("it was polled just now");
        self.not_before.retain(|_, until| *until + PAUSE > now);
        let again = match (&fresh, &result) {
            (Some(_), Ok(_)) => false,
            _ => self.not_before.insert(name.clone(), now + PAUSE).is_some(),
        };
        End {
            name,
            order,
            fresh,
            took: now - began,
            again,
            result,
        }
    }
}
