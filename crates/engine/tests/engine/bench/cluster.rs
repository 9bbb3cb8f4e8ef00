//! The members of a cluster, each of which hashes to what it is told.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use rollsnap_etcd::{ErrorKind, MemberHash, PeerHash, Peers, SourceError};
use tokio::task::yield_now;

/// What one member says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// This hash up to the revision that was asked for, its history compacted there.
    Hash { hash: u32, compacted: u64 },
    /// This hash, as it has come no further than this revision.
    Behind { hash: u32, revision: u64 },
    /// A hash, for another cluster.
    Stranger,
    /// Nothing.
    Nothing,
}

/// Members `a`, `b` and so on, or nobody who could tell of them.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    says: Mutex<Option<Vec<Says>>>,
    asked: Mutex<Vec<u64>>,
}

impl Cluster {
    pub(crate) fn says(&self, says: impl IntoIterator<Item = Says>) {
        let mut held = self.says.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(says.into_iter().collect());
    }

    /// The revisions that were asked for.
    pub(crate) fn asked(&self) -> Vec<u64> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}

fn silent() -> SourceError {
    SourceError::new(ErrorKind::Unavailable, "hash of", "scripted", "no answer")
}

#[async_trait]
impl Peers for Cluster {
    async fn hash_kv(&self, revision: u64) -> Result<Vec<PeerHash>, SourceError> {
        yield_now().await;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(revision);
        let says = self.says.lock().unwrap_or_else(PoisonError::into_inner);
        let says = says.clone().ok_or_else(silent)?;
        let answer = |(says, place): (Says, u8)| {
            let said = |cluster_id, hash, revision, compact_revision| MemberHash {
                cluster_id,
                member_id: place.into(),
                revision,
                compact_revision,
                hash,
            };
            PeerHash {
                id: place.into(),
                name: Some(char::from(b'a' + place).to_string()),
                is_learner: false,
                hash: match says {
                    Says::Hash { hash, compacted } => Ok(said(0xc1, hash, revision, compacted)),
                    Says::Behind { hash, revision } => Ok(said(0xc1, hash, revision, 0)),
                    Says::Stranger => Ok(said(0xc2, 7, revision, 0)),
                    Says::Nothing => Err(silent()),
                },
            }
        };
        Ok(says.into_iter().zip(0..).map(answer).collect())
    }
}
