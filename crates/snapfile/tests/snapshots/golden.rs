//! Real snapshots of four etcd versions: what we say of them is what etcd's own tools and servers
//! said.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollsnap_snapfile::mvcc::{OwnedKey, hash_kv, last_revision, live};
use rollsnap_snapfile::{Trailer, TrailerHasher, status, verify};
use serde::Deserialize;

use crate::etcdutl::{self, Answer};
use crate::goldens::{self, Golden};

fn go_on<T>(_: T) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn the_status_is_what_etcds_own_tools_said() {
    for golden in goldens::all() {
        let (trailer, ours) = status(&&golden.bytes[..], &mut go_on).unwrap();
        let answers = golden.answers::<Answer>("status-by-");
        assert!(!answers.is_empty(), "{}", golden.name);
        for (by, theirs) in answers {
            assert_eq!(theirs.by_ours(&ours), theirs, "{} by {by}", golden.name);
        }
        let held = matches!(trailer, Trailer::Held(_));
        assert_eq!(held, !golden.is_copied(), "{}", golden.name);
        let last = last_revision(&&golden.bytes[..]).unwrap();
        assert_eq!(last.map_or(0, |last| last.main), ours.revision);
    }
}

#[test]
fn the_status_is_what_the_installed_etcdutl_says() {
    for golden in goldens::all() {
        let (_, ours) = status(&&golden.bytes[..], &mut go_on).unwrap();
        let theirs = etcdutl::status(&golden.bytes).unwrap();
        assert_eq!(theirs.by_ours(&ours), theirs, "{}", golden.name);
    }
}

#[test]
fn nothing_is_wrong_with_a_real_snapshot() {
    for golden in goldens::all() {
        let report = verify(&&golden.bytes[..], &mut go_on).unwrap();
        assert_eq!(report.findings, [], "{}", golden.name);
        assert_eq!(report.is_proved(), !golden.is_copied(), "{}", golden.name);
        let status = report.status.unwrap();
        assert!(status.bytes_in_use <= status.total_size, "{}", golden.name);
    }
}

#[derive(Deserialize)]
struct HashKvAnswer {
    #[serde(rename = "HashKV")]
    hash_kv: HashKvFields,
}

#[derive(Deserialize)]
struct HashKvFields {
    header: Header,
    hash: u32,
    #[serde(default)]
    compact_revision: i64,
}

#[derive(Deserialize)]
struct Header {
    revision: u64,
}

#[test]
fn the_hash_of_all_records_is_what_the_live_server_said() {
    let mut compared = 0;
    for golden in goldens::all() {
        for (at, answer) in golden.answers::<Vec<HashKvAnswer>>("hashkv") {
            let theirs = &answer[0].hash_kv;
            // -1 before the first compaction.
            let compacted = u64::try_from(theirs.compact_revision).unwrap_or(0);
            let at = at.strip_prefix("-at-").map(|at| at.parse().unwrap());
            let ours = hash_kv(&&golden.bytes[..], at, Some(compacted)).unwrap();
            assert_eq!(ours.hash, theirs.hash, "{} at {at:?}", golden.name);
            assert_eq!(ours.revision, at.unwrap_or(theirs.header.revision));
            let by_itself = hash_kv(&&golden.bytes[..], at, None).unwrap();
            assert_eq!(by_itself.hash, theirs.hash, "{} at {at:?}", golden.name);
            compared += 1;
        }
    }
    assert!(compared >= 40, "only {compared} answers to compare with");
}

#[derive(Deserialize)]
struct RangeAnswer {
    header: Header,
    #[serde(default)]
    kvs: Vec<RangeKey>,
}

#[derive(Deserialize)]
struct RangeKey {
    key: String,
    create_revision: i64,
    mod_revision: u64,
    version: i64,
    #[serde(default)]
    value: String,
    #[serde(default)]
    lease: i64,
}

fn live_keys(golden: &Golden) -> BTreeMap<Vec<u8>, OwnedKey> {
    let mut keys = BTreeMap::new();
    live(&&golden.bytes[..], None, b"", &mut |key| {
        keys.insert(key.record.key.to_vec(), key.to_owned());
        ControlFlow::Continue(())
    })
    .unwrap();
    keys
}

#[test]
fn the_live_keys_are_those_that_the_live_server_listed() {
    let mut compared = 0;
    for golden in goldens::all() {
        for (_, theirs) in golden.answers::<RangeAnswer>("keys") {
            let ours = live_keys(&golden);
            assert_eq!(ours.len(), theirs.kvs.len(), "{}", golden.name);
            let (_, status) = status(&&golden.bytes[..], &mut go_on).unwrap();
            assert_eq!(status.live_keys, theirs.kvs.len() as u64);
            assert_eq!(status.store_revision, theirs.header.revision);
            for key in theirs.kvs {
                let name = STANDARD.decode(&key.key).unwrap();
                let ours = &ours[&name];
                assert_eq!(ours.value, STANDARD.decode(&key.value).unwrap());
                assert_eq!(ours.revision.main, key.mod_revision);
                assert_eq!(ours.create_revision, key.create_revision);
                assert_eq!((ours.version, ours.lease), (key.version, key.lease));
            }
            compared += 1;
        }
    }
    assert!(compared >= 28, "only {compared} listings to compare with");
}

#[test]
fn the_digest_of_every_snapshot_holds_in_whatever_chunks_it_comes() {
    for golden in goldens::all().filter(|golden| !golden.is_copied()) {
        let mut hasher = TrailerHasher::default();
        let chunks = golden.bytes.chunks(32 * 1024);
        chunks.for_each(|chunk| hasher.push(chunk));
        let proof = hasher.finish().unwrap();
        assert_eq!(proof.size, golden.bytes.len() as u64, "{}", golden.name);
    }
}
