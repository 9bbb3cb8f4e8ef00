//! The most that the process held, beside what the documentation says.

use std::io::Write as _;
use std::ops::ControlFlow;

use rollsnap_snapfile::bolt::{BoltError, Builder, Database};
use rollsnap_snapfile::index::{KeyIndex, get_by_index};
use rollsnap_snapfile::mvcc::{self, Revision};
use rollsnap_snapfile::verify_and_index;

use super::forged::{BUCKET, Element, Forged};
use super::{assert_told, examine};

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;
/// What the process holds before it does anything, generously.
const SELF: u64 = 16 * MIB;

/// Bytes that the process held at most, ever: `VmHWM` of proc(5).
fn most_held() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap() * 1024
}

#[track_caller]
fn assert_held_less_than(bytes: u64) {
    let held = most_held();
    assert!(held < SELF + bytes, "{} MiB", held / MIB);
}

/// `Database` and the walk: the largest page with its overflow, at most 256 MiB.
#[test]
fn a_page_of_gigabytes_is_not_believed_and_one_of_256_mib_is_held_once() {
    let mut file = Forged::new(PAGE, (600 * MIB) / PAGE, b"key");
    let overflow = file.overflow(500 * MIB);
    file.leaf(3, overflow, &[]);
    assert_told(&examine(&file), "has more overflow than 256 MiB");
    assert_held_less_than(8 * MIB);
    let overflow = file.overflow(256 * MIB);
    file.leaf(3, overflow, &[]);
    examine(&file);
    assert_held_less_than(264 * MIB);
}

/// Branches and leaves of buckets are kept while the pages below them are walked.
#[test]
fn branches_below_branches_are_kept_up_to_32_mib_in_all() {
    let levels = 40;
    let mut file = Forged::new(PAGE, 4 + levels * 8 * MIB / PAGE, b"key");
    let overflow = file.overflow(8 * MIB);
    for level in 0..levels {
        let page = 3 + level * 8 * MIB / PAGE;
        file.branch(page, overflow, &[(b"a".to_vec(), page + 8 * MIB / PAGE)]);
    }
    assert_told(
        &examine(&file),
        "holds more than bbolt puts above other pages",
    );
    assert_held_less_than((32 + 8 + 8) * MIB);
}

#[test]
fn buckets_that_claim_the_same_bytes_are_not_copied_for_each() {
    let count = 20_000;
    let mut file = Forged::new(PAGE, 4 + 1024, b"key");
    let elements: Vec<Element> = (0..count)
        .map(|n| [BUCKET, (count - n) * 16, 4, 2 << 20])
        .collect();
    let overflow = file.overflow(4 * MIB);
    file.leaf_of(3, overflow, &elements, b"");
    examine(&file);
    assert_held_less_than(16 * MIB);
}

#[test]
fn buckets_within_a_bucket_are_kept_up_to_32_mib_in_all() {
    let count = 60;
    let mut file = Forged::new(PAGE, 4 + 64 * MIB / PAGE, b"key");
    let elements: Vec<Element> = (0..count)
        .map(|n| [BUCKET, (count - n) * 16 + n * (1 << 20), 1, (1 << 20) - 1])
        .collect();
    let overflow = file.overflow(62 * MIB);
    file.leaf_of(3, overflow, &elements, b"");
    assert_told(
        &examine(&file),
        "holds more than bbolt puts above other pages",
    );
    assert_held_less_than((64 + 32 + 4) * MIB);
}

/// `Report`: 100 findings, each with a kilobyte of key and of bucket.
#[test]
fn findings_do_not_keep_what_broken_pages_call_keys() {
    let leaves: u64 = 150;
    let mut file = Forged::new(PAGE, 16 + leaves * MIB / PAGE, b"x");
    file.branch_to(3, 1, (0..leaves).map(|n| 16 + n * MIB / PAGE));
    let overflow = file.overflow(MIB);
    for n in 0..leaves {
        let page = 16 + n * MIB / PAGE;
        file.leaf_of(page, overflow, &[[0, 16, (MIB - 64) as u32, 0]], &[0xff]);
    }
    let report = examine(&file);
    assert_told(&report, "has a key of more than 32 KiB");
    let kept = |finding: &rollsnap_snapfile::Finding| finding.key.as_ref().map_or(0, Vec::len);
    assert!(report.findings.iter().map(kept).all(|kept| kept <= 1024));
    assert_held_less_than(16 * MIB);
}

/// `Status`: descriptions of members are kept, and grow when they are read.
#[test]
fn members_are_kept_up_to_a_megabyte_of_descriptions() {
    let members: u64 = 40;
    let mut file = Forged::new(PAGE, 16 + members * MIB / PAGE, b"members");
    file.branch_to(3, 0, (0..members).map(|n| 16 + n * MIB / PAGE));
    let overflow = file.overflow(MIB);
    let urls = "\"\",".repeat(300_000);
    let json = format!(r#"{{"id":1,"peerURLs":[{urls}""]}}"#);
    for n in 0..members {
        let page = 16 + n * MIB / PAGE;
        let key = (n as u32).to_be_bytes();
        file.leaf(page, overflow, &[(0, &key, json.as_bytes())]);
    }
    let report = examine(&file);
    assert_told(&report, "is larger than etcd would write it");
    assert_eq!(report.status.map(|status| status.members.len()), Some(1));
    // The file itself is kept here too.
    assert_held_less_than((40 + 24) * MIB);
}

#[test]
fn a_free_list_is_held_once() {
    let mut file = Forged::with_free_list(PAGE, 4 + 64 * MIB / PAGE, 3);
    let overflow = file.overflow(64 * MIB);
    file.leaf(2, 0, &[]);
    file.free_list(3, overflow, (64 * MIB - 24) / 8);
    assert_told(&examine(&file), "is free and lies outside the file");
    assert_held_less_than((64 + 16) * MIB);
}

/// A bit for each page, and 2^28 pages at most.
#[test]
fn the_largest_file_that_is_believed_costs_32_mib_and_a_larger_one_nothing() {
    let file = Forged::new(1024, (1 << 28) + 1, b"key");
    let opened = Database::open(&file);
    assert!(matches!(opened, Err(BoltError::Large { .. })), "{opened:?}");
    assert_held_less_than(MIB);
    let mut file = Forged::new(1024, 1 << 28, b"key");
    file.leaf(3, 0, &[]);
    mvcc::hash_kv(&file, None, None).unwrap();
    assert_held_less_than((32 + 4) * MIB);
}

/// `verify`, its index, and `hash_kv`: about 24 MiB and a bit for each page and record, however many keys there
/// are. Half a million are known at a time, the others in passes of their own.
#[test]
fn more_keys_than_are_known_at_a_time_cost_time_and_not_memory() {
    let count: u64 = 600_000;
    let mut database = Builder::new(tempfile::tempfile().unwrap()).unwrap();
    database.bucket(b"key").unwrap();
    for main in 2..count + 2 {
        // Field 1 the key, 2 to 4 numbers of three bytes and one.
        let number = [main & 127 | 128, main >> 7 & 127 | 128, main >> 14].map(|byte| byte as u8);
        let key = main.to_be_bytes();
        let record = [&[10, 8][..], &key, &[16], &number, &[24], &number, &[32, 1]].concat();
        let revision = Revision { main, sub: 0 };
        database.put(&revision.to_bytes(), &record).unwrap();
    }
    let (file, _) = database.finish_with_trailer().unwrap();
    let mut index = tempfile::tempfile().unwrap();
    let mut heed = |_| ControlFlow::Continue(());
    let report = verify_and_index(&file, &mut heed, &mut |piece| {
        index.write_all(piece).unwrap();
    });
    let report = report.unwrap();
    assert!(report.is_proved(), "{:?}", report.findings);
    assert_eq!(report.status.map(|status| status.live_keys), Some(count));
    assert_eq!(KeyIndex::open(&index).unwrap().len(), count);
    for main in (2..count + 2).step_by(997) {
        let found = get_by_index(&file, &index, &main.to_be_bytes()).unwrap();
        assert_eq!(found.map(|key| key.revision.main), Some(main));
    }
    mvcc::hash_kv(&file, None, None).unwrap();
    assert_held_less_than(24 * MIB);
}
