//! Two databases are told apart as their models are.

use std::collections::BTreeMap;

use rollsnap_snapfile::SnapshotError;
use rollsnap_snapfile::mvcc::{Difference, difference};

use crate::chance::Chance;
use crate::goldens;
use crate::pairs::build;
use crate::store::{KeyValue, Store};

fn class(key: &[u8]) -> String {
    format!("{:?}", key.first())
}

fn expected(here: &Store, there: &Store) -> BTreeMap<String, Difference> {
    let by_key = |store: &Store| -> BTreeMap<Vec<u8>, KeyValue> {
        let all = store.range(store.last).into_iter();
        all.map(|record| (record.key.clone(), record)).collect()
    };
    let (here, there) = (by_key(here), by_key(there));
    let mut found: BTreeMap<String, Difference> = BTreeMap::new();
    for (key, record) in &here {
        let counts = found.entry(class(key)).or_default();
        counts.here += 1;
        match there.get(key) {
            None => counts.only_here += 1,
            Some(other) => {
                counts.changed += u64::from(other.value != record.value);
                counts.kin += u64::from(other.create_revision == record.create_revision);
            }
        }
    }
    for key in there.keys() {
        let counts = found.entry(class(key)).or_default();
        counts.there += 1;
        counts.only_there += u64::from(!here.contains_key(key));
    }
    found
}

#[test]
fn what_a_store_became_is_told_apart_from_what_it_was() {
    let mut seen = Difference::default();
    for seed in 0..100 {
        let chance = &mut Chance::seeded(seed);
        let here = Store::lived(chance);
        let mut there = here.clone();
        there.live_on(chance);
        let stranger = Store::lived(chance);
        for other in [&there, &stranger] {
            let files = [&here, other].map(|store| build(&store.buckets(chance), 4096));
            let told = difference(&files[0], &files[1], &class).unwrap();
            assert_eq!(told, expected(&here, other), "database {seed}");
            seen = told.into_values().fold(seen, Difference::and);
        }
    }
    let Difference {
        only_there,
        only_here,
        changed,
        kin,
        ..
    } = seen;
    for count in [only_there, only_here, changed, kin] {
        assert!(count > 100, "{seen:?}");
    }
}

#[test]
fn a_database_is_no_other_than_itself_and_a_broken_one_is_told() {
    for golden in goldens::all() {
        let told = difference(&golden.bytes, &golden.bytes, &class).unwrap();
        let all = told
            .into_values()
            .fold(Difference::default(), Difference::and);
        assert_eq!(
            (all.here, all.kin),
            (all.there, all.there),
            "{}",
            golden.name
        );
        assert_eq!(
            all.only_here + all.only_there + all.changed,
            0,
            "{}",
            golden.name
        );
    }
    let whole = goldens::named("3.5.1").bytes;
    let cut = whole[..whole.len() / 2].to_vec();
    for [here, there] in [[&whole, &cut], [&cut, &whole]] {
        let told = difference(here, there, &class);
        assert!(matches!(told, Err(SnapshotError::Corrupt(_))), "{told:?}");
    }
}
