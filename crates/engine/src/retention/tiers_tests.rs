use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::tests::{GUARD, at, entry};
use super::super::{Fate, Foreign, Retention, Verdict};
use super::*;
use crate::catalog::{Entry, Standing};
use crate::manifest::Method;

fn tiered(count: usize, counts: [usize; 4], zone: &str) -> Retention {
    let zone = zone.parse().unwrap();
    Retention::Tiered {
        count,
        tiers: Tiers { counts, zone },
    }
}

fn plan(retention: Retention, entries: &[Entry], ages: Ages) -> Vec<Verdict> {
    let now = at(400 * 86_400);
    retention.plan(entries, GUARD, Method::Digest, now, ages, Foreign::Keep)
}

fn kept(retention: Retention, entries: &[Entry]) -> Vec<String> {
    let mut names: Vec<_> = plan(retention, entries, Ages::Trusted)
        .into_iter()
        .filter(|verdict| !verdict.fate.is_delete())
        .map(|verdict| verdict.name.to_string())
        .collect();
    names.sort();
    names
}

fn moment(text: &str) -> i64 {
    let moment: DateTime<Utc> = text.parse().unwrap();
    moment.timestamp() - at(0).timestamp()
}

fn taken(moments: &[&str]) -> Vec<Entry> {
    moments.iter().map(|text| entry(moment(text))).collect()
}

fn reasons(retention: Retention, entries: &[Entry]) -> Vec<String> {
    let verdicts = plan(retention, entries, Ages::Trusted).into_iter();
    verdicts
        .map(|verdict| verdict.fate.reason().to_string())
        .collect()
}

#[test]
fn the_last_of_each_day_week_and_month_stays_and_says_so() {
    // A day apart, for a year.
    let entries: Vec<_> = (0..365).map(|day| entry(day * 86_400)).collect();
    let retention = tiered(2, [0, 7, 4, 12], "UTC");
    let reasons = reasons(retention, &entries);
    let of = |word: &str| reasons.iter().filter(|why| why.starts_with(word)).count();
    assert_eq!(reasons[0], "newest proved snapshot");
    assert_eq!(reasons[1], "number 2 of 2 kept");
    assert_eq!(reasons[2], "daily 3 of 7");
    // Those that are the last of their week too are daily ones first.
    assert_eq!(of("daily"), 5);
    assert!((2..=3).contains(&of("weekly")), "{}", of("weekly"));
    assert!((9..=11).contains(&of("monthly")), "{}", of("monthly"));
    assert!(
        reasons[364].starts_with("not among the newest 2"),
        "{}",
        reasons[364]
    );
}

#[test]
fn days_are_those_of_the_zone() {
    let entries = taken(&["2026-05-01T21:00:00Z", "2026-05-01T23:00:00Z"]);
    assert_eq!(kept(tiered(1, [0, 2, 0, 0], "UTC"), &entries).len(), 1);
    // There the second is of the second of May.
    let berlin = tiered(1, [0, 2, 0, 0], "Europe/Berlin");
    assert_eq!(kept(berlin, &entries).len(), 2);
}

#[test]
fn an_hour_that_comes_twice_is_two() {
    let entries = taken(&["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]);
    let berlin = tiered(1, [2, 0, 0, 0], "Europe/Berlin");
    assert_eq!(kept(berlin, &entries).len(), 2);
}

#[test]
fn an_outage_empties_no_history() {
    let entries: Vec<_> = (0..9).map(|day| entry(day * 86_400)).collect();
    // A year later all days that there are still count as seven.
    assert_eq!(kept(tiered(1, [0, 7, 0, 0], "UTC"), &entries).len(), 7);
}

#[test]
fn a_clock_that_was_set_back_takes_the_place_of_none() {
    let mut entries: Vec<_> = (0..5).map(|day| entry(day * 86_400)).collect();
    // Taken after all of these, on the second of their days once more.
    let mut late = entry(86_400 + 60);
    if let Standing::Proved(manifest) = &mut late.standing {
        manifest.order = u64::try_from(at(5 * 86_400).timestamp_millis()).unwrap();
    }
    entries.push(late);
    assert_eq!(kept(tiered(1, [0, 6, 0, 0], "UTC"), &entries).len(), 6);
}

#[test]
fn while_ages_are_doubted_each_tier_keeps_twice_as_many() {
    let entries: Vec<_> = (0..9).map(|day| entry(day * 86_400)).collect();
    let plan = plan(tiered(1, [0, 3, 0, 0], "UTC"), &entries, Ages::Doubted);
    let stay = plan.iter().filter(|verdict| !verdict.fate.is_delete());
    assert_eq!(stay.count(), 6);
    assert_eq!(plan[5].fate, Fate::Keep(Reason::DoubtedAge));
}

#[test]
fn the_longest_tier_tells_how_long_the_last_stay() {
    let span = |counts| tiered(6, counts, "UTC").span(Duration::from_secs(HOUR));
    assert_eq!(span([24, 7, 0, 0]), Duration::from_secs(7 * DAY));
    assert_eq!(span([0, 0, 0, 12]), Duration::from_secs(12 * 31 * DAY));
    assert_eq!(span([0, 0, 0, 0]), Duration::from_secs(6 * HOUR));
}

proptest! {
    #[test]
    fn deleting_as_they_come_leaves_what_deleting_at_once_does(
        count in 1usize..6,
        counts in prop::array::uniform4(0usize..5),
        moments in prop::collection::btree_set(0i64..60 * 86_400, 1..60),
    ) {
        let retention = tiered(count, counts, "Europe/Berlin");
        let all: Vec<_> = moments.iter().map(|moment| entry(*moment)).collect();
        let at_once = kept(retention, &all);
        let mut left = Vec::new();
        for new in all {
            left.push(new);
            let stay = kept(retention, &left);
            left.retain(|entry| stay.contains(&entry.name.to_string()));
        }
        let left: Vec<_> = left.iter().map(|entry| entry.name.to_string()).collect();
        prop_assert_eq!(left, at_once);
    }

    #[test]
    fn the_newest_stay_and_as_many_as_are_promised(
        count in 1usize..6,
        counts in prop::array::uniform4(0usize..5),
        moments in prop::collection::btree_set(0i64..60 * 86_400, 1..60),
    ) {
        let all: Vec<_> = moments.iter().map(|moment| entry(*moment)).collect();
        let retention = tiered(count, counts, "UTC");
        let stay: BTreeSet<_> = kept(retention, &all).into_iter().collect();
        for newest in all.iter().rev().take(count) {
            prop_assert!(stay.contains(&newest.name.to_string()));
        }
        // A union: nothing goes that either rule alone would keep.
        let by_count: BTreeSet<_> = kept(Retention::Count(count), &all).into_iter().collect();
        prop_assert!(stay.is_superset(&by_count));
        let by_tiers: BTreeSet<_> = kept(tiered(1, counts, "UTC"), &all).into_iter().collect();
        prop_assert!(stay.is_superset(&by_tiers));
        prop_assert!(stay.len() <= count + counts.iter().sum::<usize>());
        // Days that there are: as many as are wanted, or all of them.
        let days: BTreeSet<_> = moments.iter().map(|moment| at(*moment).date_naive()).collect();
        let days_kept: BTreeSet<_> = all.iter()
            .filter(|entry| stay.contains(&entry.name.to_string()))
            .filter_map(crate::catalog::Entry::taken_at)
            .map(|at| at.date_naive())
            .collect();
        prop_assert!(days_kept.len() >= counts[1].min(days.len()));
    }
}
