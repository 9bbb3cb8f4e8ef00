//! Which snapshot is meant by a word or a moment.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::Manifest;
use crate::catalog::{Entry, Standing};
use crate::manifest::{Id, Outcome, Verdict};

/// What was asked for, where it was no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The newest.
    Latest,
    /// The newest whose content was verified and held.
    LatestProved,
    /// The newest that was not taken after this moment.
    Until(DateTime<Utc>),
}

/// Why nothing is chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// Nothing fits.
    #[error("there is no such snapshot")]
    Nothing,
    /// Snapshots of several clusters fit, each with the time of its newest.
    #[error("there are snapshots of {} clusters: {}", .0.len(), list(.0))]
    Clusters(BTreeMap<Id, DateTime<Utc>>),
}

impl Choice {
    /// The word on the command line, if it is one.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "latest" => Some(Self::Latest),
            "latest-proved" => Some(Self::LatestProved),
            _ => None,
        }
    }

    /// The newest entry that fits. By the time at which it was taken, for snapshots of several
    /// members share no order; snapshots that are known to be broken never fit.
    pub fn of<'a>(
        self,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<&'a Entry, ChoiceError> {
        let fits = |entry: &&Entry| self.fits(entry);
        let fitting: Vec<&Entry> = entries.into_iter().filter(fits).collect();
        let mut clusters: BTreeMap<Id, DateTime<Utc>> = BTreeMap::new();
        for manifest in fitting.iter().filter_map(|entry| entry.manifest()) {
            let newest = clusters.entry(manifest.cluster_id).or_default();
            *newest = manifest.started_at.max(*newest);
        }
        if clusters.len() > 1 {
            return Err(ChoiceError::Clusters(clusters));
        }
        let newest = fitting.into_iter().max_by_key(|entry| entry.taken_at());
        newest.ok_or(ChoiceError::Nothing)
    }

    fn fits(self, entry: &Entry) -> bool {
        let Some(at) = entry.taken_at() else {
            return false;
        };
        if matches!(entry.standing, Standing::Corrupt(_) | Standing::Suspect(_)) {
            return false;
        }
        let drill = entry
            .manifest()
            .and_then(|manifest| manifest.drill.as_ref());
        if drill.is_some_and(|drill| drill.result == Outcome::Corrupt) {
            return false;
        }
        match self {
            Self::Latest => true,
            Self::LatestProved => {
                let verdict = entry.proved().and_then(Manifest::verdict);
                verdict == Some(Verdict::Held)
            }
            Self::Until(moment) => at <= moment,
        }
    }
}

fn list(clusters: &BTreeMap<Id, DateTime<Utc>>) -> String {
    let each = |(id, newest): (&Id, &DateTime<Utc>)| {
        let newest = newest.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        format!("{id} (newest {newest})")
    };
    clusters.iter().map(each).collect::<Vec<_>>().join(", ")
}
