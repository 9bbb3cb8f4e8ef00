//! The builder, read back by our reader and by etcd's.

use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::ops::ControlFlow;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use rollsnap_snapfile::bolt::{BuildError, Builder, Database};
use rollsnap_snapfile::{status, verify};

use crate::anatomy::Anatomy;
use crate::pairs::{Buckets, Pairs, build, hash};
use crate::{etcdutl, goldens};

fn go_on<T>(_: T) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn page_sizes() -> impl Strategy<Value = u32> {
    (0_u32..=6).prop_map(|shift| 1024 << shift)
}

fn bytes(len: impl Strategy<Value = usize>) -> impl Strategy<Value = Vec<u8>> {
    (len, any::<u64>()).prop_map(|(len, seed)| {
        let mut state = seed | 1;
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    })
}

/// Empty buckets, inline ones, one leaf, trees; values within, around and far beyond a page.
fn pairs() -> impl Strategy<Value = Pairs> {
    let keys = || bytes(prop_oneof![8 => 1..40_usize, 2 => 40..600_usize, 1 => 3000..3500_usize]);
    let values = bytes(prop_oneof![
        2 => Just(0), 10 => 1..80_usize, 3 => 200..1200_usize, 2 => 3900..4200_usize,
        1 => 10_000..300_000_usize,
    ]);
    let long_keys = || bytes(200..450_usize);
    prop_oneof![
        1 => Just(Pairs::new()),
        3 => btree_map(keys(), bytes(0..40_usize), 1..6),
        4 => btree_map(keys(), values, 1..60),
        3 => btree_map(vec(any::<u8>(), 1..12), bytes(0..20_usize), 300..900),
        // Few of these fit a branch of small pages: deep trees.
        2 => btree_map(long_keys(), bytes(0..30_usize), 100..400),
    ]
}

/// Names that mean nothing to etcd, so that any pairs will do.
fn buckets() -> impl Strategy<Value = Buckets> {
    let names = vec(any::<u8>(), 0..20).prop_map(|name| [b"x", &*name].concat());
    btree_map(names, pairs(), 0..9)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_was_built_is_read_back(buckets in buckets(), page_size in page_sizes()) {
        let file = build(&buckets, page_size);
        let report = verify(&&file[..], &mut go_on).unwrap();
        prop_assert!(report.is_proved(), "{:?}", report.findings);
        let status = report.status.unwrap();
        prop_assert_eq!(status.hash, hash(&buckets));
        prop_assert_eq!(status.entries, buckets.values().map(|pairs| pairs.len() as u64).sum::<u64>());
        prop_assert_eq!(status.total_size + 32, file.len() as u64);
        // Nothing is free in a new file, unless it would be too short for bbolt.
        prop_assert!(status.bytes_in_use == status.total_size || status.total_size == 4096);
        prop_assert_eq!(status.page_size, page_size);

        let file = &file[..];
        let database = Database::open(&file).unwrap();
        for (name, pairs) in &buckets {
            prop_assert_eq!(database.last_key(name).unwrap(), pairs.keys().last().cloned());
            for (key, value) in pairs.iter().step_by(1 + pairs.len() / 40) {
                let found = database.get(name, key).unwrap();
                prop_assert_eq!(found.as_ref(), Some(value));
                let after = [&**key, b"\0"].concat();
                if !pairs.contains_key(&after) {
                    prop_assert_eq!(database.get(name, &after).unwrap(), None);
                }
            }
        }
        prop_assert_eq!(database.get(b"no such bucket", b"key").unwrap(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn bbolts_own_check_accepts_what_was_built(buckets in buckets(), page_size in page_sizes()) {
        let mut buckets = buckets;
        // etcdutl opens the bucket of records without asking whether it is there.
        buckets.insert(b"key".to_vec(), Pairs::new());
        let file = build(&buckets, page_size);
        let (_, ours) = status(&&file[..], &mut go_on).unwrap();
        let theirs = etcdutl::status(&file).map_err(TestCaseError::fail)?;
        prop_assert_eq!(theirs.by_ours(&ours), theirs);
    }
}

#[test]
fn a_deep_tree_with_two_children_a_branch_is_accepted_by_all() {
    // Two keys of 440 bytes fill a branch of 1 KiB: 200 pairs are eight levels.
    let pairs = (0_u32..200).map(|n| (vec_of(n, 440), vec![b'v'; 100]));
    let buckets = Buckets::from([
        (b"key2".to_vec(), pairs.collect()),
        (b"key".to_vec(), Pairs::new()),
    ]);
    let file = build(&buckets, 1024);
    let report = verify(&&file[..], &mut go_on).unwrap();
    assert_eq!(report.findings, []);
    let theirs = etcdutl::status(&file).unwrap();
    assert_eq!(theirs.by_ours(&report.status.unwrap()), theirs);
    assert_eq!(theirs.hash, hash(&buckets));
}

/// bbolt finds no meta in a file of less than 4 KiB.
#[test]
fn the_smallest_database_is_accepted_at_every_page_size() {
    for page_size in (0..=6).map(|shift| 1024 << shift) {
        let nothing = Buckets::from([(b"key".to_vec(), Pairs::new())]);
        let file = build(&nothing, page_size);
        assert_eq!(etcdutl::status(&file).unwrap().total_key, 0);
        let report = verify(&&file[..], &mut go_on).unwrap();
        assert!(report.is_proved(), "{:?}", report.findings);
    }
}

fn vec_of(number: u32, len: usize) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(len, b'k');
    bytes
}

#[test]
fn the_largest_key_and_a_value_of_many_pages_are_taken() {
    let pairs = Pairs::from([
        (vec![1; 32 * 1024], vec![2; 40_000_000]),
        (vec![3; 32 * 1024], vec![]),
        (vec![4; 32 * 1024], vec![5; 70_000]),
    ]);
    let buckets = Buckets::from([(b"key".to_vec(), Pairs::new()), (b"x".to_vec(), pairs)]);
    for page_size in [1024, 4096, 65536] {
        let file = build(&buckets, page_size);
        let report = verify(&&file[..], &mut go_on).unwrap();
        assert_eq!(report.findings, []);
        let theirs = etcdutl::status(&file).unwrap();
        assert_eq!(theirs.by_ours(&report.status.unwrap()), theirs);
    }
}

/// What bbolt would do with the same pairs: one leaf of a quarter page goes inline, one more byte
/// and it has a page of its own.
#[test]
fn a_bucket_is_inline_up_to_a_quarter_of_a_page() {
    for (value, pages) in [(1024 - 16 - 16 - 1, 3), (1024 - 16 - 16, 4)] {
        let pairs = Pairs::from([(b"k".to_vec(), vec![b'v'; value])]);
        let file = build(&Buckets::from([(b"key".to_vec(), pairs)]), 4096);
        assert_eq!(file.len(), pages * 4096 + 32);
    }
}

#[test]
fn pages_are_filled_to_nine_tenths() {
    let pairs: Pairs = (0_u32..100_000)
        .map(|n| (vec_of(n, 17), vec![b'v'; 50]))
        .collect();
    // Header 16, and 16 + 17 + 50 a pair: 44 fit 3,686 bytes. Branches: 16 + 17 a child, 111 fit.
    let (leaves, branches) = (
        100_000_usize.div_ceil(44),
        100_000_usize.div_ceil(44).div_ceil(111),
    );
    let file = build(&Buckets::from([(b"key".to_vec(), pairs)]), 4096);
    // Two metas, the leaves, the branches above, the one above those, the leaf of the buckets.
    assert_eq!(file.len(), (2 + leaves + branches + 1 + 1) * 4096 + 32);
}

#[test]
fn two_pairs_share_a_leaf_where_that_saves_a_page() {
    // Apart 1 + 1, 1 + 1, 2 + 2 and 11 + 11 pages; together 1, 2, 3 and 21.
    for (value, leaves) in [(2000, 50), (2100, 100), (5000, 150), (42_000, 1100)] {
        let pairs = (0..100).map(|n| (vec_of(n, 17), vec![b'v'; value]));
        let file = build(&Buckets::from([(b"key".to_vec(), pairs.collect())]), 4096);
        // The metas, a branch, the leaf of the buckets.
        assert_eq!(file.len(), (2 + leaves + 1 + 1) * 4096 + 32, "{value}");
    }
}

#[test]
fn what_is_built_is_no_larger_than_what_etcds_own_defragmentation_leaves() {
    for golden in goldens::all() {
        let buckets = Anatomy::of(&golden.bytes).buckets();
        let page_size = if golden.name.ends_with("16k") {
            16384
        } else {
            4096
        };
        let file = build(&buckets, page_size);
        assert!(file.len() <= golden.bytes.len() + 32, "{}", golden.name);
        let report = verify(&&file[..], &mut go_on).unwrap();
        assert!(report.is_proved(), "{}: {:?}", golden.name, report.findings);
        let (_, theirs) = status(&&golden.bytes[..], &mut go_on).unwrap();
        assert_eq!(report.status.unwrap().hash, theirs.hash, "{}", golden.name);
    }
}

#[test]
fn a_trailer_is_all_that_parts_the_two_endings() {
    let one = || {
        let mut database = Builder::new(Cursor::new(Vec::new())).unwrap();
        database.bucket(b"key").unwrap();
        database.put(b"k", &[7; 10_000]).unwrap();
        database
    };
    let plain = one().finish().unwrap().into_inner();
    let (sealed, digest) = one().finish_with_trailer().unwrap();
    assert_eq!([&plain[..], &digest.0].concat(), sealed.into_inner());
}

#[test]
fn what_is_out_of_order_or_too_large_is_refused_and_changes_nothing() {
    let mut database = Builder::new(Cursor::new(Vec::new())).unwrap();
    let unplaced = database.put(b"k", b"v");
    assert!(matches!(unplaced, Err(BuildError::NoBucket)));
    assert!(matches!(database.bucket(b""), Err(BuildError::EmptyKey)));
    database.bucket(b"key").unwrap();
    database.put(b"b", b"1").unwrap();
    for bad in [&b"b"[..], b"a", b"B\xff"] {
        let text = database.put(bad, b"2").unwrap_err().to_string();
        assert_eq!(
            text,
            format!("{} does not come after b", bad.escape_ascii())
        );
    }
    assert!(matches!(database.put(b"", b""), Err(BuildError::EmptyKey)));
    let long = vec![b'x'; 32 * 1024 + 1];
    assert!(matches!(
        database.put(&long, b""),
        Err(BuildError::TooLarge { size: 32_769 })
    ));
    let huge = vec![0; (255 << 20) + 1];
    assert!(matches!(
        database.put(b"c", &huge),
        Err(BuildError::TooLarge { .. })
    ));
    assert!(matches!(
        database.bucket(b"key"),
        Err(BuildError::Order { .. })
    ));
    assert!(matches!(
        database.bucket(b"alarm"),
        Err(BuildError::Order { .. })
    ));
    database.put(b"c", b"3").unwrap();
    database.bucket(b"lease").unwrap();
    // Each bucket has an order of its own.
    database.put(b"a", b"4").unwrap();
    let file = database.finish().unwrap().into_inner();

    let pairs = |pairs: &[(&str, &str)]| -> Pairs {
        pairs
            .iter()
            .map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec()))
            .collect()
    };
    let expected = Buckets::from([
        (b"key".to_vec(), pairs(&[("b", "1"), ("c", "3")])),
        (b"lease".to_vec(), pairs(&[("a", "4")])),
    ]);
    let sealed = build(&expected, 4096);
    assert_eq!(file, sealed[..sealed.len() - 32]);
}

#[test]
fn page_sizes_that_no_host_has_are_refused() {
    for size in [0, 1, 512, 1023, 1025, 4095, 6144, 131_072, u32::MAX] {
        let refused = Builder::with_page_size(Cursor::new(Vec::new()), size);
        assert!(matches!(refused, Err(BuildError::PageSize(bad)) if bad == size));
    }
}

/// A disk that is full after so many bytes.
struct Full {
    left: usize,
    file: Cursor<Vec<u8>>,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.left);
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.left -= taken;
        self.file.write(&bytes[..taken])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Full {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[test]
fn a_full_disk_is_an_error_wherever_it_comes() {
    let attempt = |left| -> Result<(), BuildError> {
        let file = Cursor::new(Vec::new());
        let mut database = Builder::new(Full { left, file })?;
        let mut faults = 0;
        for bucket in [b"a", b"b"] {
            faults += usize::from(database.bucket(bucket).is_err());
            for n in 0..400_u32 {
                faults += usize::from(database.put(&n.to_be_bytes(), &[9; 2000]).is_err());
            }
        }
        let done = database.finish();
        assert!(faults == 0 || done.is_err(), "finished after an error");
        done.map(drop)
    };
    let whole = (2 + 400 + 400 + 4 + 4 + 1) * 4096;
    assert!(attempt(2 * whole).is_ok());
    for left in (0..whole / 2).step_by(70_001) {
        assert!(matches!(attempt(left), Err(BuildError::Write(_))), "{left}");
    }
}

/// Counts bytes, and keeps none.
#[derive(Default)]
struct Sink {
    at: u64,
    end: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.at += bytes.len() as u64;
        self.end = self.end.max(self.at);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let SeekFrom::Start(at) = to {
            self.at = at;
        }
        Ok(self.at)
    }
}

/// Bytes that the process held at most, ever: `VmHWM` of proc(5). It needs a process of its own,
/// as nextest gives it.
fn most_held() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() << 10
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let mut database = Builder::new(Sink::default()).unwrap();
    database.bucket(b"key").unwrap();
    let value = vec![b'v'; 400];
    let mut held = 0;
    for n in 0..600_000_u32 {
        database.put(&vec_of(n, 17), &value).unwrap();
        if n == 1000 {
            held = most_held();
        }
    }
    let sink = database.finish().unwrap();
    assert!(sink.end > 250_000_000, "{} bytes", sink.end);
    assert!(most_held() - held < 1 << 20, "{held}, then {}", most_held());
}
