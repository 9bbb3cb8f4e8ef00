//! How far a revision must go up so that nobody sees it go back.
//!
//! Clients of the lost cluster knew revisions up to its last moment, which nobody recorded. What is
//! recorded is the revision of every snapshot of it that is still known; beyond that the cluster went
//! on writing at a rate that those snapshots tell.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::Manifest;

/// Added in any case: the time that clocks are wrong by, and bursts.
const FLOOR: u64 = 1_000_000;

/// Of a snapshot of which nobody knows when it was taken: what etcd's own guide to disaster recovery
/// gives as enough for a week of 1,500 writes a second, rounded up.
const UNKNOWN: u64 = 1_000_000_000;

/// Revisions a second that are assumed at least: more than a busy Kubernetes cluster writes.
const RATE: u64 = 1_000;

/// How far the revision of a snapshot at `revision` must go up, by all manifests that are known: to
/// beyond the highest of them, and twice as far as the cluster can have come since. A cluster that
/// was restored has another id and the same clients, so manifests of every id count.
pub fn bump<'a>(
    known: impl IntoIterator<Item = &'a Manifest>,
    revision: u64,
    taken_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> u64 {
    let mut points: Vec<(DateTime<Utc>, u64)> = known
        .into_iter()
        .map(|manifest| (manifest.started_at, manifest.revision))
        .collect();
    points.extend(taken_at.map(|at| (at, revision)));
    if points.is_empty() {
        return UNKNOWN;
    }
    points.sort_unstable();
    let highest = points.iter().map(|(_, revision)| *revision).max();
    let highest = highest.unwrap_or(revision).max(revision);
    let last = points.last().map_or(now, |(at, _)| *at);
    let since = (now - last).to_std().unwrap_or_default();
    let margin = rate(&points)
        .saturating_mul(since.as_secs())
        .saturating_mul(2);
    (highest - revision)
        .saturating_add(margin)
        .saturating_add(FLOOR)
}

/// The fastest that the revision went up between two snapshots, a second.
fn rate(points: &[(DateTime<Utc>, u64)]) -> u64 {
    let between = points.windows(2).filter_map(|pair| {
        let [(from, low), (to, high)] = pair else {
            return None;
        };
        let took: Duration = (*to - *from).to_std().ok()?;
        high.checked_sub(*low)?.checked_div(took.as_secs())
    });
    between.max().unwrap_or(0).max(RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap_or_default()
    }

    #[test]
    fn without_any_manifest_the_age_of_the_snapshot_decides() {
        let day = 24 * 3600;
        assert_eq!(bump([], 50, Some(at(0)), at(0)), FLOOR);
        let expected = FLOOR + 2 * RATE * 24 * 3600;
        assert_eq!(bump([], 50, Some(at(0)), at(day)), expected);
        assert_eq!(bump([], 50, None, at(day)), UNKNOWN);
    }

    #[test]
    fn the_fastest_growth_is_what_counts() {
        let points = [
            (at(0), 0),
            (at(10), 50_000),
            (at(20), 60_000),
            (at(30), 60_000),
        ];
        assert_eq!(rate(&points), 5_000);
        assert_eq!(rate(&[(at(0), 0), (at(0), 9)]), RATE);
    }
}
