//! A member that does as it is told.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rollsnap_etcd::{Chunk, ErrorKind, MemberStatus, SnapshotStream, Source, SourceError};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::database;

/// What becomes of one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Whole,
    /// Nobody answers.
    Down,
    /// Certificates are refused.
    Denied,
    /// The member has no vote.
    Learner,
    /// A clean end before the first byte.
    Empty,
    /// A clean end after so many bytes.
    Ended(usize),
    /// An error after so many bytes.
    Cut(usize),
    /// One bit is turned.
    Flipped(usize),
    /// Nothing comes after so many bytes, for ever.
    Stalled(usize),
    /// This much time passes between two chunks.
    Paced(Duration),
    /// Its database is being defragmented.
    Busy,
}

#[derive(Debug)]
pub(crate) struct Member {
    script: Mutex<Script>,
}

#[derive(Debug)]
struct Script {
    /// What happens when nothing else is said.
    usual: Answer,
    next: VecDeque<Answer>,
    cluster: u64,
    member: u64,
    /// Small databases differ by their revision.
    revision: u64,
    fixed: Option<Bytes>,
    /// What its status complains of.
    errors: Vec<String>,
    db_size: u64,
    /// What it says to the next looks at it while a stream is open: its size, or nothing in time.
    /// After them, what it said last.
    looks: VecDeque<Option<u64>>,
    looked: usize,
    /// Others behind the same endpoints.
    fellows: Vec<u64>,
}

/// The trailer, which `remaining` does not count.
const TRAILER: usize = 32;

impl Member {
    pub(crate) fn new() -> Self {
        Self {
            script: Mutex::new(Script {
                usual: Answer::Whole,
                next: VecDeque::new(),
                cluster: 0xc1,
                member: 0x31,
                revision: 1,
                fixed: None,
                errors: Vec::new(),
                db_size: 3072,
                looks: VecDeque::new(),
                looked: 0,
                fellows: Vec::new(),
            }),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers so from now on.
    pub(crate) fn usually(&self, answer: Answer) {
        self.script().usual = answer;
    }

    /// Answers the next calls so, one each, before what it usually does.
    pub(crate) fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script().next.extend(answers);
    }

    /// Sends these bytes instead of small databases.
    pub(crate) fn holds(&self, bytes: Bytes) {
        self.script().fixed = Some(bytes);
    }

    /// Complains of this from now on.
    pub(crate) fn complains(&self, errors: &[&str]) {
        self.script().errors = errors.iter().map(|&error| error.to_owned()).collect();
    }

    /// Has these sizes when it is looked at while a stream is open, or does not answer.
    pub(crate) fn grows(&self, looks: impl IntoIterator<Item = Option<u64>>) {
        self.script().looks.extend(looks);
    }

    /// How often it was looked at while a stream was open.
    pub(crate) fn looked(&self) -> usize {
        self.script().looked
    }

    /// Stands behind one of several endpoints, these behind the others.
    pub(crate) fn has_fellows(&self, ids: &[u64]) {
        self.script().fellows = ids.to_vec();
    }

    /// Becomes another member.
    pub(crate) fn becomes(&self, cluster: u64, member: u64) {
        let mut script = self.script();
        script.cluster = cluster;
        script.member = member;
    }
}

impl Script {
    fn status(&self, is_learner: bool) -> MemberStatus {
        MemberStatus {
            cluster_id: self.cluster,
            member_id: self.member,
            member_name: Some("node-1".to_owned()),
            version: "3.5.1".to_owned(),
            revision: self.revision,
            raft_term: 2,
            raft_applied_index: 7,
            leader_id: self.member,
            db_size: self.db_size,
            db_in_use: 2048,
            is_learner,
            errors: self.errors.clone(),
        }
    }
}

fn error(kind: ErrorKind, message: &str) -> SourceError {
    SourceError::new(kind, "snapshot from", "scripted", message)
}

#[async_trait]
impl Source for Member {
    fn endpoint(&self) -> &'static str {
        "scripted"
    }

    async fn status(&self) -> Result<MemberStatus, SourceError> {
        yield_now().await;
        let mut script = self.script();
        let answer = script.next.front().copied().unwrap_or(script.usual);
        match answer {
            Answer::Down => {
                script.next.pop_front();
                Err(error(ErrorKind::Unavailable, "connection refused"))
            }
            Answer::Denied => {
                script.next.pop_front();
                Err(error(ErrorKind::Denied, "unknown authority"))
            }
            Answer::Busy => {
                script.next.pop_front();
                Err(error(ErrorKind::Busy, "its database is being defragmented"))
            }
            answer => {
                if answer == Answer::Learner {
                    script.next.pop_front();
                }
                Ok(script.status(answer == Answer::Learner))
            }
        }
    }

    async fn snapshot(&self) -> Result<SnapshotStream, SourceError> {
        yield_now().await;
        let mut script = self.script();
        let answer = script.next.pop_front().unwrap_or(script.usual);
        script.revision += 1;
        let revision = script.revision;
        let bytes = script.fixed.clone();
        let bytes = bytes.unwrap_or_else(|| database::small(revision));
        Ok(pour(bytes, answer))
    }

    async fn look(&self) -> Result<MemberStatus, SourceError> {
        let size = {
            let mut script = self.script();
            script.looked += 1;
            script.looks.pop_front().unwrap_or(Some(script.db_size))
        };
        let Some(size) = size else {
            return std::future::pending().await;
        };
        let mut script = self.script();
        script.db_size = size;
        Ok(script.status(false))
    }

    fn fellows(&self) -> Vec<u64> {
        self.script().fellows.clone()
    }
}

/// The chunks of a snapshot, as the answer has them. Every one waits for its turn.
fn pour(bytes: Bytes, answer: Answer) -> SnapshotStream {
    let piece = (32 << 10).min(bytes.len().div_ceil(4));
    let total = bytes.len();
    let (bytes, end) = match answer {
        Answer::Empty => (bytes, 0),
        Answer::Ended(at) | Answer::Cut(at) | Answer::Stalled(at) => (bytes, at.min(total)),
        Answer::Flipped(at) => {
            let mut flipped = bytes.to_vec();
            flipped[at % total] ^= 0x10;
            (flipped.into(), total)
        }
        _ => (bytes, total),
    };
    stream::unfold(Some(0), move |at| {
        let bytes = bytes.clone();
        async move {
            let at = at?;
            match answer {
                Answer::Paced(pace) => sleep(pace).await,
                _ => yield_now().await,
            }
            if at == end {
                return match answer {
                    Answer::Cut(_) => {
                        Some((Err(error(ErrorKind::Unavailable, "connection reset")), None))
                    }
                    Answer::Stalled(_) => std::future::pending().await,
                    _ => None,
                };
            }
            let next = end.min(at + piece);
            let chunk = Chunk {
                bytes: bytes.slice(at..next),
                remaining: total.saturating_sub(TRAILER + next) as u64,
            };
            Some((Ok(chunk), Some(next)))
        }
    })
    .boxed()
}
