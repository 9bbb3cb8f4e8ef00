//! Whether the members of a cluster hold what a snapshot holds.
//!
//! Members can part without anybody noticing: each answers, and each has another truth
//! (etcd-io/etcd issue 13766). A snapshot of one of them is whole, and may be the wrong one. What
//! each says its keys hash to (`HashKV`) tells, once the snapshot is hashed at the same [`Cut`] of
//! history.

use std::collections::BTreeMap;

use rollsnap_etcd::{ErrorKind, PeerHash, SourceError};
use rollsnap_store::ReadBack;

use crate::Manifest;
use crate::examine::{Cut, ExamineError, Examiner};
use crate::manifest::{Id, MemberHash, shortened};

/// What must be known of a snapshot before members can be compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The cluster it is of; none where nothing tells.
    pub cluster_id: Option<Id>,
    /// The revision up to which its history was compacted; 0 if it never was.
    pub compact_revision: u64,
}

/// Every member beside the snapshot, in the order in which they were told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The members.
    pub members: Vec<Judged>,
}

/// One member beside the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its id.
    pub id: Id,
    /// Its name; none before its first start.
    pub name: Option<String>,
    /// What it said its keys hash to; none where it did not answer.
    pub hash: Option<u32>,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of the comparison with one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds what the snapshot holds, as far as this cut tells.
    Agrees(Cut),
    /// It holds something else.
    Differs {
        /// What of history was hashed.
        cut: Cut,
        /// The snapshot's hash at that cut.
        ours: u32,
    },
    /// It no longer has the revision: it was compacted past it.
    Compacted(String),
    /// It did not answer, or its answer cannot be compared, for this reason.
    Unknown(String),
}

impl Known {
    /// The cuts at which the snapshot is to be hashed for these answers, each once.
    pub fn cuts(&self, peers: &[PeerHash]) -> Vec<Cut> {
        let mut cuts: Vec<_> = peers.iter().flat_map(|peer| self.cut(peer)).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    /// Judges every answer by what the snapshot hashes to at its cut, which is absent where the
    /// snapshot does not know that part of history.
    pub fn judge(&self, peers: &[PeerHash], ours: &BTreeMap<Cut, u32>) -> Comparison {
        let judge = |peer: &PeerHash| {
            let hash = peer.hash.as_ref().ok().map(|said| said.hash);
            Judged {
                id: Id(peer.id),
                name: peer.name.clone(),
                hash,
                verdict: match self.cut(peer) {
                    Err(verdict) => verdict,
                    Ok(cut) => match ours.get(&cut) {
                        None => unknown("the snapshot does not know that part of history"),
                        Some(ours) if Some(*ours) == hash => Verdict::Agrees(cut),
                        Some(&ours) => Verdict::Differs { cut, ours },
                    },
                },
            }
        };
        Comparison {
            members: peers.iter().map(judge).collect(),
        }
    }

    /// What of the snapshot is to be hashed for a member's answer, or why nothing can be.
    fn cut(&self, peer: &PeerHash) -> Result<Cut, Verdict> {
        let said = peer.hash.as_ref().map_err(|error| match error.kind() {
            ErrorKind::Compacted => Verdict::Compacted(chain(error)),
            _ => Verdict::Unknown(chain(error)),
        })?;
        if self.cluster_id.is_some_and(|id| id != Id(said.cluster_id)) {
            Err(unknown("it is of another cluster"))
        } else if said.compact_revision < self.compact_revision {
            Err(unknown("the snapshot has less of its history"))
        } else if said.compact_revision > said.revision {
            Err(unknown("its history at this revision is gone"))
        } else {
            Ok(Cut {
                revision: said.revision,
                compact_revision: said.compact_revision,
            })
        }
    }
}

impl Comparison {
    /// The members that hold what the snapshot holds.
    pub fn agreeing(&self) -> impl Iterator<Item = &Judged> {
        let is_it = |it: &&Judged| matches!(it.verdict, Verdict::Agrees(_));
        self.members.iter().filter(is_it)
    }

    /// The members that hold something else.
    pub fn differing(&self) -> impl Iterator<Item = &Judged> {
        let is_it = |it: &&Judged| matches!(it.verdict, Verdict::Differs { .. });
        self.members.iter().filter(is_it)
    }

    /// One text for each member that holds something else, and one before them where those are
    /// many: then it may be the snapshot's own member that went astray.
    pub fn findings(&self) -> Vec<String> {
        let findings = self.differing().filter_map(Judged::finding);
        self.against().into_iter().chain(findings).collect()
    }

    /// Tells that more members hold one and the same other thing than hold what the snapshot does.
    fn against(&self) -> Option<String> {
        let mut camps: BTreeMap<_, usize> = BTreeMap::new();
        for member in self.differing() {
            if let Verdict::Differs { cut, .. } = member.verdict {
                *camps.entry((cut, member.hash)).or_default() += 1;
            }
        }
        let largest = camps.into_values().max()?;
        let with_us: Vec<_> = self.agreeing().map(Judged::called).collect();
        (largest > with_us.len().max(1)).then(|| {
            let with_us = match &with_us[..] {
                [] => "none".to_owned(),
                some => format!("only {}", some.join(", ")),
            };
            format!("{largest} members hold the same other data, and {with_us} the snapshot's")
        })
    }
}

impl Judged {
    /// Whether it holds what the snapshot holds; none where that cannot be told.
    pub fn agrees(&self) -> Option<bool> {
        match self.verdict {
            Verdict::Agrees(_) => Some(true),
            Verdict::Differs { .. } => Some(false),
            Verdict::Compacted(_) | Verdict::Unknown(_) => None,
        }
    }

    /// What of history was compared.
    pub fn cut(&self) -> Option<Cut> {
        match self.verdict {
            Verdict::Agrees(cut) | Verdict::Differs { cut, .. } => Some(cut),
            Verdict::Compacted(_) | Verdict::Unknown(_) => None,
        }
    }

    /// Why it cannot be told whether it agrees.
    pub fn reason(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Compacted(why) | Verdict::Unknown(why) => Some(why),
            Verdict::Agrees(_) | Verdict::Differs { .. } => None,
        }
    }

    /// `member NAME (ID)`.
    pub fn called(&self) -> String {
        let name = self.name.as_deref().map(shortened);
        let name = name.unwrap_or_else(|| "without a name".to_owned());
        format!("member {name} ({})", self.id)
    }

    fn finding(&self) -> Option<String> {
        let Verdict::Differs { cut, ours } = self.verdict else {
            return None;
        };
        Some(format!(
            "{} holds other data up to revision {}: its hash is {}, the snapshot's {ours}",
            self.called(),
            cut.revision,
            self.hash?
        ))
    }
}

impl From<&Judged> for MemberHash {
    fn from(judged: &Judged) -> Self {
        Self {
            name: judged.name.as_deref().map(shortened),
            id: judged.id,
            hash: judged.hash,
            agrees: judged.agrees(),
            error: judged.reason().map(shortened),
        }
    }
}

/// Compares a sound snapshot with what the members said at its revision. Reads it once or twice
/// for each cut of history that they told of: one, unless they were compacted apart.
pub(crate) async fn compare(
    manifest: &Manifest,
    peers: &[PeerHash],
    examiner: &dyn Examiner,
    stored: Box<dyn ReadBack>,
) -> Result<Comparison, ExamineError> {
    let contents = manifest.contents.as_ref();
    let known = Known {
        cluster_id: Some(manifest.cluster_id),
        compact_revision: contents
            .and_then(|contents| contents.compact_revision)
            .unwrap_or(0),
    };
    let cuts = known.cuts(peers);
    let mut ours = BTreeMap::new();
    if !cuts.is_empty() {
        let codec = manifest.stored.codec;
        let hashes = examiner.hash(stored, codec, cuts.clone()).await?;
        let known = cuts.into_iter().zip(hashes);
        ours.extend(known.filter_map(|(cut, hash)| Some((cut, hash?))));
    }
    Ok(known.judge(peers, &ours))
}

fn unknown(why: &str) -> Verdict {
    Verdict::Unknown(why.to_owned())
}

fn chain(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        below = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
