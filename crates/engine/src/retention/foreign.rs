//! What the old program left: rolling snapshots of its own names, which have no manifest.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Ages, Fate, Grade, Reason};
use crate::catalog::{Entry, Standing};

/// What becomes in one store of the old program's rolling snapshots. Whatever else has no manifest
/// stays in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Foreign {
    /// They stay.
    #[default]
    Keep,
    /// They go when the time in their name is longer ago than this, as the old program deleted
    /// them; but never before one of ours is proved, and never the newest so many of theirs and
    /// ours that are kept at least.
    Age(Duration),
}

/// In which stores the old program's rolling snapshots go by their age. Their names tell neither
/// cluster nor member: in a bucket they may be anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PruneForeign {
    /// In none.
    #[default]
    Never,
    /// In the directory.
    Local,
    /// In the directory and the bucket.
    Everywhere,
}

impl PruneForeign {
    /// The word for it in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Local => "local",
            Self::Everywhere => "everywhere",
        }
    }

    /// The rule of the directory, with this age limit.
    pub fn here(self, limit: Duration) -> Foreign {
        match self {
            Self::Never => Foreign::Keep,
            Self::Local | Self::Everywhere => Foreign::Age(limit),
        }
    }

    /// The rule of the bucket, with this age limit.
    pub fn there(self, limit: Duration) -> Foreign {
        match self {
            Self::Never | Self::Local => Foreign::Keep,
            Self::Everywhere => Foreign::Age(limit),
        }
    }
}

/// Judges those of one store.
pub(super) struct Judge {
    limit: Duration,
    floor: usize,
    /// When theirs and what is proved of ours were taken.
    times: BTreeSet<DateTime<Utc>>,
    now: DateTime<Utc>,
    ages: Ages,
}

impl Judge {
    /// A judge who knows when those of ours were taken that are proved. `None` where none goes.
    pub(super) fn new(
        foreign: Foreign,
        entries: &[Entry],
        proved: BTreeSet<DateTime<Utc>>,
        floor: usize,
        (now, ages): (DateTime<Utc>, Ages),
    ) -> Option<Self> {
        let Foreign::Age(limit) = foreign else {
            return None;
        };
        if proved.is_empty() {
            return None;
        }
        let mut times = proved;
        times.extend(entries.iter().filter_map(taken_at));
        Some(Self {
            limit,
            floor: floor.max(1),
            times,
            now,
            ages,
        })
    }

    pub(super) fn fate(&self, entry: &Entry) -> Fate {
        let Some(time) = taken_at(entry) else {
            return Fate::Keep(Reason::Foreign);
        };
        let limit = self.limit;
        let age = (self.now - time).to_std().unwrap_or_default();
        let rank = self.times.range(time..).count();
        if age <= limit {
            Fate::Keep(Reason::WithinAge { age, limit })
        } else if rank <= self.floor {
            Fate::Keep(Reason::WithinCount {
                rank,
                count: self.floor,
                grade: Grade::Waiting,
            })
        } else if self.ages == Ages::Doubted {
            Fate::Keep(Reason::DoubtedAge)
        } else {
            Fate::Delete(Reason::PastAge { age, limit })
        }
    }
}

/// The time in the name of a rolling snapshot of the old program.
fn taken_at(entry: &Entry) -> Option<DateTime<Utc>> {
    match entry.standing {
        Standing::Foreign => entry.name.old_rolling_time(entry.codec),
        _ => None,
    }
}

#[cfg(test)]
#[path = "foreign_tests.rs"]
mod tests;
