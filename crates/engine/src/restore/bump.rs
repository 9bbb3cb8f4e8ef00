//! How far a revision must go up so that nobody sees it go back.
//!
//! Clients of the lost cluster knew revisions up to its last moment, which nobody recorded. What is
//! recorded is the revision of every snapshot of it that is still known; beyond that the cluster went
//! on writing at a rate that those snapshots tell.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::Manifest;
use crate::manifest::Id;

/// Added in any case: the time that clocks are wrong by, and bursts.
const FLOOR: u64 = 1_000_000;

/// Of a snapshot of which nobody knows when it was taken: what etcd's own guide to disaster recovery
/// gives as enough for a week of 1,500 writes a second, rounded up.
const UNKNOWN: u64 = 1_000_000_000;

/// Revisions a second that are assumed at least: more than a busy Kubernetes cluster writes.
const RATE: u64 = 1_000;

/// Revisions a second that are believed at most: ten times what etcd writes at its best.
const FASTEST: u64 = 500_000;

/// When a snapshot was taken, and its revision.
type Point = (DateTime<Utc>, u64);

/// How far the revision of a snapshot at `revision` must go up, by all manifests that are known: to
/// beyond the highest of them, and twice as far as the cluster can have come since. A cluster that
/// was restored has another id and the same clients, so manifests of every id count. `seen` is the
/// highest revision beside those: of what is about to be replaced, whatever cluster it was.
pub fn bump<'a>(
    known: impl IntoIterator<Item = &'a Manifest>,
    revision: u64,
    seen: Option<u64>,
    taken_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> u64 {
    // By cluster: between two of them it is no writing that takes the revision up, but a restore's
    // own bump, or another cluster altogether.
    let mut clusters: BTreeMap<Id, Vec<Point>> = BTreeMap::new();
    for manifest in known {
        let point = (manifest.started_at, manifest.revision);
        clusters.entry(manifest.cluster_id).or_default().push(point);
    }
    let rate = clusters.values_mut().map(|points| rate(points)).max();
    let rate = rate.unwrap_or(RATE);
    let mut points: Vec<Point> = clusters.into_values().flatten().collect();
    points.extend(taken_at.map(|at| (at, revision)));
    // Not on top of what the manifests tell: restores of one old snapshot would double it each time.
    let beyond = seen.map_or(0, |seen| seen.saturating_sub(revision));
    if points.is_empty() {
        return UNKNOWN.saturating_add(beyond);
    }
    points.sort_unstable();
    let highest = points.iter().map(|(_, revision)| *revision).max();
    let highest = highest.unwrap_or(revision).max(revision);
    let last = points.last().map_or(now, |(at, _)| *at);
    let since = (now - last).to_std().unwrap_or_default();
    let margin = rate.saturating_mul(since.as_secs()).saturating_mul(2);
    (highest - revision)
        .max(beyond)
        .saturating_add(margin)
        .saturating_add(FLOOR)
}

/// The fastest that the revision of one cluster went up between two snapshots, a second.
fn rate(points: &mut [Point]) -> u64 {
    points.sort_unstable();
    let between = points.windows(2).filter_map(|pair| {
        let [(from, low), (to, high)] = pair else {
            return None;
        };
        let took: Duration = (*to - *from).to_std().ok()?;
        high.checked_sub(*low)?.checked_div(took.as_secs())
    });
    between.max().unwrap_or(0).clamp(RATE, FASTEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SnapshotName;
    use crate::name::TimeStyle;
    use crate::retention::tests::manifest;

    fn saved(cluster: u64, at: DateTime<Utc>, revision: u64) -> Manifest {
        let name = SnapshotName::rolling(at, TimeStyle::Rfc3339);
        Manifest {
            cluster_id: Id(cluster),
            revision,
            ..manifest(name, 1, at)
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap_or_default()
    }

    #[test]
    fn without_any_manifest_the_age_of_the_snapshot_decides() {
        let day = 24 * 3600;
        assert_eq!(bump([], 50, None, Some(at(0)), at(0)), FLOOR);
        let expected = FLOOR + 2 * RATE * 24 * 3600;
        assert_eq!(bump([], 50, None, Some(at(0)), at(day)), expected);
        assert_eq!(bump([], 50, None, None, at(day)), UNKNOWN);
        assert_eq!(bump([], 50, Some(80), None, at(day)), UNKNOWN + 30);
    }

    /// A cluster that is restored again and again from its first snapshot, from its last, or from
    /// the one before, and saved after each time.
    #[test]
    fn a_chain_of_restores_goes_up_by_as_much_each_time_and_not_by_a_multiple() {
        const WROTE: u64 = 2_000;
        let most = FLOOR + 2 * RATE * 600 + WROTE;
        for pick in [0_usize, usize::MAX, 1] {
            let mut known = vec![saved(1, at(0), 5_000)];
            let mut last = 5_000;
            for round in 1..60_u64 {
                let now = at(i64::try_from(round).unwrap() * 600);
                let from = match pick {
                    0 => &known[0],
                    1 => &known[known.len().saturating_sub(2)],
                    _ => &known[known.len() - 1],
                };
                let seen = Some(last);
                let by = bump(&known, from.revision, seen, Some(from.started_at), now);
                let reached = from.revision + by;
                assert!(reached > last, "clients saw it go back");
                let grown = reached - last;
                assert!(grown <= most, "round {round}: {grown}");
                last = reached + WROTE;
                known.push(saved(round + 1, now, last));
            }
        }
    }

    #[test]
    fn the_fastest_growth_is_what_counts() {
        let mut points = [
            (at(0), 0),
            (at(10), 50_000),
            (at(20), 60_000),
            (at(30), 60_000),
        ];
        assert_eq!(rate(&mut points), 5_000);
        assert_eq!(rate(&mut [(at(0), 0), (at(0), 9)]), RATE);
        assert_eq!(rate(&mut [(at(0), 0), (at(1), u64::MAX)]), FASTEST);
    }
}
