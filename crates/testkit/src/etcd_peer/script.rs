//! What happens on a snapshot stream, written down in advance.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// etcd's own chunks are as long.
const CHUNK_LEN: usize = 32 * 1024;

/// One thing that happens on a snapshot stream. After the last one the stream ends with OK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A message.
    Message {
        /// The bytes in it.
        blob: Bytes,
        /// How many it says are still to come.
        remaining: u64,
    },
    /// This message without bytes for ever, as etcd does when it cannot read its database.
    EmptyForEver {
        /// How many it says are still to come.
        remaining: u64,
    },
    /// Nothing until [`EtcdPeer::release`](super::EtcdPeer::release).
    Stall,
    /// The stream ends with this gRPC status.
    Fail {
        /// The gRPC code.
        code: u32,
        /// etcd's words.
        message: String,
    },
    /// The stream is reset without any status.
    Reset,
}

/// What happens on one snapshot stream, from the first message to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    steps: Vec<Step>,
}

impl Script {
    /// Exactly these steps.
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
        }
    }

    /// What an etcd with this database sends: chunks of 32 KiB, then the digest.
    pub fn honest(database: &[u8]) -> Self {
        Self::ending_with(database, Bytes::copy_from_slice(&Sha256::digest(database)))
    }

    /// Every byte of the database, then the digest of something else.
    pub fn wrong_digest(database: &[u8]) -> Self {
        Self::ending_with(database, Bytes::from_static(&[0xbd; 32]))
    }

    fn ending_with(database: &[u8], digest: Bytes) -> Self {
        let mut sent = 0;
        let mut steps: Vec<Step> = Vec::new();
        for chunk in database.chunks(CHUNK_LEN) {
            sent += chunk.len();
            steps.push(Step::Message {
                blob: Bytes::copy_from_slice(chunk),
                remaining: (database.len() - sent) as u64,
            });
        }
        steps.push(Step::Message {
            blob: digest,
            remaining: 0,
        });
        Self { steps }
    }

    /// The first `kept` steps of this script, then `step` in place of the rest.
    #[must_use]
    pub fn interrupted(mut self, kept: usize, step: Step) -> Self {
        self.steps.truncate(kept);
        self.steps.push(step);
        self
    }

    /// The first `kept` steps of this script, then a clean end.
    #[must_use]
    pub fn ended_early(mut self, kept: usize) -> Self {
        self.steps.truncate(kept);
        self
    }

    pub(super) fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// The same script with `step` put before step number `at`.
    #[must_use]
    pub fn with(mut self, at: usize, step: Step) -> Self {
        self.steps.insert(at, step);
        self
    }
}
