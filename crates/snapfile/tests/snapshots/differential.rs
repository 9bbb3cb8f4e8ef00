//! Random databases, read by us and by etcd.
//!
//! `just differential N` has N built ones and N/8 of real servers; the tests have fewer.

use std::io::{self, Write as _};
use std::ops::ControlFlow;

use etcd_client::{Client, CompactionOptions, DeleteOptions, GetOptions, LeaseGrantOptions};
use etcd_client::{PutOptions, Txn, TxnOp};
use rollsnap_snapfile::mvcc::{OwnedKey, hash_kv, live};
use rollsnap_snapfile::{Report, verify};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};

use crate::chance::Chance;
use crate::etcdutl;
use crate::pairs::{build, hash};
use crate::scatter::scatter;
use crate::store::{KeyValue, Store};

/// Built databases where nothing else is said, and for how many of them one is of a real server.
const BUILT: u64 = 300;
const ONE_REAL_IN: u64 = 8;

fn asked_for() -> u64 {
    let count = std::env::var("DIFFERENTIAL").ok();
    count.map_or(BUILT, |count| count.parse().unwrap())
}

fn tell(what: &str) {
    let mut out = io::stdout();
    writeln!(out, "{what}").unwrap();
}

/// Ours, which finds nothing wrong, after etcdutl's, which says the same.
fn read_by_both(file: &[u8], name: &str) -> Report {
    let report = verify(&file, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(report.is_proved(), "{name}: {:?}", report.findings);
    let theirs = etcdutl::status(file).unwrap_or_else(|e| panic!("{name}: {e}"));
    let ours = theirs.by_ours(report.status.as_ref().unwrap());
    assert_eq!(ours, theirs, "{name}");
    report
}

/// All keys that are alive at a revision, by their names.
fn live_keys(file: &[u8], at: u64) -> Vec<OwnedKey> {
    let mut keys = Vec::new();
    live(&file, Some(at), b"", &mut |key| {
        keys.push(key.to_owned());
        ControlFlow::Continue(())
    })
    .unwrap();
    keys.sort_by(|one, other| one.key.cmp(&other.key));
    keys
}

fn as_record(key: OwnedKey) -> KeyValue {
    KeyValue {
        key: key.key,
        create_revision: key.create_revision,
        mod_revision: key.revision.main.cast_signed(),
        version: key.version,
        value: key.value,
        lease: key.lease,
    }
}

#[test]
fn random_databases_are_read_as_etcdutl_reads_them_and_as_they_were_meant() {
    let count = asked_for();
    for seed in 0..count {
        let name = format!("database {seed}");
        let chance = &mut Chance::seeded(seed);
        let store = Store::lived(chance);
        let buckets = store.buckets(chance);
        let mut file = build(&buckets, 1024 << chance.below(7));
        if chance.one_in(2) {
            file = scatter(&file, chance);
        }
        let status = read_by_both(&file, &name).status.unwrap();

        assert_eq!(status.hash, hash(&buckets), "{name}");
        assert_eq!(
            status.entries,
            buckets.values().map(|it| it.len() as u64).sum::<u64>()
        );
        assert_eq!(status.store_revision, store.last, "{name}");
        assert_eq!(status.compact_revision, store.compacted, "{name}");
        assert_eq!(
            status.live_keys,
            store.range(store.last).len() as u64,
            "{name}"
        );
        assert_eq!(status.records, buckets[&b"key"[..]].len() as u64, "{name}");
        assert_eq!(status.tombstones, store.tombstones() as u64, "{name}");
        assert_eq!(status.leases, store.leases.len() as u64, "{name}");
        assert_eq!(
            status.members.len(),
            buckets[&b"members"[..]].len(),
            "{name}"
        );

        let first = store.compacted.unwrap_or(0);
        for _ in 0..3 {
            let at = first + chance.below(store.last - first + 1);
            let later = first + chance.below(at - first + 1);
            for compacted in [first, later] {
                let ours = hash_kv(&&file[..], Some(at), Some(compacted)).unwrap();
                let theirs = store.hash_kv(at, compacted);
                assert_eq!(
                    ours.hash, theirs,
                    "{name} at {at}, compacted at {compacted}"
                );
            }
            let ours: Vec<_> = live_keys(&file, at).into_iter().map(as_record).collect();
            assert_eq!(ours, store.range(at), "{name} at {at}");
        }
    }
    tell(&format!("{count} built databases read alike"));
}

/// A few random changes to a server.
async fn live_on(client: &mut Client, chance: &mut Chance) {
    for _ in 0..=chance.below(40) {
        let key = format!("/registry/thing/{}", chance.below(40));
        match chance.below(16) {
            0 => {
                let prefix = DeleteOptions::new().with_prefix();
                client.delete(key, Some(prefix)).await.unwrap();
            }
            1..4 => {
                client.delete(key, None).await.unwrap();
            }
            4 => {
                let (puts, deletes) = [("one", "other"), ("other", "one")][chance.index(2)];
                let prefix = DeleteOptions::new().with_prefix();
                let ops: Vec<_> = (0..chance.below(9))
                    .map(|n| TxnOp::put(format!("/txn/{puts}/{n}"), chance.value(), None))
                    .chain([TxnOp::delete(format!("/txn/{deletes}/"), Some(prefix))])
                    .collect();
                client.txn(Txn::new().and_then(ops)).await.unwrap();
            }
            5 => {
                let id = 1 + chance.below(1 << 40).cast_signed();
                let lease = LeaseGrantOptions::new().with_id(id);
                if client.lease_grant(3600, Some(lease)).await.is_ok() {
                    let leased = PutOptions::new().with_lease(id);
                    client.put(key, "leased", Some(leased)).await.unwrap();
                    if chance.one_in(3) {
                        client.lease_revoke(id).await.unwrap();
                    }
                }
            }
            _ => {
                client.put(key, chance.value(), None).await.unwrap();
            }
        }
    }
}

async fn last_revision(client: &mut Client) -> i64 {
    let answer = client.get("none", None).await.unwrap();
    answer.header().unwrap().revision()
}

async fn snapshot(client: &mut Client) -> Vec<u8> {
    let mut stream = client.snapshot().await.unwrap();
    let mut file = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        file.extend_from_slice(message.blob());
    }
    file
}

async fn range(client: &mut Client, at: i64) -> Vec<KeyValue> {
    let options = GetOptions::new().with_all_keys().with_revision(at);
    let answer = client.get("", Some(options)).await.unwrap();
    let keys = answer.kvs().iter().map(|key| KeyValue {
        key: key.key().to_vec(),
        create_revision: key.create_revision(),
        mod_revision: key.mod_revision(),
        version: key.version(),
        value: key.value().to_vec(),
        lease: key.lease(),
    });
    keys.collect()
}

async fn follow_a_server(version: EtcdVersion, count: u64) {
    let etcd = EtcdReal::builder().version(version).start().await;
    let mut client = etcd.client().await;
    let chance = &mut Chance::seeded(count ^ version.number().len() as u64);
    let mut compacted = 0;
    for round in 0..count {
        let name = format!("{} in round {round}", version.number());
        live_on(&mut client, chance).await;
        let last = last_revision(&mut client).await;
        if chance.one_in(4) && last > compacted + 1 {
            let span = (last - compacted).cast_unsigned();
            compacted += 1 + chance.below(span).cast_signed();
            // Half of the snapshots after it come while records are still being removed.
            let options = CompactionOptions::new();
            let options = if chance.one_in(2) {
                options.with_physical()
            } else {
                options
            };
            client.compact(compacted, Some(options)).await.unwrap();
        }
        if chance.one_in(20) {
            client.defragment().await.unwrap();
        }
        let file = snapshot(&mut client).await;
        let status = read_by_both(&file, &name).status.unwrap();
        assert_eq!(status.store_revision, last.cast_unsigned(), "{name}");
        let said = client.hash_kv(0).await.unwrap();
        // -1 before the first compaction.
        let at_compaction = u64::try_from(said.compact_version()).unwrap_or(0);
        let ours = hash_kv(&&file[..], None, Some(at_compaction)).unwrap();
        assert_eq!(ours.hash, said.hash(), "{name}");

        let span = (last - compacted).cast_unsigned();
        let at = compacted + chance.below(span + 1).cast_signed();
        if at > compacted {
            let said = client.hash_kv(at).await.unwrap();
            let ours = hash_kv(&&file[..], Some(at.cast_unsigned()), Some(at_compaction)).unwrap();
            assert_eq!(ours.hash, said.hash(), "{name} at {at}");
            let ours = live_keys(&file, at.cast_unsigned())
                .into_iter()
                .map(as_record);
            let theirs = range(&mut client, at).await;
            assert_eq!(ours.collect::<Vec<_>>(), theirs, "{name} at {at}");
        }
    }
    let version = version.number();
    tell(&format!("{count} databases of etcd {version} read alike"));
}

#[tokio::test]
async fn databases_of_etcd_3_4_are_read_as_it_answers() {
    follow_a_server(EtcdVersion::V3_4, asked_for().div_ceil(2 * ONE_REAL_IN)).await;
}

#[tokio::test]
async fn databases_of_etcd_3_5_are_read_as_it_answers() {
    follow_a_server(EtcdVersion::V3_5, asked_for().div_ceil(2 * ONE_REAL_IN)).await;
}
