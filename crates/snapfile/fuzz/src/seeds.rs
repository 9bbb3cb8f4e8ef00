//! Small sound databases, made anew in each process: pages of 1 KiB, so that few bytes are many
//! pages.

use std::collections::BTreeMap;
use std::io::Cursor;

use rollsnap_snapfile::bolt::Builder;
use rollsnap_snapfile::mvcc::Revision;

use crate::forge::{HEADER, PAGE};

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// Every kind of tree: no record; some, with etcd's other buckets; levels; overflow; names that mean
/// nothing to etcd; a free list; and buckets within a bucket. [`forge`](crate::forge::forge) seals
/// them.
pub fn all() -> Vec<Vec<u8>> {
    vec![
        build(&[("key", Pairs::new())]),
        build(&etcd(history(12, 20))),
        build(&etcd(history(60, 90))),
        build(&[("key", long_values())]),
        build(&[("key", Pairs::new()), ("x", long_keys())]),
        with_free_list(build(&etcd(history(12, 20)))),
        with_buckets(),
    ]
}

fn build(buckets: &[(&str, Pairs)]) -> Vec<u8> {
    let mut database = Builder::with_page_size(Cursor::new(Vec::new()), 1024).expect("1 KiB");
    for (name, pairs) in buckets {
        database.bucket(name.as_bytes()).expect("in order");
        for (key, value) in pairs {
            database.put(key, value).expect("in order");
        }
    }
    let (file, _) = database.finish_with_trailer().expect("memory");
    file.into_inner()
}

/// The last page is free, and that before it says so.
fn with_free_list(mut file: Vec<u8>) -> Vec<u8> {
    let list = add_page(&mut file, 0x10, 1);
    let free = add_page(&mut file, 0, 0);
    put(&mut file, list * PAGE + HEADER, free);
    for meta in [0, PAGE] {
        put(&mut file, meta + HEADER + 32, list);
    }
    file
}

/// The first pair of the first leaf becomes a bucket inline, the second one with a page.
fn with_buckets() -> Vec<u8> {
    let mut inline = vec![0; 16 + HEADER + 16];
    inline[16 + 8..16 + 12].copy_from_slice(&[2, 0, 1, 0]);
    inline[16 + HEADER + 4..][..12].copy_from_slice(&[16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    inline.extend_from_slice(b"kv");
    let mut root = [0; 16];
    root[0] = 4;
    let value = |bytes: &[u8]| bytes.to_vec();
    let pairs = Pairs::from([
        (b"a".to_vec(), inline),
        (b"b".to_vec(), value(&root)),
        (b"c".to_vec(), value(&[b'v'; 300])),
    ]);
    // The leaf of these, and that of the buckets.
    let mut file = build(&[("key", Pairs::new()), ("x", pairs)]);
    assert_eq!(add_page(&mut file, 2, 0), 4);
    for element in [0, 1] {
        file[2 * PAGE + HEADER + element * 16] = 1;
    }
    file
}

/// Adds a page, and tells its number.
fn add_page(file: &mut Vec<u8>, flags: u8, count: u8) -> usize {
    let image = file.len() - 32;
    let number = image / PAGE;
    file.resize(image + PAGE + 32, 0);
    file[image..].fill(0);
    put(file, image, number);
    file[image + 8] = flags;
    file[image + 10] = count;
    for meta in [0, PAGE] {
        put(file, meta + HEADER + 40, number + 1);
    }
    number
}

fn put(file: &mut [u8], at: usize, number: usize) {
    file[at..at + 8].copy_from_slice(&(number as u64).to_le_bytes());
}

fn etcd(records: Pairs) -> [(&'static str, Pairs); 10] {
    let one = |key: &[u8], value: &[u8]| Pairs::from([(key.to_vec(), value.to_vec())]);
    let member =
        br#"{"id":7,"name":"a","peerURLs":["http://a:2380"],"clientURLs":["http://a:2379"]}"#;
    let mut meta = one(b"consistent_index", &9_u64.to_be_bytes());
    meta.extend(one(b"finishedCompactRev", &revision(3, 0)));
    meta.extend(one(b"term", &2_u64.to_be_bytes()));
    meta.extend(one(b"storageVersion", b"3.6.0"));
    [
        ("alarm", one(b"\x08\x07\x10\x01", b"")),
        ("auth", one(b"authEnabled", &[1])),
        ("authRoles", one(b"root", b"\x0a\x04root")),
        ("authUsers", one(b"root", b"\x0a\x04root")),
        ("cluster", one(b"clusterVersion", b"3.5.0")),
        ("key", records),
        ("lease", one(&1_i64.to_be_bytes(), b"\x08\x01\x10\x3c")),
        ("members", one(b"7", member)),
        ("members_removed", Pairs::new()),
        ("meta", meta),
    ]
}

/// Keys written again and again, and some deleted.
fn history(changes: u64, value: usize) -> Pairs {
    let mut records = Pairs::new();
    for main in 2..changes + 2 {
        let name = [b'a' + u8::try_from(main % 7).expect("below 7")];
        let mut key = revision(main, 0).to_vec();
        let mut record = Vec::new();
        field(&mut record, 1, &name);
        if main % 5 == 0 {
            key.push(b't');
        } else {
            number(&mut record, 2, main);
            number(&mut record, 3, main);
            number(&mut record, 4, 1);
            field(&mut record, 5, &vec![b'v'; value]);
        }
        records.insert(key, record);
    }
    records
}

fn long_values() -> Pairs {
    let mut records = Pairs::new();
    for (main, len) in (2_u64..).zip([10, 3000, 0, 9000]) {
        let mut record = Vec::new();
        field(&mut record, 1, b"a");
        for (name, told) in [(2, 2), (3, main), (4, main - 1)] {
            number(&mut record, name, told);
        }
        field(&mut record, 5, &vec![b'v'; len]);
        records.insert(revision(main, 0).to_vec(), record);
    }
    records
}

/// Two of these fill a branch: many levels.
fn long_keys() -> Pairs {
    (0_u8..20).map(|n| (vec![n; 440], vec![n])).collect()
}

fn revision(main: u64, sub: u64) -> [u8; 17] {
    Revision { main, sub }.to_bytes()
}

fn number(record: &mut Vec<u8>, name: u8, number: u64) {
    record.push(name << 3);
    varint(record, number);
}

fn field(record: &mut Vec<u8>, name: u8, bytes: &[u8]) {
    record.push(name << 3 | 2);
    varint(record, bytes.len() as u64);
    record.extend_from_slice(bytes);
}

fn varint(record: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        record.push(number as u8 | 0x80);
        number >>= 7;
    }
    record.push(number as u8);
}
