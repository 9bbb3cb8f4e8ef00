use proptest::prelude::*;

use super::*;
use crate::Codec;
use crate::manifest::{Content, FORMAT, Stored};
use crate::name::TimeStyle;
use rollsnap_snapfile::Digest;

const GUARD: Guard = Guard {
    cluster: Id(1),
    member: Id(2),
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_600_000_000 + seconds, 0).unwrap()
}

fn manifest(name: SnapshotName, order: u64, started_at: DateTime<Utc>) -> Manifest {
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
    }
}

fn entry(seconds: i64) -> Entry {
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
    let plan = retention.plan(entries, GUARD, at(now), Ages::Trusted);
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
    let plan = retention.plan(&entries, GUARD, at(31_536_000), Ages::Doubted);
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
    let plan = Retention::Count(2).plan(&entries, GUARD, at(-100_000), Ages::Trusted);
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

fn retention() -> impl Strategy<Value = Retention> {
    prop_oneof![
        (1usize..8).prop_map(Retention::Count),
        (1u64..2000, 1usize..8).prop_map(|(limit, floor)| Retention::Age {
            limit: Duration::from_secs(limit),
            floor
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
}
