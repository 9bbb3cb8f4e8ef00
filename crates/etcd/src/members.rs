//! Several endpoints of one cluster, of which one at a time is asked.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use crate::{ErrorKind, Member, MemberConfig, MemberStatus, SnapshotStream, Source, SourceError};

/// Members of one cluster. Status asks the one that answered last, then the others in the order
/// given; a snapshot comes from the member whose status was told last, never from two.
#[derive(Debug)]
pub struct Members {
    pub(crate) all: Vec<Member>,
    /// All endpoints, with commas between.
    pub(crate) text: String,
    /// The one to ask first.
    chosen: AtomicUsize,
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
            all: members,
            chosen: AtomicUsize::new(0),
        })
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
        .find(|kind| *kind == ErrorKind::Unavailable)
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

    /// Takes at most the sum of the members' request timeouts. A learner is the answer only where
    /// nobody else answers.
    async fn status(&self) -> Result<MemberStatus, SourceError> {
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
        let chosen = self.chosen.load(Ordering::Relaxed);
        match self.all.get(chosen) {
            Some(member) => member.snapshot().await,
            None => Err(self.nobody(Vec::new())),
        }
    }
}
