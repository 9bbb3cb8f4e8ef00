use proptest::prelude::*;

use super::super::tests::{GUARD, at, entry};
use super::super::{Retention, Verdict};
use super::*;
use crate::manifest::Method;
use crate::name::{Part, TimeStyle};
use crate::{Codec, SnapshotName};
use rollsnap_store::ObjectName;

const LIMIT: Duration = Duration::from_secs(300);

/// Something that has no manifest, by its object's name.
fn stranger(object: &str) -> Entry {
    let object = ObjectName::new(object).unwrap();
    let Some(Part::Stored(name, codec)) = Part::of(&object) else {
        panic!("{object} is no snapshot's");
    };
    Entry {
        name,
        codec,
        size: 544,
        modified: None,
        standing: Standing::Foreign,
    }
}

/// What the old program left then.
fn old(seconds: i64) -> Entry {
    let name = SnapshotName::rolling(at(seconds), TimeStyle::Rfc3339);
    stranger(&format!("{name}.zip"))
}

fn plan(entries: &[Entry], floor: usize, now: i64, ages: Ages) -> Vec<Verdict> {
    let retention = Retention::Age {
        limit: LIMIT,
        floor,
    };
    let foreign = Foreign::Age(LIMIT);
    retention.plan(entries, GUARD, Method::Digest, at(now), ages, foreign)
}

fn deleted(entries: &[Entry], floor: usize, now: i64) -> Vec<String> {
    let plan = plan(entries, floor, now, Ages::Trusted);
    let gone = plan.into_iter().filter(|verdict| verdict.fate.is_delete());
    let mut gone: Vec<_> = gone
        .map(|verdict| verdict.name.stored(verdict.codec).to_string())
        .collect();
    gone.sort();
    gone
}

fn objects(entries: &[Entry]) -> Vec<String> {
    let mut objects: Vec<_> = entries.iter().map(|it| it.object().to_string()).collect();
    objects.sort();
    objects
}

#[test]
fn only_the_old_programs_own_names_go() {
    let theirs = [
        "2020-01-01T00:00:00Z_etcd",
        "2020-01-01T00:00:00Z_etcd.zip",
        "2020-01-01T00:00:00Z_etcd.gz",
        "2020-01-01T08:00:00+08:00_etcd.zip",
        "2020-01-01T08:00:00.5-08:00_etcd",
    ];
    let nobodys = [
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00Z_other",
        "2020-01-01T00:00:00Z_etcd.zst",
        "2020-01-01T00:00:00Z_etcd.bak",
        "2020-01-01T00:00:00Z_etcd.gz.zip",
        "2020-01-01T00-00-00Z_etcd.zip",
        "2020-01-01t00:00:00z_etcd",
        "2020-01-01 00:00:00Z_etcd",
        "x2020-01-01T00:00:00Z_etcd",
        "_etcd",
        "mysnapshot.zip",
        "rke_etcd_snapshot_2020-01-01T00:00:00Z.zip",
        "c-abcde-rl-x7k2p_2020-01-01T00:00:00Z.zip",
    ];
    let mut entries: Vec<_> = theirs.into_iter().chain(nobodys).map(stranger).collect();
    entries.push(entry(0));
    let mut theirs = theirs.map(str::to_owned);
    theirs.sort();
    assert_eq!(deleted(&entries, 1, 600), theirs);
    // Without the rule none does.
    let retention = Retention::Count(1);
    let ages = Ages::Trusted;
    let plan = retention.plan(
        &entries,
        GUARD,
        Method::Digest,
        at(600),
        ages,
        Foreign::Keep,
    );
    assert!(plan.iter().all(|verdict| !verdict.fate.is_delete()));
}

#[test]
fn what_is_not_past_the_limit_stays() {
    let entries: Vec<_> = (0..6).map(|i| old(i * 100)).chain([entry(600)]).collect();
    assert_eq!(deleted(&entries, 1, 600), objects(&entries[..3]));
}

#[test]
fn after_an_outage_theirs_and_ours_together_fill_the_floor() {
    let mut entries: Vec<_> = (0..8).map(|i| old(i * 50)).collect();
    // The first of ours comes when all of theirs are long past their age.
    entries.push(entry(100_000));
    assert_eq!(deleted(&entries, 6, 100_000), objects(&entries[..3]));
    for more in 1..=5 {
        entries.push(entry(100_000 + more * 50));
    }
    assert_eq!(deleted(&entries, 6, 100_250), objects(&entries[..8]));
}

#[test]
fn none_goes_before_one_of_ours_is_proved() {
    let entries: Vec<_> = (0..8).map(|i| old(i * 50)).collect();
    assert!(deleted(&entries, 1, 100_000).is_empty());
    // What waits for its verification makes none go either.
    let waiting: Vec<_> = entries.into_iter().chain([entry(99_999)]).collect();
    let retention = Retention::Count(1);
    let (ages, foreign) = (Ages::Trusted, Foreign::Age(LIMIT));
    let plan = retention.plan(&waiting, GUARD, Method::Deep, at(100_000), ages, foreign);
    assert!(plan.iter().all(|verdict| !verdict.fate.is_delete()));
}

#[test]
fn a_clock_that_jumped_deletes_none() {
    let entries: Vec<_> = (0..8).map(|i| old(i * 50)).chain([entry(400)]).collect();
    let plan = plan(&entries, 1, 100_000, Ages::Doubted);
    assert!(plan.iter().all(|verdict| !verdict.fate.is_delete()));
}

#[test]
fn one_that_lies_there_twice_counts_once_and_goes_whole() {
    let raw = stranger("2020-01-01T00:00:00Z_etcd");
    let zip = stranger("2020-01-01T00:00:00Z_etcd.zip");
    let entries = [raw.clone(), zip.clone(), entry(100_000)];
    assert!(deleted(&entries, 2, 100_000).is_empty());
    assert_eq!(deleted(&entries, 1, 100_000), objects(&[raw, zip]));
}

#[test]
fn the_words_for_where_they_go_are_the_rules() {
    use PruneForeign::{Everywhere, Local, Never};
    let rules = |it: PruneForeign| (it.here(LIMIT), it.there(LIMIT));
    assert_eq!(rules(Never), (Foreign::Keep, Foreign::Keep));
    assert_eq!(rules(Local), (Foreign::Age(LIMIT), Foreign::Keep));
    assert_eq!(
        rules(Everywhere),
        (Foreign::Age(LIMIT), Foreign::Age(LIMIT))
    );
}

proptest! {
    #[test]
    fn the_newest_so_many_stay_whoever_made_them(
        theirs in proptest::collection::btree_set(0_i64..2_000, 0..20),
        ours in proptest::collection::btree_set(0_i64..2_000, 1..20),
        floor in 1_usize..8,
        now in 2_000_i64..100_000,
    ) {
        let mut entries: Vec<_> = theirs.iter().map(|it| old(*it)).collect();
        entries.extend(ours.iter().map(|it| entry(*it)));
        let gone = deleted(&entries, floor, now);
        let all: BTreeSet<_> = theirs.union(&ours).collect();
        let newest = all.iter().rev().take(floor).map(|it| old(**it).object().to_string());
        for object in newest {
            prop_assert!(!gone.contains(&object), "{object} of {gone:?}");
        }
        // Done again, nothing more goes.
        entries.retain(|entry| !gone.contains(&entry.object().to_string()));
        prop_assert!(deleted(&entries, floor, now).is_empty());
    }

    #[test]
    fn any_name_is_read_without_harm(text in "\\PC{0,40}") {
        if let Ok(name) = SnapshotName::new(&format!("{text}_etcd")) {
            let _ = name.old_rolling_time(Codec::None);
        }
    }
}
