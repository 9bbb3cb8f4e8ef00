//! What a cluster came to hold in a long life comes back whole, and lives on.

use std::ops::ControlFlow;

use etcd_client::{
    AlarmAction, AlarmType, Client, CompactionOptions, DeleteOptions, Permission, PutOptions, Txn,
    TxnOp,
};
use rollsnap_engine::restore::{Alarms, Cluster};
use rollsnap_snapfile::verify;
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion, Seat};

use crate::answers::{Answers, PASSWORD, alarms, answers, members, root};
use crate::{order, run};

/// One of everything: keys written often, deleted singly and by prefix, in transactions, and made
/// anew; compacted; leases with keys and without; users and roles; a learner; an alarm.
pub(crate) async fn lived(version: EtcdVersion) -> (Vec<u8>, Answers) {
    let mut etcd = EtcdReal::builder().version(version).start().await;
    let learner = etcd.add_learner().await;
    let mut client = etcd.client().await;
    for n in 0..6 {
        let lease = client.lease_grant(3600 + n, None).await.unwrap().id();
        for key in 0..n {
            let options = PutOptions::new().with_lease(lease);
            let key = format!("lease/{n}/{key}");
            client.put(key, "held", Some(options)).await.unwrap();
        }
    }
    change(&mut client, 0..90).await;
    compact(&mut client, 40).await;
    compact(&mut client, 61).await;
    change(&mut client, 90..120).await;
    let mut auth = client.auth_client();
    auth.role_add("reads").await.unwrap();
    let permission = Permission::read("k/").with_prefix();
    auth.role_grant_permission("reads", permission)
        .await
        .unwrap();
    etcd.add_user("alice", "another").await;
    auth.user_grant_role("alice", "reads").await.unwrap();
    etcd.enable_auth(PASSWORD).await;
    let mut client = etcd.client().await;
    let raised = client.alarm(AlarmAction::Activate, AlarmType::Nospace, None);
    raised.await.unwrap();

    let (_, known) = members(&mut client).await;
    assert!(known.iter().any(|(.., learns)| *learns), "{known:?}");
    let said = answers(&mut client).await;
    said.assert_rich(61);
    let file = saved(&mut client).await;
    drop(learner);
    (file, said)
}

async fn change(client: &mut Client, steps: std::ops::Range<u32>) {
    for n in steps {
        let key = |n: u32| format!("k/{}/{:02}", n % 3, n % 17);
        match n % 10 {
            3 => drop(client.delete(key(n + 4), None).await.unwrap()),
            6 if n % 4 == 2 => {
                let prefix = DeleteOptions::new().with_prefix();
                let prefix = client.delete(format!("k/{}/1", n % 3), Some(prefix));
                drop(prefix.await.unwrap());
            }
            8 => {
                let puts = (0..3).map(|i| TxnOp::put(key(n + i), format!("together {n}"), None));
                let deletion = TxnOp::delete(key(n + 5), None);
                let all: Vec<_> = puts.chain([deletion]).collect();
                drop(client.txn(Txn::new().and_then(all)).await.unwrap());
            }
            _ => drop(
                client
                    .put(key(n), format!("value {n}"), None)
                    .await
                    .unwrap(),
            ),
        }
    }
}

async fn compact(client: &mut Client, revision: i64) {
    // The answer comes when the records are gone from the file.
    let options = CompactionOptions::new().with_physical();
    client.compact(revision, Some(options)).await.unwrap();
}

/// A snapshot as the server sends it.
pub(crate) async fn saved(client: &mut Client) -> Vec<u8> {
    let mut stream = client.snapshot().await.unwrap();
    let mut file = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        file.extend_from_slice(message.blob());
    }
    let report = verify(&&file[..], &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(report.is_proved(), "{:?}", report.findings);
    file
}

/// The cluster of these seats.
pub(crate) fn cluster(seats: &[Seat]) -> Cluster {
    let members = seats
        .iter()
        .map(|seat| (seat.name.clone(), vec![seat.peer_url.clone()]));
    Cluster::new(&members.collect(), "one token").unwrap()
}

/// So many servers, each restored from the same file.
async fn restored(
    version: EtcdVersion,
    size: usize,
    file: &[u8],
    alarms: Alarms,
) -> (Vec<EtcdReal>, Vec<Client>) {
    let make = |seats: &[Seat]| {
        let cluster = cluster(seats);
        for seat in seats {
            let mut order = order(&seat.data_dir);
            order.me = cluster.member(&seat.name).unwrap().clone();
            order.changes.cluster = cluster.clone();
            order.changes.alarms = alarms;
            run(file, &order).unwrap();
        }
    };
    let servers = EtcdReal::builder()
        .version(version)
        .start_on(size, make)
        .await;
    let mut clients = Vec::new();
    for server in &servers {
        clients.push(root(server).await);
    }
    (servers, clients)
}

/// It takes more, is compacted and defragmented, and what it sends then is a snapshot again.
async fn lives_on(etcd: &mut EtcdReal, last: i64) -> (Vec<u8>, Answers) {
    let mut client = root(etcd).await;
    change(&mut client, 200..230).await;
    compact(&mut client, last + 10).await;
    client.defragment().await.unwrap();
    change(&mut client, 230..240).await;
    let said = answers(&mut client).await;
    let file = saved(&mut client).await;
    etcd.restart().await;
    let mut client = root(etcd).await;
    assert_eq!(answers(&mut client).await, said, "after a restart");
    (file, said)
}

async fn comes_back(from: EtcdVersion, on: EtcdVersion) {
    let (file, before) = lived(from).await;
    let (mut servers, mut clients) = restored(on, 1, &file, Alarms::DropNoSpace).await;
    assert_eq!(answers(&mut clients[0]).await, before, "{from:?} on {on:?}");
    assert_eq!(alarms(&mut clients[0]).await, 0);
    let (_, known) = members(&mut clients[0]).await;
    let [(_, name, _, false)] = &known[..] else {
        panic!("{known:?}");
    };
    assert_eq!(name, "m1");

    let (file, before) = lives_on(&mut servers[0], before.last).await;
    let (_servers, mut clients) = restored(on, 1, &file, Alarms::DropNoSpace).await;
    assert_eq!(answers(&mut clients[0]).await, before, "once more");
}

#[tokio::test]
async fn a_life_of_3_4_comes_back_on_3_4_and_goes_on() {
    comes_back(EtcdVersion::V3_4, EtcdVersion::V3_4).await;
}

#[tokio::test]
async fn a_life_of_3_4_comes_back_on_3_5_and_goes_on() {
    comes_back(EtcdVersion::V3_4, EtcdVersion::V3_5).await;
}

#[tokio::test]
async fn a_life_of_3_5_comes_back_on_3_4_and_goes_on() {
    comes_back(EtcdVersion::V3_5, EtcdVersion::V3_4).await;
}

#[tokio::test]
async fn a_life_of_3_5_comes_back_on_3_5_and_goes_on() {
    comes_back(EtcdVersion::V3_5, EtcdVersion::V3_5).await;
}

#[tokio::test]
async fn three_members_hold_the_same_life_and_go_on_together() {
    for version in EtcdVersion::ALL {
        let (file, before) = lived(version).await;
        let (mut servers, mut clients) = restored(version, 3, &file, Alarms::DropNoSpace).await;
        let known = members(&mut clients[0]).await;
        assert_eq!(known.1.len(), 3);
        assert!(known.1.iter().all(|(.., learns)| !learns), "{known:?}");
        for client in &mut clients {
            assert_eq!(answers(client).await, before, "{version:?}");
            assert_eq!(members(client).await, known);
        }
        let (_, now) = lives_on(&mut servers[1], before.last).await;
        for server in &servers {
            assert_eq!(answers(&mut root(server).await).await, now, "{version:?}");
        }
    }
}

#[tokio::test]
async fn an_alarm_that_is_kept_refuses_writes_until_it_is_disarmed() {
    let (file, _) = lived(EtcdVersion::V3_5).await;
    for version in EtcdVersion::ALL {
        let (_servers, mut clients) = restored(version, 1, &file, Alarms::Keep).await;
        let client = &mut clients[0];
        assert_eq!(alarms(client).await, 1);
        let told = client.put("k", "v", None).await.unwrap_err();
        assert!(
            told.to_string().contains("database space exceeded"),
            "{told}"
        );
        let disarmed = client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, None);
        disarmed.await.unwrap();
        client.put("k", "v", None).await.unwrap();
    }
}
