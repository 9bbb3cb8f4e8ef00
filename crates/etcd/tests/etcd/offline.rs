//! What real members say their keys hash to is what `snapfile` gives for their snapshots, at every
//! revision and after every compaction; and a member that was changed behind etcd's back says
//! something else.

use etcd_client::{Client, CompactionOptions, DeleteOptions, PutOptions, Txn, TxnOp};
use rollsnap_etcd::{Member, MemberHash, Members, Peers, Source};
use rollsnap_snapfile::mvcc::hash_kv;
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::tls::Certificates;

use crate::hashes::{PASSWORD, as_user};
use crate::kit::{config_for, drain, member_of};

const WRITES: u64 = 60;

/// Numbers without a pattern, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn key(&mut self) -> String {
        format!("/k/{:02}", self.below(12))
    }
}

/// Puts, deletions of one key and of many, transactions and leases, each a revision of its own.
async fn history(etcd: &EtcdReal) -> u64 {
    let mut client = etcd.client().await;
    let lease = client.lease_grant(3600, None).await.unwrap().id();
    let mut dice = Dice(20_260_501);
    for n in 0..WRITES {
        change(&mut client, &mut dice, n, lease).await;
    }
    let answer = client.get("/k/", None).await.unwrap();
    u64::try_from(answer.header().unwrap().revision()).unwrap()
}

async fn change(client: &mut Client, dice: &mut Dice, n: u64, lease: i64) {
    let key = dice.key();
    let value = format!("value {n} of {key}");
    match dice.below(8) {
        0 | 1 => {
            client.delete(key, None).await.unwrap();
        }
        2 => {
            let prefix = &key[..key.len() - 1];
            let all = DeleteOptions::new().with_prefix();
            client.delete(prefix, Some(all)).await.unwrap();
        }
        3 => {
            // No key twice: etcd refuses that.
            let ops = [
                TxnOp::put(format!("{key}/a"), value, None),
                TxnOp::delete(key.clone(), None),
                TxnOp::put("/k/last", n.to_string(), None),
            ];
            client.txn(Txn::new().and_then(ops)).await.unwrap();
        }
        4 => {
            let leased = PutOptions::new().with_lease(lease);
            client.put(key, value, Some(leased)).await.unwrap();
        }
        _ => {
            client.put(key, value, None).await.unwrap();
        }
    }
}

async fn database(member: &Member) -> Vec<u8> {
    drain(member).await.database().to_vec()
}

/// What the database gives, in a member's words.
fn of(database: &[u8], revision: u64, compacted: Option<u64>) -> (u64, u64, u32) {
    let hash = hash_kv(&database, Some(revision), compacted).unwrap();
    (hash.revision, hash.compact_revision, hash.hash)
}

fn words(said: &MemberHash) -> (u64, u64, u32) {
    (said.revision, said.compact_revision, said.hash)
}

/// Compares at every revision, then compacts further and further and compares again: what was
/// saved before each compaction, and what is saved after.
async fn compare_throughout(etcd: &EtcdReal, member: &Member) {
    let newest = history(etcd).await;
    assert!(newest > WRITES / 2, "most of the writes change something");
    let first = database(member).await;
    for revision in 1..=newest {
        let said = member.hash_kv(Some(revision)).await.unwrap();
        assert_eq!(words(&said), of(&first, revision, None));
    }
    let mut client = etcd.client().await;
    // Every one in the middle, so that deletions are among them, then some, and the last.
    let points = (20..28).chain((28..newest).step_by(7)).chain([newest]);
    for compacted in points {
        let physical = CompactionOptions::new().with_physical();
        let asked = i64::try_from(compacted).unwrap();
        client.compact(asked, Some(physical)).await.unwrap();
        let now = database(member).await;
        for revision in compacted + 1..=newest {
            let said = member.hash_kv(Some(revision)).await.unwrap();
            assert_eq!(words(&said), of(&now, revision, None));
            assert_eq!(words(&said), of(&first, revision, Some(compacted)));
        }
        let said = member.hash_kv(None).await.unwrap();
        assert_eq!(words(&said), of(&now, newest, None));
    }
}

#[tokio::test]
async fn a_plain_member_says_what_its_snapshot_gives() {
    for version in EtcdVersion::ALL {
        let etcd = EtcdReal::builder().version(version).start().await;
        compare_throughout(&etcd, &member_of(&etcd)).await;
    }
}

#[tokio::test]
async fn a_guarded_member_says_what_its_snapshot_gives() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    for version in EtcdVersion::ALL {
        let guarded = EtcdReal::builder().version(version).tls(&certificates);
        let mut etcd = guarded.start().await;
        etcd.enable_auth(PASSWORD).await;
        let member = Member::new(as_user(&etcd, "root")).unwrap();
        compare_throughout(&etcd, &member).await;
    }
}

#[tokio::test]
async fn a_store_never_written_to_says_what_its_snapshot_gives() {
    for version in EtcdVersion::ALL {
        let etcd = EtcdReal::builder().version(version).start().await;
        let member = member_of(&etcd);
        let said = member.hash_kv(None).await.unwrap();
        assert_eq!(words(&said), of(&database(&member).await, 1, None));
    }
}

/// Each member's hash, told through the first.
async fn told(cluster: &[EtcdReal], revision: u64) -> Vec<(String, (u64, u64, u32))> {
    let members = Members::new([config_for(&cluster[0])]).unwrap();
    let answers = members.hash_kv(revision).await.unwrap();
    let told = answers.into_iter().map(|answer| {
        let said = answer.hash.unwrap();
        (answer.name.unwrap(), words(&said))
    });
    let mut told: Vec<_> = told.collect();
    told.sort();
    told
}

/// Waits until every member has all writes.
async fn settled(cluster: &[EtcdReal]) {
    for etcd in cluster {
        // A linearizable read waits until the member has applied what the others have.
        etcd.client().await.get("/k/", None).await.unwrap();
    }
}

#[tokio::test]
async fn the_snapshot_of_any_member_gives_what_all_of_them_say() {
    for version in EtcdVersion::ALL {
        let builder = EtcdReal::builder().version(version);
        let cluster = builder.start_cluster(3).await;
        let newest = history(&cluster[0]).await;
        settled(&cluster).await;
        // One of the files is laid out anew, which no hash may see.
        let defragmented = cluster[1].etcdctl().arg("defrag").status();
        assert!(defragmented.unwrap().success());
        for etcd in &cluster {
            let database = database(&member_of(etcd)).await;
            for revision in [2, newest / 2, newest] {
                let ours = of(&database, revision, None);
                let told = told(&cluster, revision).await;
                assert_eq!(told.len(), 3);
                assert!(told.iter().all(|(_, said)| *said == ours), "{told:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_member_whose_database_was_changed_says_something_else() {
    for version in EtcdVersion::ALL {
        let builder = EtcdReal::builder().version(version);
        let mut cluster = builder.start_cluster(3).await;
        cluster[0].put("/k/odd", "the truth").await;
        let newest = history(&cluster[0]).await;
        settled(&cluster).await;
        cluster[2].stop().await;
        cluster[2].falsify(b"the truth", b"the trath");
        cluster[2].restart().await;
        settled(&cluster).await;
        // It serves as before, and nobody but the hash tells.
        let read = cluster[2].client().await.get("/k/odd", None).await.unwrap();
        assert_eq!(read.kvs()[0].value(), b"the trath");
        member_of(&cluster[2]).status().await.unwrap();

        let sound = of(&database(&member_of(&cluster[0])).await, newest, None);
        let astray = of(&database(&member_of(&cluster[2])).await, newest, None);
        assert_ne!(sound, astray);
        let named = |name: &str, said| (name.to_owned(), said);
        assert_eq!(
            told(&cluster, newest).await,
            [named("m1", sound), named("m2", sound), named("m3", astray)]
        );
    }
}
