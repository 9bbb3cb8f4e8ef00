//! What each golden database holds. The same keys each time.

use etcd_client::{
    Client, CompactionOptions, DeleteOptions, LeaseGrantOptions, MemberAddOptions, Permission,
    PutOptions, RoleRevokePermissionOptions, Txn, TxnOp,
};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};

use crate::chance::Chance;
use crate::keep::Taken;

/// One golden database.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) taken: Taken,
    contents: Contents,
    arguments: &'static [&'static str],
}

#[derive(Debug, Clone, Copy)]
enum Contents {
    Nothing,
    History,
    CompactedHistory,
    DefragmentedHistory,
    CompactedAtTombstone,
    Levels,
    Large,
    Leases,
    Auth,
    Alarm,
    Members,
}

const fn snapshot(name: &'static str, contents: Contents) -> Recipe {
    Recipe {
        name,
        taken: Taken::BySnapshot,
        contents,
        arguments: &[],
    }
}

pub(crate) const ALL: [Recipe; 12] = [
    snapshot("empty", Contents::Nothing),
    snapshot("history", Contents::History),
    snapshot("compacted", Contents::CompactedHistory),
    snapshot("defragmented", Contents::DefragmentedHistory),
    snapshot("compacted-at-tombstone", Contents::CompactedAtTombstone),
    snapshot("levels", Contents::Levels),
    Recipe {
        arguments: &["--max-request-bytes=16777216"],
        ..snapshot("large", Contents::Large)
    },
    snapshot("leases", Contents::Leases),
    snapshot("auth", Contents::Auth),
    Recipe {
        arguments: &["--quota-backend-bytes=262144"],
        ..snapshot("alarm", Contents::Alarm)
    },
    snapshot("members", Contents::Members),
    Recipe {
        taken: Taken::ByCopy,
        ..snapshot("copied", Contents::CompactedHistory)
    },
];

impl Recipe {
    /// Starts a server and gives it what is in this recipe.
    pub(crate) async fn run(&self, version: EtcdVersion) -> EtcdReal {
        let builder = EtcdReal::builder().version(version);
        let mut etcd = builder.arguments(self.arguments.to_vec()).start().await;
        let mut client = etcd.client().await;
        match self.contents {
            Contents::Nothing => {}
            Contents::History => history(&mut client).await,
            Contents::CompactedHistory => compacted_history(&mut client).await,
            Contents::DefragmentedHistory => {
                compacted_history(&mut client).await;
                client.defragment().await.expect("defragment");
                put(&mut client, "after/defragmentation", "1").await;
            }
            Contents::CompactedAtTombstone => compacted_at_tombstone(&mut client).await,
            Contents::Levels => levels(&mut client).await,
            Contents::Large => large(&mut client).await,
            Contents::Leases => leases(&mut client).await,
            Contents::Auth => auth(&mut etcd, &mut client).await,
            Contents::Alarm => alarm(&mut client).await,
            Contents::Members => members(&mut client).await,
        }
        etcd
    }
}

async fn put(client: &mut Client, key: &str, value: impl Into<Vec<u8>>) -> i64 {
    let said = client.put(key, value, None).await.expect("put");
    said.header().expect("a header").revision()
}

async fn delete(client: &mut Client, key: &str, options: Option<DeleteOptions>) -> i64 {
    let said = client.delete(key, options).await.expect("delete");
    said.header().expect("a header").revision()
}

async fn compact(client: &mut Client, revision: i64) {
    // Physical: the answer comes when the records are gone from the file.
    let options = CompactionOptions::new().with_physical();
    client
        .compact(revision, Some(options))
        .await
        .expect("compact");
}

/// 900 changes of 60 keys: puts, deletions singly and by prefix, transactions of several, one
/// that deletes and puts, keys with every byte in them.
async fn history(client: &mut Client) {
    let mut chance = Chance::seeded(1);
    for step in 0..900_u64 {
        let key = |n: u64| format!("history/{}/{n:02}", n % 4);
        let n = chance.below(60);
        match chance.below(20) {
            0 => {
                let prefix = DeleteOptions::new().with_prefix();
                delete(
                    client,
                    &format!("history/{}/{}", n % 4, n / 10),
                    Some(prefix),
                )
                .await;
            }
            1..4 => {
                delete(client, &key(n), None).await;
            }
            4..7 => {
                let ops: Vec<_> = (0..=chance.below(4))
                    .map(|i| TxnOp::put(key((n + i) % 60), format!("transaction {step}"), None))
                    .chain([TxnOp::delete(key((n + 5) % 60), None)])
                    .collect();
                client.txn(Txn::new().and_then(ops)).await.expect("txn");
            }
            _ => {
                let len = chance.below(200);
                put(client, &key(n), chance.bytes(len)).await;
            }
        }
    }
    for byte in 0..=u8::MAX {
        let key = [b"bytes/", &[byte][..]].concat();
        client.put(key, [byte], None).await.expect("put");
    }
    put(client, "empty/value", "").await;
}

async fn compacted_history(client: &mut Client) {
    history(client).await;
    let last = put(client, "mark", "before compaction").await;
    compact(client, last / 3).await;
    compact(client, last - 100).await;
    delete(client, "history/0/00", None).await;
    put(client, "history/0/00", "made anew").await;
}

/// The last change is a deletion, and compaction is exactly there. Servers up to 3.4.33 and
/// 3.5.15 drop its record, so that the file ends before the store does.
async fn compacted_at_tombstone(client: &mut Client) {
    for n in 0..50 {
        put(client, &format!("key/{:02}", n % 10), format!("value {n}")).await;
    }
    let last = delete(client, "key/03", None).await;
    compact(client, last).await;
}

/// 15,300 records of 360 bytes: leaves, branches, and a branch above those.
async fn levels(client: &mut Client) {
    for round in 0..150 {
        let ops: Vec<_> = (0..100)
            .map(|n| TxnOp::put(format!("levels/{n:03}/{round:03}"), vec![b'v'; 300], None))
            .collect();
        client.txn(Txn::new().and_then(ops)).await.expect("txn");
    }
    for n in 0..300 {
        put(client, &format!("levels/{n:03}"), format!("{n}")).await;
    }
}

/// Values around the size of a page and its multiples, and one of 10 MB.
async fn large(client: &mut Client) {
    let mut client = client.kv_client();
    for pages in [1_usize, 2, 3, 4] {
        for off in 0..120 {
            let len = pages * 4096 - off;
            let key = format!("page/{pages}/{off:03}");
            client.put(key, vec![b'p'; len], None).await.expect("put");
        }
    }
    for round in 0..2_u8 {
        client
            .put("ten-megabytes", vec![round; 10_000_000], None)
            .await
            .expect("put 10 MB");
    }
    client
        .put("after", vec![b'a'; 100_000], None)
        .await
        .expect("put");
}

async fn leases(client: &mut Client) {
    for (id, ttl, keys) in [
        (0x1234, 3600, 3),
        (0x7fff_ffff_ffff_ffff, 86400, 40),
        (77, 7200, 0),
        (78, 7200, 5),
    ] {
        let options = LeaseGrantOptions::new().with_id(id);
        client
            .lease_grant(ttl, Some(options))
            .await
            .expect("grant a lease");
        for n in 0..keys {
            let leased = PutOptions::new().with_lease(id);
            let key = format!("leased/{id:x}/{n:02}");
            client.put(key, "leased", Some(leased)).await.expect("put");
        }
    }
    // A lease that goes takes its keys along; a key can leave its lease.
    client.lease_revoke(78).await.expect("revoke a lease");
    put(client, "leased/1234/01", "free").await;
}

async fn auth(etcd: &mut EtcdReal, client: &mut Client) {
    put(client, "guarded/1", "1").await;
    for (role, key, end) in [
        ("reader", "guarded/", Some("guarded0")),
        ("writer", "guarded/1", None),
        ("all", "\0", Some("\0")),
    ] {
        client.role_add(role).await.expect("add a role");
        let permission = match (role, end) {
            ("reader", Some(end)) => Permission::read(key).with_range_end(end),
            (_, Some(end)) => Permission::read_write(key).with_range_end(end),
            (_, None) => Permission::write(key),
        };
        client
            .role_grant_permission(role, permission)
            .await
            .expect("grant a permission");
    }
    let revoked = RoleRevokePermissionOptions::new();
    client
        .role_revoke_permission("writer", "guarded/1", Some(revoked))
        .await
        .expect("revoke a permission");
    for user in ["ann", "bob"] {
        client.user_add(user, "pw", None).await.expect("add a user");
        client
            .user_grant_role(user, "reader")
            .await
            .expect("grant a role");
    }
    etcd.enable_auth("secret").await;
}

/// Writes until the quota is reached: NOSPACE.
async fn alarm(client: &mut Client) {
    for n in 0..1000 {
        let value = vec![b'x'; 4000];
        if client
            .put(format!("fills/{n:04}"), value, None)
            .await
            .is_err()
        {
            return;
        }
    }
    panic!("the quota was never reached");
}

/// A second member that never came, and one that was removed again.
async fn members(client: &mut Client) {
    put(client, "one", "1").await;
    for url in ["http://127.0.0.1:9", "http://127.0.0.1:19"] {
        let learner = MemberAddOptions::new().with_is_learner();
        let said = client.member_add([url], Some(learner)).await;
        let said = said.expect("add a member");
        if url.ends_with(":9") {
            let id = said.member().expect("a member").id();
            client.member_remove(id).await.expect("remove a member");
        }
    }
}
