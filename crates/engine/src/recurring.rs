//! The one-offs that Rancher takes again and again for a cluster of RKE's. Pure.
//!
//! Rancher calls them `c-<cluster>-r<where>-<random>_<time>`, and those that somebody asked for by
//! hand `c-<cluster>-m<where>-…`. Nothing else rotates them in the directory: whenever another of
//! the cluster's is saved, the recurring ones go that are past their age. In the bucket Rancher
//! does it itself.

use std::cmp::Reverse;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::SnapshotName;
use crate::catalog::{Entry, Standing};
use crate::retention::{Fate, Grade, Guard, Reason, Verdict};

/// Judges the recurring ones of a store that are of the same cluster of Rancher's as `saved`,
/// newest first: what is older than `limit` goes, but never the newest `floor`. Empty where `saved`
/// is none of Rancher's.
///
/// Of ours the manifest tells the age, of the old program's the store, as that program took it.
pub fn plan(
    entries: &[Entry],
    saved: &SnapshotName,
    guard: Guard,
    (limit, floor): (Duration, usize),
    now: DateTime<Utc>,
) -> Vec<Verdict> {
    let Some(family) = family(saved) else {
        return Vec::new();
    };
    let age = |entry: &Entry| {
        let at = taken_at(entry, guard)?;
        Some((now - at).to_std().unwrap_or_default())
    };
    let mut siblings: Vec<_> = entries
        .iter()
        .filter(|entry| self::family(&entry.name) == Some(family) && recurs(&entry.name))
        .filter_map(|entry| Some((age(entry)?, entry)))
        .collect();
    siblings.sort_by_key(|(age, entry)| (*age, Reverse(entry.name.clone())));
    let judged = siblings.into_iter().zip(1..).map(|((age, entry), rank)| {
        let fate = if age <= limit {
            Fate::Keep(Reason::WithinAge { age, limit })
        } else if rank <= floor.max(1) {
            let (count, grade) = (floor.max(1), Grade::Held);
            Fate::Keep(Reason::WithinCount { rank, count, grade })
        } else {
            Fate::Delete(Reason::PastAge { age, limit })
        };
        Verdict::of(entry, fate)
    });
    judged.collect()
}

/// When one was taken that may go; others are left alone.
fn taken_at(entry: &Entry, guard: Guard) -> Option<DateTime<Utc>> {
    match &entry.standing {
        Standing::Foreign => entry.modified,
        Standing::Proved(manifest) | Standing::Disputed(manifest) => {
            guard.owns(manifest).then_some(manifest.started_at)
        }
        Standing::Corrupt(_) | Standing::Suspect(_) => None,
    }
}

/// What the names of one cluster of Rancher's begin with: `c-`, a letter or digit, and all to the
/// next `-`.
fn family(name: &SnapshotName) -> Option<&str> {
    let text = name.as_str();
    let begins = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let rest = text
        .strip_prefix("c-")
        .filter(|it| it.starts_with(begins))?;
    let end = rest.find('-')?;
    Some(&text[..="c-".len() + end])
}

/// Whether Rancher took it by a schedule: somewhere behind the first letter is `-r`, one character
/// more, and `-`.
fn recurs(name: &SnapshotName) -> bool {
    let letters: Vec<char> = name.as_str().chars().skip("c-x".len()).collect();
    letters
        .windows(4)
        .any(|four| matches!(four, ['-', 'r', _, '-']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;
    use crate::manifest::Id;

    const HOUR: Duration = Duration::from_secs(3600);
    const GUARD: Guard = Guard {
        cluster: Id(1),
        member: Id(2),
        fellows: crate::retention::Fellows([None; 7]),
    };

    fn name(text: &str) -> SnapshotName {
        SnapshotName::new(text).unwrap()
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_600_000_000, 0).unwrap()
    }

    fn left(text: &str, hours: u32) -> Entry {
        Entry {
            name: name(text),
            codec: Codec::Zip,
            size: 1,
            modified: Some(now() - HOUR * hours),
            standing: Standing::Foreign,
        }
    }

    fn deleted(entries: &[Entry], saved: &str, floor: usize) -> Vec<String> {
        let plan = plan(entries, &name(saved), GUARD, (HOUR * 12, floor), now());
        let gone = plan.into_iter().filter(|verdict| verdict.fate.is_delete());
        gone.map(|verdict| verdict.name.to_string()).collect()
    }

    #[test]
    fn only_recurring_ones_of_the_same_cluster_go() {
        let entries = [
            left("c-abcde-rl-new", 0),
            left("c-abcde-rl-old", 13),
            left("c-abcde-rs-old_2020-01-01T00:00:00Z", 14),
            left("c-abcde-ml-old", 15),
            left("c-other-rl-old", 16),
            left("c-abcdef-rl-old", 16),
            left("mysnapshot", 17),
            left("2020-01-01T00:00:00Z_etcd", 18),
            left("c-abcde-r-old", 19),
            left("xc-abcde-rl-old", 20),
        ];
        let gone = ["c-abcde-rl-old", "c-abcde-rs-old_2020-01-01T00:00:00Z"];
        for saved in ["c-abcde-rl-new", "c-abcde-ml-new"] {
            assert_eq!(deleted(&entries, saved, 1), gone, "{saved}");
        }
        for saved in ["mysnapshot", "c-abcde", "C-abcde-rl-x", "c--abcde-rl-x"] {
            assert!(deleted(&entries, saved, 1).is_empty(), "{saved}");
        }
    }

    #[test]
    fn an_outage_leaves_the_newest_so_many() {
        let entries: Vec<_> = (0..6)
            .map(|i| left(&format!("c-abcde-rl-{i}"), 100 + i))
            .collect();
        let gone = ["c-abcde-rl-4", "c-abcde-rl-5"];
        assert_eq!(deleted(&entries, "c-abcde-ml-x", 4), gone);
    }

    #[test]
    fn one_whose_time_nobody_tells_stays() {
        let mut entry = left("c-abcde-rl-old", 100);
        entry.modified = None;
        let young = left("c-abcde-rl-new", 0);
        assert!(deleted(&[young, entry], "c-abcde-rl-new", 1).is_empty());
    }
}
