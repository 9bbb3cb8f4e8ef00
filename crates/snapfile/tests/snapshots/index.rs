//! The index of keys beside a snapshot: it finds what reading everything finds, and is not believed
//! where it is broken.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message;
use rollsnap_snapfile::bolt::Builder;
use rollsnap_snapfile::index::{IndexError, KeyIndex, get_by_index};
use rollsnap_snapfile::mvcc::{self, OwnedKey, Revision};
use rollsnap_snapfile::{ReadAt, Report, verify_and_index};

use crate::chance::Chance;
use crate::goldens;
use crate::pairs::{Buckets, Pairs, build};
use crate::scatter::scatter;
use crate::store::{KeyValue, Store};

fn index_of(snapshot: &dyn ReadAt) -> (Report, Vec<u8>) {
    let mut index = Vec::new();
    let mut heed = |_| ControlFlow::Continue(());
    let report = verify_and_index(snapshot, &mut heed, &mut |piece| {
        index.extend_from_slice(piece);
    });
    (report.unwrap(), index)
}

fn live(snapshot: &dyn ReadAt) -> Vec<OwnedKey> {
    let mut keys = Vec::new();
    mvcc::live(snapshot, None, b"", &mut |key| {
        keys.push(key.to_owned());
        ControlFlow::Continue(())
    })
    .unwrap();
    keys
}

/// Every key that is alive is found as it is, and no other; of more than 2,000 some are tried.
fn assert_tells_all(snapshot: &[u8], index: &[u8], name: &str) {
    let live = live(&snapshot);
    assert_eq!(KeyIndex::open(&index).unwrap().len(), live.len() as u64);
    let names: BTreeSet<_> = live.iter().map(|key| &key.key).collect();
    for key in live.iter().step_by(1 + live.len() / 2000) {
        let found = get_by_index(&snapshot, &index, &key.key).unwrap();
        assert_eq!(found.as_ref(), Some(key), "{name}");
        let other = [&key.key[..], b"?"].concat();
        let found = get_by_index(&snapshot, &index, &other).unwrap();
        assert_eq!(found.is_some(), names.contains(&other), "{name}");
    }
}

#[test]
fn an_index_of_any_database_finds_every_key_that_is_alive_and_no_other() {
    let mut deleted = 0;
    for seed in 0..150 {
        let chance = &mut Chance::seeded(seed);
        let store = Store::lived(chance);
        let mut file = build(&store.buckets(chance), 1024 << chance.below(7));
        if chance.one_in(2) {
            file = scatter(&file, chance);
        }
        let (report, index) = index_of(&file);
        assert!(report.indexed, "{:?}", report.findings);
        assert_tells_all(&file, &index, &format!("database {seed}"));
        deleted += store.tombstones();
    }
    assert!(deleted > 100, "{deleted}");
}

#[test]
fn an_index_of_every_golden_finds_its_keys() {
    for golden in goldens::all() {
        let (report, index) = index_of(&golden.bytes);
        assert_eq!(report.indexed, report.is_proved());
        if report.indexed {
            assert_tells_all(&golden.bytes, &index, &golden.name);
        } else {
            assert!(golden.is_copied(), "{}: {:?}", golden.name, report.findings);
            assert_eq!(index, b"", "{} has no digest", golden.name);
        }
    }
}

#[test]
fn what_is_told_of_a_broken_snapshot_is_no_index() {
    let golden = goldens::named("3.5.1").bytes;
    let (_, whole) = index_of(&golden);
    assert!(!whole.is_empty());
    for at in (0..golden.len()).step_by(golden.len() / 60) {
        let mut broken = golden.clone();
        broken[at] ^= 0x10;
        let (report, index) = index_of(&broken);
        assert!(!report.indexed && !report.is_proved());
        assert!(KeyIndex::open(&index).is_err(), "byte {at}");
    }
}

/// The record of a key that was put once.
fn put_at(revision: Revision, key: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let main = revision.main.try_into().unwrap();
    let record = KeyValue {
        key: key.to_vec(),
        create_revision: main,
        mod_revision: main,
        version: 1,
        ..KeyValue::default()
    };
    (revision.to_bytes().to_vec(), record.encode_to_vec())
}

#[test]
fn a_revision_too_great_for_an_index_leaves_it_out_and_the_records_are_read() {
    // Up to a compaction numbers may be missing.
    let compacted = Revision { main: 2, sub: 0 }.to_bytes().to_vec();
    let names = ["finishedCompactRev", "scheduledCompactRev"];
    let meta = Pairs::from(names.map(|name| (name.as_bytes().to_vec(), compacted.clone())));
    for sub in [0, (1 << 24) - 2, (1 << 24) - 1, 1 << 24] {
        let records = Pairs::from([put_at(Revision { main: 2, sub }, b"a")]);
        let buckets = [(b"key".to_vec(), records), (b"meta".to_vec(), meta.clone())];
        let file = build(&Buckets::from(buckets), 4096);
        let (report, index) = index_of(&file);
        assert!(report.is_proved(), "{:?}", report.findings);
        assert_eq!(report.indexed, sub < (1 << 24) - 1, "{sub}");
        assert_eq!(KeyIndex::open(&index).is_ok(), report.indexed, "{sub}");
        let found = mvcc::get(&file, b"a", None).unwrap();
        assert_eq!(found.map(|key| key.revision.sub), Some(sub));
    }
}

/// Whatever came of a broken index, it must be what a scan says, or a word of doubt.
fn assert_no_lie(snapshot: &[u8], index: &[u8], keys: &[OwnedKey], what: &str) {
    for key in keys {
        match get_by_index(&snapshot, &index, &key.key) {
            Ok(found) => assert_eq!(found.as_ref(), Some(key), "{what}"),
            Err(IndexError::Unfit(_)) => {}
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
}

#[test]
fn a_broken_or_cut_index_never_tells_a_lie() {
    let snapshot = goldens::named("3.6.14").bytes;
    let (_, index) = index_of(&snapshot);
    let keys = live(&snapshot);
    for at in 0..index.len() {
        let mut broken = index.clone();
        broken[at] ^= 1 << (at % 8);
        assert_no_lie(&snapshot, &broken, &keys[..3], &format!("byte {at}"));
        assert_no_lie(&snapshot, &index[..at], &keys[..1], &format!("cut at {at}"));
    }
    let mut broken = index.clone();
    broken[8] ^= 1;
    let doubts = keys.iter().filter(|key| {
        let found = get_by_index(&snapshot, &broken, &key.key);
        matches!(found, Err(IndexError::Unfit(_)))
    });
    assert!(doubts.count() > 0);
}

#[test]
fn an_index_of_another_snapshot_is_not_believed() {
    let [one, other] = ["3.5.1", "3.6.14"].map(|name| goldens::named(name).bytes);
    let (_, index) = index_of(&other);
    let key = live(&one).remove(0).key;
    let told = get_by_index(&one, &index, &key).unwrap_err();
    assert_eq!(told.to_string(), "it is of another snapshot");
    // A database without its digest is nobody's.
    let bare = &other[..other.len() - 32];
    assert!(get_by_index(&bare, &index, &key).is_err());
}

/// Counts what is read.
struct Counted<'f> {
    file: &'f dyn ReadAt,
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl<'f> Counted<'f> {
    fn new(file: &'f dyn ReadAt) -> Self {
        Self {
            file,
            reads: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }
}

impl ReadAt for Counted<'_> {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.file.read_at(offset, buf)
    }
}

#[test]
fn a_key_among_many_costs_a_few_reads_of_a_few_kilobytes() {
    let count: u64 = 100_000;
    let mut database = Builder::new(tempfile::tempfile().unwrap()).unwrap();
    database.bucket(b"key").unwrap();
    for main in 2..count + 2 {
        let (key, record) = put_at(Revision { main, sub: 0 }, &main.to_be_bytes());
        database.put(&key, &record).unwrap();
    }
    let (file, _) = database.finish_with_trailer().unwrap();
    let (report, index) = index_of(&file);
    assert!(report.is_proved(), "{:?}", report.findings.first());
    let (mut most_reads, mut reads, mut bytes, mut tries) = (0, 0, 0, 0);
    for main in (0..count + 20).step_by(97) {
        let (snapshot, index) = (Counted::new(&file), Counted::new(&index));
        let found = get_by_index(&snapshot, &index, &main.to_be_bytes()).unwrap();
        let expected = (2..count + 2).contains(&main);
        assert_eq!(found.is_some(), expected, "{main}");
        most_reads = index.reads.into_inner().max(most_reads);
        reads += snapshot.reads.into_inner();
        bytes += snapshot.bytes.into_inner() + index.bytes.into_inner();
        tries += 1;
    }
    assert!(most_reads <= 3, "{most_reads}");
    assert!(reads / tries <= 8, "{}", reads / tries);
    assert!(bytes / tries < 64 << 10, "{}", bytes / tries);
}
