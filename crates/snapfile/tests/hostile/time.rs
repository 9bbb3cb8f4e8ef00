//! No page is read twice, no byte belongs to two elements, no tree goes on for ever.

use std::io::Cursor;

use rollsnap_snapfile::bolt::{Builder, Database};
use rollsnap_snapfile::{ReadAt, mvcc, verify};

use super::forged::{BUCKET, Element, Forged, inline};
use super::{ControlFlow, assert_told, examine, faults};

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;

/// Keys of a branch, each a few bytes.
fn room_for(children: u64) -> u64 {
    16 + children * 20
}

#[test]
fn long_pages_that_are_named_again_and_again_are_read_once() {
    let children = 3000;
    let mut file = Forged::new(PAGE, 4 + 16 + 2 * 4096, b"key");
    let overflow = file.overflow(16 * MIB);
    let (one, other) = (20, 20 + 4096);
    file.leaf(one, overflow, &[(0, b"a", b"")]);
    file.leaf(other, overflow, &[(0, b"b", b"")]);
    let above = file.overflow(room_for(children));
    file.branch_to(
        3,
        above,
        (0..children).map(|n| if n % 2 == 0 { one } else { other }),
    );
    assert_told(&examine(&file), "is named twice");
    assert!(file.bytes_read() < 2 * file.size_in_bytes());
}

#[test]
fn long_pages_that_lie_in_each_other_are_read_once() {
    let run = 8192;
    let first = 64;
    let mut file = Forged::new(PAGE, first + run, b"key");
    for page in 0..run {
        file.leaf(first + page, (run - page - 1) as u32, &[(0, b"a", b"")]);
    }
    let above = file.overflow(room_for(run));
    file.branch_to(3, above, (first..first + run).rev());
    assert_told(&examine(&file), "has overflow that is another page's");
    assert!(file.bytes_read() < 4 * file.size_in_bytes());
}

#[test]
fn broken_pages_that_are_named_again_and_again_are_read_once() {
    let children = 60_000;
    let page = 64 * 1024;
    let mut file = Forged::new(page, 64, b"key");
    let above = file.overflow(room_for(children));
    // Both are zeros, and too far apart to be read together.
    file.branch_to(
        3,
        above,
        (0..children).map(|n| if n % 2 == 0 { 40 } else { 60 }),
    );
    let report = examine(&file);
    assert_told(
        &report,
        "page 40, bucket \"key\": carries another page's number",
    );
    assert!(report.unlisted > 50_000);
    assert!(file.bytes_read() < 2 * file.size_in_bytes());
}

#[test]
fn pages_below_do_not_make_those_beside_them_be_read_again() {
    let branches = 3000;
    let mut file = Forged::new(PAGE, 64 + 2 * branches, b"key");
    for n in 0..branches {
        let key = (n as u32).to_be_bytes();
        file.branch(64 + n, 0, &[(key.to_vec(), 64 + branches + n)]);
        file.leaf(64 + branches + n, 0, &[(0, &key, b"")]);
    }
    let above = file.overflow(room_for(branches));
    file.branch_to(3, above, 64..64 + branches);
    examine(&file);
    assert!(
        file.bytes_read() < 3 * file.size_in_bytes(),
        "{}",
        file.bytes_read()
    );
}

/// As after years of compactions, where new pages take the place of old ones anywhere.
#[test]
fn scattered_leaves_are_read_without_what_lies_between() {
    let leaves = 10_007;
    let mut file = Forged::new(PAGE, 128 + leaves, b"x");
    for n in 0..leaves {
        file.leaf(128 + n, 0, &[(0, b"a", b"")]);
    }
    let above = file.overflow(room_for(leaves));
    file.branch_to(3, above, (0..leaves).map(|n| 128 + n * 5003 % leaves));
    examine(&file);
    assert!(file.bytes_read() < 2 * file.size_in_bytes());
}

/// Each pair of elements has one bucket between them, forty deep: a walk that believed them would
/// take 2^40 steps.
#[test]
fn buckets_that_share_their_bytes_are_a_fault_and_not_followed_for_ever() {
    let mut value = inline(&[], b"");
    for _ in 0..40 {
        let len = value.len() as u32;
        let both = [[BUCKET, 32, 1, len], [BUCKET, 16, 1, len]];
        value = inline(&both, &[b"k", &value[..]].concat());
    }
    let mut file = Forged::new(PAGE * 4, 4, b"key");
    file.leaf(3, 0, &[(BUCKET, b"b", &value)]);
    assert_told(&examine(&file), "has leaf elements that share bytes");
}

#[test]
fn a_megabyte_that_every_pair_claims_is_hashed_once() {
    let count = 60_000;
    let mut file = Forged::new(PAGE, 4 + 1024, b"key");
    let elements: Vec<Element> = (0..count)
        .map(|n| [0, (count - n) * 16, 4, 2 << 20])
        .collect();
    let overflow = file.overflow(4 * MIB);
    file.leaf_of(3, overflow, &elements, b"");
    assert_told(&examine(&file), "has leaf elements that share bytes");
}

#[test]
fn an_empty_leaf_below_a_branch_is_a_fault() {
    let mut file = Forged::new(PAGE, 6, b"x");
    file.branch(3, 0, &[(b"a".to_vec(), 4), (b"b".to_vec(), 5)]);
    file.leaf(4, 0, &[(0, b"a", b"")]);
    file.leaf(5, 0, &[]);
    let report = examine(&file);
    let what = "page 5, bucket \"x\": is a leaf without keys below a branch";
    assert_eq!(faults(&report), [what]);
}

/// The stack too: a quarter of what a thread of Rust's has.
#[test]
fn trees_and_buckets_a_thousand_deep_end_at_64() {
    let mut branches = Forged::new(PAGE, 1100, b"key");
    for page in 3..1003 {
        branches.branch(page, 0, &[(b"a".to_vec(), page + 1)]);
    }
    let mut value = inline(&[], b"");
    for _ in 0..1000 {
        let one = [[BUCKET, 16, 1, value.len() as u32]];
        value = inline(&one, &[b"k", &value[..]].concat());
    }
    let mut buckets = Forged::new(64 * 1024, 5, b"key");
    buckets.leaf(3, 1, &[(BUCKET, b"b", &value)]);
    let deep = move || {
        assert_told(&examine(&branches), "lies too deep: the tree has no end");
        assert!(mvcc::last_revision(&branches).is_err());
        assert_told(&examine(&buckets), "lies too deep: the buckets have no end");
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    thread.spawn(deep).unwrap().join().unwrap();
}

/// A page that names itself, or one above it.
#[test]
fn a_tree_that_bites_its_tail_is_walked_once() {
    for tail in [2, 3, 4] {
        let mut file = Forged::new(PAGE, 5, b"key");
        file.branch(3, 0, &[(b"a".to_vec(), 4)]);
        file.branch(4, 0, &[(b"a".to_vec(), tail)]);
        assert_told(&examine(&file), "is named twice");
        assert!(mvcc::last_revision(&file).is_err());
        assert!(mvcc::hash_kv(&file, None, None).is_err());
    }
}

/// A sound database in memory, and a count of all bytes that were read.
struct Counted(Vec<u8>, std::sync::atomic::AtomicU64);

impl ReadAt for Counted {
    fn size(&self) -> std::io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        let len = buf.len() as u64;
        self.1.fetch_add(len, std::sync::atomic::Ordering::Relaxed);
        self.0.read_at(offset, buf)
    }
}

impl Counted {
    fn large() -> Self {
        let mut database = Builder::new(Cursor::new(Vec::new())).unwrap();
        database.bucket(b"x").unwrap();
        for key in 0_u32..200_000 {
            database.put(&key.to_be_bytes(), &[b'v'; 40]).unwrap();
        }
        let (file, _) = database.finish_with_trailer().unwrap();
        Self(file.into_inner(), 0.into())
    }

    fn read(&self) -> u64 {
        self.1.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn to_verify_a_sound_file_takes_two_passes_over_it() {
    let file = Counted::large();
    let report = verify(&file, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(report.is_proved());
    let size = file.size().unwrap();
    assert!(
        file.read() < 2 * size + size / 10,
        "{} of {size}",
        file.read()
    );
}

#[test]
fn one_key_costs_a_page_of_each_level() {
    let file = Counted::large();
    let database = Database::open(&file).unwrap();
    let found = database.get(b"x", &77_777_u32.to_be_bytes()).unwrap();
    assert_eq!(found, Some(vec![b'v'; 40]));
    // The leaf of the buckets, two levels of branches, a leaf; and both metas.
    assert!(file.read() < 6 * PAGE, "{}", file.read());
}
