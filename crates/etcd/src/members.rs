//! Several endpoints of one cluster, of which one at a time is asked.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;

use crate::preference::{Said, choose};
use crate::{ErrorKind, Member, MemberConfig, MemberStatus, SnapshotStream, Source, SourceError};

/// How long a member has in the round in which all are asked at once. Who takes longer is asked
/// again, alone, only where nobody else answers.
const ROUND: Duration = Duration::from_secs(2);

/// Members of one cluster. Status asks all at once and tells that of the one that is
/// best asked (`preference`) for a snapshot; where nobody answers in time it asks the one
/// that answered last, then the others in the order given. A snapshot comes from the member whose
/// status was told last, never from two.
#[derive(Debug)]
pub struct Members {
    pub(crate) all: Vec<Member>,
    /// All endpoints, with commas between.
    pub(crate) text: String,
    /// The one to ask first.
    chosen: AtomicUsize,
    /// The id of each, in the same order; 0 until it has told it.
    ids: Vec<AtomicU64>,
}

impl Members {
    /// Checks every member's configuration. All faults at once; no member at all is one.
    pub fn new(configs: impl IntoIterator<Item = MemberConfig>) -> Result<Self, Vec<SourceError>> {
        let mut members = Vec::new();
        let mut faults: Vec<SourceError> = Vec::new();
        for config in configs {
            match Member::new(config) {
                Ok(member) => members.push(member),
                Err(more) => faults.extend(more),
            }
        }
        // A missing file is one fault, however many members share it.
        let mut named = HashSet::new();
        faults.retain(|fault| named.insert(fault.to_string()));
        if members.is_empty() && faults.is_empty() {
            faults.push(
                SourceError::new(
                    ErrorKind::Config,
                    "endpoints",
                    "\"\"",
                    "no endpoint is given",
                )
                .with_hint("give the member's client URL with --endpoints"),
            );
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let endpoints: Vec<&str> = members.iter().map(Source::endpoint).collect();
        Ok(Self {
            text: endpoints.join(","),
            ids: members.iter().map(|_| AtomicU64::new(0)).collect(),
            all: members,
            chosen: AtomicUsize::new(0),
        })
    }

    /// The one whose status was told last.
    pub(crate) fn chosen(&self) -> Option<&Member> {
        self.all.get(self.chosen.load(Ordering::Relaxed))
    }

    /// The members, the chosen one first.
    fn in_turn(&self) -> impl Iterator<Item = (usize, &Member)> {
        let first = self.chosen.load(Ordering::Relaxed);
        let others = self
            .all
            .iter()
            .enumerate()
            .filter(move |(n, _)| *n != first);
        self.all
            .get(first)
            .map(|member| (first, member))
            .into_iter()
            .chain(others)
    }

    /// Asks all at once. The status of the one that is best asked, which is then the chosen one;
    /// none if nobody answers in time.
    async fn round(&self) -> Option<MemberStatus> {
        let asked = self.all.iter().map(|member| {
            let limit = ROUND.min(member.request_timeout);
            member.status_within(limit)
        });
        let answers: Vec<_> = join_all(asked)
            .await
            .into_iter()
            .map(|it| it?.ok())
            .collect();
        for (id, said) in self.ids.iter().zip(&answers) {
            if let Some(status) = said {
                id.store(status.member_id, Ordering::Relaxed);
            }
        }
        let said: Vec<Said<'_>> = answers.iter().map(Option::as_ref).collect();
        let best = choose(&said, self.chosen.load(Ordering::Relaxed))?;
        self.chosen.store(best, Ordering::Relaxed);
        answers.into_iter().nth(best)?
    }

    fn nobody(&self, refusals: Vec<SourceError>) -> SourceError {
        nobody("status of", &self.text, refusals)
    }
}

/// What is said when none of `endpoints` will do: the words of each, and the first hint.
pub(crate) fn nobody(
    verb: &'static str,
    endpoints: &str,
    mut refusals: Vec<SourceError>,
) -> SourceError {
    if let [_] = refusals[..] {
        return refusals.remove(0);
    }
    let kinds = || refusals.iter().map(SourceError::kind);
    let kind = kinds()
        .find(|kind| *kind == ErrorKind::Busy)
        .or_else(|| kinds().find(|kind| *kind == ErrorKind::Unavailable))
        .or_else(|| kinds().next())
        .unwrap_or(ErrorKind::Unavailable);
    let mut message = "no endpoint can be used".to_owned();
    for refusal in &refusals {
        let _ = write!(message, "; {refusal}");
        let mut cause = std::error::Error::source(refusal);
        while let Some(error) = cause {
            let _ = write!(message, ": {error}");
            cause = error.source();
        }
    }
    let error = SourceError::new(kind, verb, endpoints, message);
    match refusals.iter().find_map(SourceError::hint) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

#[async_trait]
impl Source for Members {
    fn endpoint(&self) -> &str {
        &self.text
    }

    /// Takes at most two seconds if anybody answers in them, and else as long again as the members
    /// take one after the other. A learner is the answer only where nobody else answers.
    async fn status(&self) -> Result<MemberStatus, SourceError> {
        if self.all.len() > 1
            && let Some(status) = self.round().await
            && !status.is_learner
        {
            return Ok(status);
        }
        let mut refusals = Vec::new();
        let mut learner = None;
        for (n, member) in self.in_turn() {
            match member.status().await {
                Ok(status) if status.is_learner => learner = learner.or(Some((n, status))),
                Ok(status) => {
                    self.chosen.store(n, Ordering::Relaxed);
                    return Ok(status);
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        match learner {
            Some((n, status)) => {
                self.chosen.store(n, Ordering::Relaxed);
                Ok(status)
            }
            None => Err(self.nobody(refusals)),
        }
    }

    async fn snapshot(&self) -> Result<SnapshotStream, SourceError> {
        match self.chosen() {
            Some(member) => member.snapshot().await,
            None => Err(self.nobody(Vec::new())),
        }
    }

    async fn look(&self) -> Result<MemberStatus, SourceError> {
        match self.chosen() {
            Some(member) => member.look().await,
            None => Err(self.nobody(Vec::new())),
        }
    }

    fn fellows(&self) -> Vec<u64> {
        let ids = self.ids.iter().map(|id| id.load(Ordering::Relaxed));
        ids.filter(|id| *id != 0).collect()
    }
}
