//! To which moments of the past a cluster can be brought back, hour by hour. Pure.
//!
//! A restore brings back the moment at which a snapshot was taken. So an hour is covered by a
//! snapshot that was taken in it, and between two snapshots that are further apart than they should
//! be there is a gap: whatever was written there and lost again cannot be had.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::catalog::{Entry, Standing};
use crate::manifest::{Id, Manifest, Method};

/// What can be said of a snapshot, the best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// A member of its cluster holds other data.
    Disputed,
    /// Its digest alone was compared: it is what etcd sent.
    Unproved,
    /// Every page and record was verified.
    Proved,
}

impl Trust {
    /// What is known of a snapshot; none of what cannot be restored, or was made by another
    /// program, of which nobody knows.
    pub fn of(entry: &Entry) -> Option<Self> {
        match &entry.standing {
            Standing::Proved(manifest) if manifest.is_verified(Method::Deep) => Some(Self::Proved),
            Standing::Proved(_) => Some(Self::Unproved),
            Standing::Disputed(_) => Some(Self::Disputed),
            Standing::Corrupt(_) | Standing::Foreign | Standing::Suspect(_) => None,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disputed => "disputed",
            Self::Unproved => "unproved",
            Self::Proved => "proved",
        }
    }
}

/// What there is of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// When it begins.
    pub from: DateTime<Utc>,
    /// The best of the directory.
    pub here: Option<Trust>,
    /// The best of the bucket.
    pub there: Option<Trust>,
}

impl Hour {
    /// The best of either.
    pub fn best(&self) -> Option<Trust> {
        self.here.max(self.there)
    }
}

/// A time to no moment of which the cluster can be brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The snapshot before, or the beginning of what was looked at.
    pub from: DateTime<Utc>,
    /// The snapshot after, or now.
    pub to: DateTime<Utc>,
}

impl Gap {
    /// How long it is.
    pub fn length(&self) -> Duration {
        (self.to - self.from).to_std().unwrap_or_default()
    }
}

/// To which moments a cluster can be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Every hour that was looked at, the oldest first. The last is the one that is going on.
    pub hours: Vec<Hour>,
    /// Where snapshots are further apart than they should be.
    pub gaps: Vec<Gap>,
}

/// The hours from `from` to `now`, by what the directory and the bucket hold of this cluster, or of
/// any, whichever member it is of. Snapshots should be no further apart than `every`, and an hour more
/// for what a save and its retries take.
pub fn coverage(
    here: &[Entry],
    there: &[Entry],
    cluster: Option<Id>,
    (from, now): (DateTime<Utc>, DateTime<Utc>),
    every: Duration,
) -> Coverage {
    let hour = |at: DateTime<Utc>| at.timestamp().div_euclid(3600);
    let begins = |hour: i64| DateTime::from_timestamp(hour * 3600, 0);
    let mut hours: Vec<_> = (hour(from)..=hour(now))
        .filter_map(|hour| {
            Some(Hour {
                from: begins(hour)?,
                here: None,
                there: None,
            })
        })
        .collect();
    let mut taken = Vec::new();
    for (entries, is_here) in [(here, true), (there, false)] {
        for entry in entries {
            let trust = Trust::of(entry);
            let is_ours = |it: &&Manifest| cluster.is_none_or(|cluster| it.cluster_id == cluster);
            let at = entry.manifest().filter(is_ours).map(at);
            let (Some(trust), Some(at)) = (trust, at.filter(|at| (from..=now).contains(at))) else {
                continue;
            };
            taken.push(at);
            let place = usize::try_from(hour(at) - hour(from)).ok();
            if let Some(hour) = place.and_then(|place| hours.get_mut(place)) {
                let best = if is_here {
                    &mut hour.here
                } else {
                    &mut hour.there
                };
                *best = (*best).max(Some(trust));
            }
        }
    }
    taken.sort();
    let slack = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
    let slack = slack.checked_add(&TimeDelta::hours(1)).unwrap_or(slack);
    let ends = std::iter::once(from).chain(taken.iter().copied());
    let begins = taken.iter().copied().chain(std::iter::once(now));
    let gaps = ends.zip(begins).map(|(from, to)| Gap { from, to });
    Coverage {
        hours,
        gaps: gaps.filter(|gap| gap.to - gap.from > slack).collect(),
    }
}

/// The moment that a restore brings back.
fn at(manifest: &Manifest) -> DateTime<Utc> {
    manifest.started_at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::tests::entry;
    use proptest::prelude::*;

    const HOUR: i64 = 3600;

    fn moment(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_600_000_000 + seconds, 0).unwrap()
    }

    /// The hours of a day, snapshots being taken at these.
    fn day(here: &[i64], there: &[i64], every: u64) -> Coverage {
        let entries = |hours: &[i64]| hours.iter().map(|at| entry(at * HOUR)).collect::<Vec<_>>();
        let span = (moment(0), moment(24 * HOUR));
        let every = Duration::from_secs(every * 3600);
        coverage(&entries(here), &entries(there), None, span, every)
    }

    #[test]
    fn an_hour_is_covered_where_a_snapshot_was_taken_in_it() {
        let coverage = day(&[1, 7, 13, 19], &[7], 6);
        let held: Vec<_> = coverage
            .hours
            .iter()
            .zip(0..)
            .filter(|(hour, _)| hour.best().is_some())
            .map(|(hour, number)| (number, hour.here.is_some(), hour.there.is_some()))
            .collect();
        assert_eq!(
            held,
            [
                (1, true, false),
                (7, true, true),
                (13, true, false),
                (19, true, false)
            ]
        );
        assert_eq!(coverage.hours.len(), 25);
        assert_eq!(coverage.hours[1].here, Some(Trust::Unproved));
        assert_eq!(coverage.gaps, []);
    }

    #[test]
    fn what_should_have_been_taken_and_was_not_is_a_gap() {
        let coverage = day(&[1], &[12], 6);
        let gaps: Vec<_> = coverage.gaps.iter().map(|gap| (gap.from, gap.to)).collect();
        assert_eq!(
            gaps,
            [
                (moment(HOUR), moment(12 * HOUR)),
                (moment(12 * HOUR), moment(24 * HOUR))
            ]
        );
        let nothing = day(&[], &[], 6);
        assert_eq!(nothing.gaps[0].length(), Duration::from_secs(24 * 3600));
    }

    #[test]
    fn what_is_of_another_cluster_covers_nothing() {
        let span = (moment(0), moment(24 * HOUR));
        let (entries, every) = ([entry(HOUR)], Duration::from_secs(3600));
        let of = |cluster| coverage(&entries, &[], Some(Id(cluster)), span, every);
        let is_covered = |of: Coverage| of.hours.iter().any(|hour| hour.best().is_some());
        assert!(is_covered(of(1)));
        assert!(!is_covered(of(9)));
    }

    #[test]
    fn what_cannot_be_restored_covers_nothing() {
        let mut broken = entry(HOUR);
        if let Standing::Proved(manifest) = broken.standing {
            broken.standing = Standing::Corrupt(manifest);
        }
        let foreign = Entry {
            standing: Standing::Foreign,
            ..entry(2 * HOUR)
        };
        let span = (moment(0), moment(24 * HOUR));
        let coverage = coverage(
            &[broken, foreign],
            &[],
            None,
            span,
            Duration::from_secs(3600),
        );
        assert!(coverage.hours.iter().all(|hour| hour.best().is_none()));
        assert_eq!(coverage.gaps.len(), 1);
    }

    proptest! {
        #[test]
        fn a_bucket_never_makes_it_worse_and_no_gap_holds_a_snapshot(
            here in prop::collection::btree_set(0i64..24, 0..12),
            there in prop::collection::btree_set(0i64..24, 0..12),
            every in 1u64..8,
        ) {
            let (here, there): (Vec<_>, Vec<_>) = (here.into_iter().collect(), there.into_iter().collect());
            let (both, alone) = (day(&here, &there, every), day(&here, &[], every));
            let length = |coverage: &Coverage| coverage.gaps.iter().map(Gap::length).sum::<Duration>();
            prop_assert!(length(&both) <= length(&alone));
            for gap in &both.gaps {
                let is_in = |hour: &&i64| moment(**hour * HOUR) > gap.from && moment(**hour * HOUR) < gap.to;
                prop_assert_eq!(here.iter().chain(&there).find(is_in), None);
            }
        }
    }
}
