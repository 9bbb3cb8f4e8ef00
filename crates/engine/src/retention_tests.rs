use proptest::prelude::*;

use super::*;
use crate::Codec;
use crate::manifest::{Content, FORMAT, Stored, Verification};
use crate::name::TimeStyle;
use rollsnap_snapfile::Digest;

pub(crate) const GUARD: Guard = Guard {
    cluster: Id(1),
    member: Id(2),
    fellows: Fellows([None; 7]),
};

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_600_000_000 + seconds, 0).unwrap()
}

pub(crate) fn manifest(name: SnapshotName, order: u64, started_at: DateTime<Utc>) -> Manifest {
    let content = Content {
        digest: Digest([0; 32]),
        size: 544,
    };
    Manifest {
        format: FORMAT,
        name,
        class: Class::Rolling,
        order,
        cluster_id: GUARD.cluster,
        member_id: GUARD.member,
        member_name: None,
        etcd_version: "3.5.1".to_owned(),
        revision: 1,
        raft_term: 1,
        raft_applied_index: 1,
        database: content,
        stored: Stored {
            codec: Codec::None,
            content,
        },
        started_at,
        finished_at: started_at,
        tool: "test".to_owned(),
        verification: None,
        contents: None,
        members: Vec::new(),
        read_back: None,
        drill: None,
    }
}

pub(crate) fn entry(seconds: i64) -> Entry {
    let name = SnapshotName::rolling(at(seconds), TimeStyle::Rfc3339);
    let order = u64::try_from(at(seconds).timestamp_millis()).unwrap();
    let manifest = manifest(name.clone(), order, at(seconds));
    Entry {
        name,
        codec: Codec::None,
        size: 544,
        modified: None,
        standing: Standing::Proved(Box::new(manifest)),
    }
}

fn change(mut entry: Entry, change: impl FnOnce(&mut Manifest)) -> Entry {
    if let Standing::Proved(manifest) = &mut entry.standing {
        change(manifest);
    }
    entry
}

fn deleted(retention: Retention, entries: &[Entry], now: i64) -> Vec<String> {
    deleted_by(retention, entries, Method::Digest, now)
}

fn deleted_by(retention: Retention, entries: &[Entry], demand: Method, now: i64) -> Vec<String> {
    let plan = retention.plan(
        entries,
        GUARD,
        demand,
        at(now),
        Ages::Trusted,
        Foreign::Keep,
    );
    let mut names: Vec<_> = plan
        .iter()
        .filter(|v| v.fate.is_delete())
        .map(|v| v.name.to_string())
        .collect();
    names.sort();
    names
}

fn names(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.name.to_string()).collect()
}

#[test]
fn a_count_keeps_the_newest_so_many() {
    let entries: Vec<_> = (0..10).map(|i| entry(i * 60)).collect();
    assert_eq!(
        deleted(Retention::Count(6), &entries, 600),
        names(&entries[..4])
    );
}

#[test]
fn an_age_deletes_what_is_past_it_but_never_below_the_floor() {
    let entries: Vec<_> = (0..10).map(|i| entry(i * 60)).collect();
    let limit = Duration::from_secs(300);
    assert_eq!(
        deleted(Retention::Age { limit, floor: 1 }, &entries, 600),
        names(&entries[..5])
    );
    // A year of outage later everything is too old: the floor stays.
    let year = 31_536_000;
    assert_eq!(
        deleted(Retention::Age { limit, floor: 7 }, &entries, year),
        names(&entries[..3])
    );
}

#[test]
fn a_count_lasts_so_many_intervals_and_an_age_as_long_as_it_is() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    assert_eq!(Retention::Count(6).span(hours(12)), hours(72));
    let age = Retention::Age {
        limit: hours(24),
        floor: 2,
    };
    assert_eq!(age.span(hours(12)), hours(24));
    assert_eq!(
        Retention::Count(usize::MAX).span(Duration::MAX),
        Duration::MAX
    );
}

#[test]
fn an_age_told_by_a_clock_that_jumped_deletes_nothing() {
    let entries: Vec<_> = (0..10).map(|i| entry(i * 60)).collect();
    let retention = Retention::Age {
        limit: Duration::from_secs(300),
        floor: 1,
    };
    let plan = retention.plan(
        &entries,
        GUARD,
        Method::Digest,
        at(31_536_000),
        Ages::Doubted,
        Foreign::Keep,
    );
    assert!(
        plan.iter().all(|verdict| !verdict.fate.is_delete()),
        "{plan:?}"
    );
}

#[test]
fn a_snapshot_taken_after_the_clock_was_set_back_is_the_newest() {
    let mut entries: Vec<_> = (0..3).map(|i| entry(i * 60)).collect();
    let late = u64::try_from(at(120).timestamp_millis()).unwrap() + 1;
    entries.push(change(entry(-100_000), |manifest| manifest.order = late));
    let plan = Retention::Count(2).plan(
        &entries,
        GUARD,
        Method::Digest,
        at(-100_000),
        Ages::Trusted,
        Foreign::Keep,
    );
    assert_eq!(plan[0].name, entries[3].name);
    assert_eq!(
        deleted(Retention::Count(2), &entries, -100_000),
        names(&entries[..2])
    );
}

#[test]
fn what_is_not_ours_or_not_proved_is_left_alone_and_does_not_count() {
    let mut entries: Vec<_> = (0..4).map(|i| entry(i * 60)).collect();
    entries.push(change(entry(1000), |manifest| manifest.cluster_id = Id(9)));
    entries.push(change(entry(1001), |manifest| manifest.member_id = Id(9)));
    entries.push(change(entry(1002), |manifest| {
        manifest.class = Class::OneOff;
    }));
    entries.push(Entry {
        standing: Standing::Foreign,
        ..entry(1003)
    });
    entries.push(Entry {
        standing: Standing::Suspect(String::new()),
        ..entry(1004)
    });
    assert_eq!(
        deleted(Retention::Count(3), &entries, 2000),
        names(&entries[..1])
    );
}

fn verified(entry: Entry, result: Found) -> Entry {
    let mut entry = change(entry, |manifest| {
        let (at, took) = (manifest.finished_at, Duration::from_secs(1));
        let done = Verification::new(at, Method::Deep, result, &[], took);
        manifest.verification = Some(done);
    });
    entry.standing = match (entry.standing, result) {
        (Standing::Proved(manifest), Found::Disputed) => Standing::Disputed(manifest),
        (Standing::Proved(manifest), Found::Corrupt) => Standing::Corrupt(manifest),
        (standing, _) => standing,
    };
    entry
}

/// The entries a minute apart, as these letters tell: held, waiting, disputed, broken.
fn history(letters: &str) -> Vec<Entry> {
    let entries = letters.chars().zip(0..).map(|(letter, minute)| {
        let entry = entry(minute * 60);
        match letter {
            'h' => verified(entry, Found::Held),
            'd' => verified(entry, Found::Disputed),
            'b' => verified(entry, Found::Corrupt),
            _ => entry,
        }
    });
    entries.collect()
}

/// What is left of a history, oldest first, in the same letters.
fn left(retention: Retention, letters: &str, demand: Method) -> String {
    let entries = history(letters);
    let gone = deleted_by(retention, &entries, demand, 100_000);
    let kept = letters.chars().zip(&entries);
    let kept = kept.filter(|(_, entry)| !gone.contains(&entry.name.to_string()));
    kept.map(|(letter, _)| letter).collect()
}

#[test]
fn only_what_held_makes_what_held_go() {
    let count = |letters| left(Retention::Count(2), letters, Method::Deep);
    // What waits, is disputed or is broken, makes none go that held.
    assert_eq!(count("hhhww"), "hhww");
    assert_eq!(count("hhddd"), "hhdd");
    assert_eq!(count("hhbbb"), "hhbbb");
    assert_eq!(count("hwww"), "hww");
    // Once the newer ones have held, those that wait and are older go like any other.
    assert_eq!(count("wwhw"), "hw");
    assert_eq!(count("wwhh"), "hh");
    // Of each there is a bound.
    assert_eq!(count("wdhwdhwdhwd"), "hdhwd");
    let age = Retention::Age {
        limit: Duration::from_secs(60),
        floor: 2,
    };
    assert_eq!(left(age, "hhhwwwddd", Method::Deep), "hhwwdd");
}

#[test]
fn where_the_digest_is_proof_enough_a_deeper_one_makes_no_difference() {
    let count = |letters| left(Retention::Count(2), letters, Method::Digest);
    assert_eq!(count("hwhwhw"), "hw");
    assert_eq!(count("hhddd"), "hhdd");
    assert_eq!(count("wwwb"), "wwb");
}

#[test]
fn a_reason_tells_what_a_snapshot_counts_for() {
    let entries = history("wdhb");
    let plan = Retention::Count(1).plan(
        &entries,
        GUARD,
        Method::Deep,
        at(600),
        Ages::Trusted,
        Foreign::Keep,
    );
    let reasons: Vec<_> = plan
        .iter()
        .map(|verdict| verdict.fate.reason().to_string())
        .collect();
    assert_eq!(
        reasons,
        [
            "newest proved snapshot",
            "number 1 of 1 kept of those that members dispute",
            "number 2, 1 are kept; it is not verified yet",
            "it is broken; kept until deleted by hand",
        ]
    );
}

fn retention() -> impl Strategy<Value = Retention> {
    prop_oneof![
        (1usize..8).prop_map(Retention::Count),
        (1u64..2000, 1usize..8).prop_map(|(limit, floor)| Retention::Age {
            limit: Duration::from_secs(limit),
            floor
        }),
        (1usize..8, prop::array::uniform4(0usize..6)).prop_map(|(count, counts)| {
            let zone = "Asia/Kolkata".parse().unwrap();
            Retention::Tiered {
                count,
                tiers: Tiers { counts, zone },
            }
        }),
    ]
}

proptest! {
    #[test]
    fn the_newest_stays_and_order_and_repetition_change_nothing(
        retention in retention(),
        seconds in prop::collection::btree_set(0i64..3000, 0..20),
        strangers in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        now in 0i64..100_000,
        shuffle in any::<u64>(),
    ) {
        let mut entries: Vec<_> = seconds.iter().map(|s| entry(*s)).collect();
        for stranger in strangers {
            if !entries.is_empty() {
                let index = stranger.index(entries.len());
                entries[index].standing = Standing::Foreign;
            }
        }
        let gone = deleted(retention, &entries, now);
        if let Some(newest) = entries.iter().rfind(|e| e.proved().is_some()) {
            prop_assert!(!gone.contains(&newest.name.to_string()));
        }
        let foreign = entries.iter().filter(|e| e.proved().is_none());
        prop_assert!(foreign.clone().all(|e| !gone.contains(&e.name.to_string())));

        let mut shuffled = entries.clone();
        shuffled.sort_by_key(|e| e.name.to_string().bytes().fold(shuffle, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(byte))
        }));
        prop_assert_eq!(&deleted(retention, &shuffled, now), &gone);

        entries.retain(|e| !gone.contains(&e.name.to_string()));
        prop_assert!(deleted(retention, &entries, now).is_empty());
    }

    #[test]
    fn whatever_was_found_the_newest_that_held_stays_and_the_disk_is_bounded(
        retention in retention(),
        letters in "[hwdb]{0,24}",
        now in 0i64..100_000,
    ) {
        let entries = history(&letters);
        let gone = deleted_by(retention, &entries, Method::Deep, now);
        let of = |letter: char| {
            let pairs = letters.chars().zip(&entries);
            pairs.filter(move |(found, _)| *found == letter).map(|(_, entry)| entry.name.to_string())
        };
        for letter in ['h', 'd'] {
            if let Some(newest) = of(letter).last() {
                prop_assert!(!gone.contains(&newest), "{letter}");
            }
        }
        prop_assert!(of('b').all(|name| !gone.contains(&name)));

        // What was not there could not have made anything go that held.
        let mut held = entries.clone();
        held.retain(|entry| of('h').any(|name| name == entry.name.to_string()));
        let alone = deleted_by(retention, &held, Method::Deep, now);
        let gone_held: Vec<_> = gone.iter().filter(|name| of('h').any(|held| held == **name)).cloned().collect();
        prop_assert_eq!(gone_held, alone);

        // A demand that is less deep deletes at least as much.
        let by_digest = deleted_by(retention, &entries, Method::Digest, now);
        prop_assert!(gone.iter().all(|name| by_digest.contains(name)));

        if let Retention::Count(count) = retention {
            for letter in ['h', 'w', 'd'] {
                let kept = of(letter).filter(|name| !gone.contains(name)).count();
                prop_assert!(kept <= count, "{letter}: {kept}");
            }
        }
        let mut rest = entries.clone();
        rest.retain(|entry| !gone.contains(&entry.name.to_string()));
        prop_assert!(deleted_by(retention, &rest, Method::Deep, now).is_empty());
    }
}
