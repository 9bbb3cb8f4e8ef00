//! The room that everything takes adds up, and the fates of records are those that the status
//! counts.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rollsnap_snapfile::mvcc::{Fate, live, revisions, usage};
use rollsnap_snapfile::{SnapshotError, status};

use crate::goldens;

#[test]
fn every_record_of_a_real_database_has_one_fate_and_its_room() {
    for golden in goldens::all() {
        let file = &&golden.bytes[..];
        let mut counts = BTreeMap::new();
        let mut size = 0;
        let mut alive = Vec::new();
        let usage = usage(file, &mut |stored| {
            *counts.entry(format!("{:?}", stored.fate)).or_insert(0) += 1;
            size += stored.size;
            if stored.fate == Fate::Live {
                alive.push((stored.change.revision, stored.record.key.to_vec()));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        let (_, status) = status(file, &mut |_| ControlFlow::Continue(())).unwrap();
        let count = |fate: &str| counts.get(fate).copied().unwrap_or(0);
        assert_eq!(count("Live"), status.live_keys, "{}", golden.name);
        assert_eq!(count("Tombstone"), status.tombstones, "{}", golden.name);
        assert_eq!(count("Superseded"), status.superseded(), "{}", golden.name);
        assert_eq!(usage.total_size, status.total_size, "{}", golden.name);
        assert_eq!(usage.bytes_in_use, status.bytes_in_use, "{}", golden.name);
        assert_eq!(usage.revision, status.store_revision, "{}", golden.name);
        assert_eq!(*revisions(file).unwrap().end(), status.store_revision);

        let records = usage.buckets.iter().find(|bucket| bucket.name == b"key");
        assert_eq!(records.unwrap().size, size, "{}", golden.name);
        assert_eq!(records.unwrap().pairs, status.records, "{}", golden.name);
        let pairs: u64 = usage.buckets.iter().map(|bucket| bucket.pairs).sum();
        assert_eq!(pairs, status.entries, "{}", golden.name);
        let all: u64 = usage.buckets.iter().map(|bucket| bucket.size).sum();
        assert!(all < usage.bytes_in_use, "{}", golden.name);

        let mut expected = Vec::new();
        live(file, None, b"", &mut |key| {
            expected.push((key.revision, key.record.key.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(alive, expected, "{}", golden.name);
    }
}

#[test]
fn room_in_a_damaged_database_is_not_told() {
    let golden = goldens::named("3.5.1");
    let mut cut = golden.bytes.clone();
    cut.truncate(cut.len() / 2);
    let mut noise = golden.bytes;
    let from = noise.len() / 3;
    noise[from..].fill(0x5a);
    for bytes in [cut, noise] {
        let told = usage(&bytes, &mut |_| ControlFlow::Continue(()));
        assert!(matches!(told, Err(SnapshotError::Corrupt(_))), "{told:?}");
    }
}
