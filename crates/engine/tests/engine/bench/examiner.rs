//! An examiner that finds what it is told to find, and knows what it has looked at.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rollsnap_engine::Codec;
use rollsnap_engine::examine::{Cut, ExamineError, Examined, Examiner, Progress};
use rollsnap_engine::key_index::Pieces;
use rollsnap_store::ReadBack;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::content;

/// What one examination comes to. What was broken once stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finds {
    /// Nothing wrong.
    Nothing,
    /// Two faults.
    Faults,
    /// The bytes cannot be read.
    Unreadable,
    /// Nothing wrong, after so long.
    NothingAfter(Duration),
}

/// What is wrong with what is broken.
pub(crate) const FINDINGS: [&str; 2] = ["page 2: is no page", "page 3: is not reached"];

/// The index of a snapshot whose stored bytes have this digest.
pub(crate) fn index_of(digest: &str) -> [Bytes; 2] {
    [Bytes::from("the keys of "), Bytes::from(digest.to_owned())]
}

#[derive(Debug)]
pub(crate) struct Script(Mutex<State>);

#[derive(Debug)]
struct State {
    usual: Finds,
    next: VecDeque<Finds>,
    /// Digests of the stored bytes, in order.
    begun: Vec<String>,
    held: BTreeSet<String>,
    broken: BTreeSet<String>,
    indexes: bool,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            usual: Finds::Nothing,
            next: VecDeque::new(),
            begun: Vec::new(),
            held: BTreeSet::new(),
            broken: BTreeSet::new(),
            indexes: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds so from now on.
    pub(crate) fn usually(&self, finds: Finds) {
        self.state().usual = finds;
    }

    /// Finds so next, one each, before what it usually does.
    pub(crate) fn then(&self, finds: impl IntoIterator<Item = Finds>) {
        self.state().next.extend(finds);
    }

    /// Tells an index of everything from now on.
    pub(crate) fn indexes(&self) {
        self.state().indexes = true;
    }

    /// The digests of the stored bytes that were looked at, in order.
    pub(crate) fn begun(&self) -> Vec<String> {
        self.state().begun.clone()
    }

    /// Whether bytes of this digest were found whole.
    pub(crate) fn has_held(&self, digest: &str) -> bool {
        self.state().held.contains(digest)
    }

    /// Whether bytes of this digest were found broken.
    pub(crate) fn has_broken(&self, digest: &str) -> bool {
        self.state().broken.contains(digest)
    }
}

#[async_trait]
impl Examiner for Script {
    async fn examine(
        &self,
        stored: Box<dyn ReadBack>,
        _codec: Codec,
        _progress: Progress,
        index: Pieces,
    ) -> Result<Examined, ExamineError> {
        let size = usize::try_from(stored.size().expect("memory")).expect("small");
        let mut bytes = vec![0; size];
        stored.read_at(0, &mut bytes).expect("memory");
        let digest = content(&bytes).digest.to_string();
        let finds = {
            let mut state = self.state();
            state.begun.push(digest.clone());
            if state.broken.contains(&digest) {
                Finds::Faults
            } else {
                let finds = state.next.pop_front().unwrap_or(state.usual);
                if finds == Finds::Faults {
                    // Whether or not anybody hears of it.
                    state.broken.insert(digest.clone());
                }
                finds
            }
        };
        yield_now().await;
        if let Finds::NothingAfter(time) = finds {
            sleep(time).await;
        }
        let indexed = self.state().indexes;
        if indexed {
            for piece in index_of(&digest) {
                // Nobody may want it any more.
                let _ = index.send(piece).await;
            }
        }
        match finds {
            Finds::Unreadable => return Err(ExamineError::Read(io::Error::other("no disk"))),
            Finds::Nothing | Finds::NothingAfter(_) => {
                self.state().held.insert(digest);
                Ok(Examined {
                    indexed,
                    ..Examined::default()
                })
            }
            Finds::Faults => Ok(Examined {
                findings: FINDINGS.map(str::to_owned).to_vec(),
                ..Examined::default()
            }),
        }
    }

    /// What is compacted at 99 is unknown; all else hashes to its revision and its compaction.
    async fn hash(
        &self,
        _stored: Box<dyn ReadBack>,
        _codec: Codec,
        cuts: Vec<Cut>,
    ) -> Result<Vec<Option<u32>>, ExamineError> {
        yield_now().await;
        let hash = |cut: &Cut| {
            let sum = cut.revision * 1000 + cut.compact_revision;
            (cut.compact_revision != 99).then(|| u32::try_from(sum).expect("small"))
        };
        Ok(cuts.iter().map(hash).collect())
    }
}
