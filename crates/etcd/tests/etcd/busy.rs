//! A member that is busy with its database, and members of a real cluster: who is asked.

use std::time::Duration;

use rollsnap_etcd::{ErrorKind, Member, MemberConfig, MemberStatus, Members, Source};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::tls::Certificates;
use tokio::time::{Instant, sleep};

use crate::kit::{config_for, drain};

/// Enough that its defragmentation outlasts a question by far.
const SIZE: usize = 200 << 20;

/// Asks until the member says that it defragments, as long as that goes on.
async fn caught(member: &Member, deadline: Instant) -> bool {
    while Instant::now() < deadline {
        match member.status().await {
            Ok(_) => sleep(Duration::from_millis(1)).await,
            Err(error) if error.kind() == ErrorKind::Busy => {
                let words = error.to_string();
                assert!(
                    words.ends_with("its database is being defragmented"),
                    "{words}"
                );
                return true;
            }
            // It ended between the two questions, or the machine is slow.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_defragments_is_said_to_and_answers_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &["127.0.0.1"]);
    for (version, tls) in [(EtcdVersion::V3_4, false), (EtcdVersion::V3_5, true)] {
        let mut builder = EtcdReal::builder().version(version);
        if tls {
            builder = builder.tls(&certificates);
        }
        let etcd = builder.start().await;
        etcd.fill(SIZE).await;
        let member = Member::new(MemberConfig {
            request_timeout: Duration::from_millis(200),
            ..config_for(&etcd)
        });
        let member = member.unwrap();
        let client = etcd.client().await;
        let defragment =
            tokio::spawn(async move { client.maintenance_client().defragment().await });
        let deadline = Instant::now() + Duration::from_secs(60);
        assert!(caught(&member, deadline).await, "{version:?}, TLS: {tls}");
        defragment.await.unwrap().unwrap();
        member.status().await.unwrap();
    }
}

#[tokio::test]
async fn a_member_that_is_silent_for_another_reason_is_not_said_to_defragment() {
    let etcd = EtcdReal::builder().start().await;
    let member = Member::new(MemberConfig {
        request_timeout: Duration::from_millis(200),
        ..config_for(&etcd)
    });
    let member = member.unwrap();
    etcd.pause();
    let error = member.status().await.unwrap_err();
    etcd.resume();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

fn leads(status: &MemberStatus) -> bool {
    status.leader_id == status.member_id
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_cluster_the_same_follower_is_asked_each_time_until_it_leads_or_ends() {
    let mut cluster = EtcdReal::builder().start_cluster(3).await;
    // The leader first: the order given would choose it.
    let mut led = Vec::new();
    for etcd in &cluster {
        let alone = Member::new(config_for(etcd)).unwrap();
        led.push(leads(&alone.status().await.unwrap()));
    }
    let leader = led.iter().position(|leads| *leads).unwrap();
    cluster.swap(0, leader);
    let members = Members::new(cluster.iter().map(config_for)).unwrap();

    let first = members.status().await.unwrap();
    assert!(!leads(&first), "{first:?}");
    assert_eq!(first.member_name.as_deref(), Some(cluster[1].name()));
    for _ in 0..3 {
        assert_eq!(members.status().await.unwrap().member_id, first.member_id);
    }
    assert_eq!(members.look().await.unwrap().member_id, first.member_id);
    drain(&members).await.database();
    let mut ids = members.fellows();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);

    // It becomes the leader: another follower is asked.
    let leader = cluster[0].client().await;
    let mut leader = leader.maintenance_client();
    leader.move_leader(first.member_id).await.unwrap();
    let second = members.status().await.unwrap();
    assert!(!leads(&second) && second.member_id != first.member_id);

    // All others end: the one that is left, follower or not, without a quorum.
    let left = cluster
        .iter()
        .position(|etcd| second.member_name.as_deref() == Some(etcd.name()));
    for (n, etcd) in cluster.iter_mut().enumerate() {
        if Some(n) != left {
            etcd.kill();
        }
    }
    assert_eq!(members.status().await.unwrap().member_id, second.member_id);
    drain(&members).await.database();
}

#[tokio::test]
async fn a_cluster_without_space_says_so_in_its_status() {
    let quota = ["--quota-backend-bytes=16777216"];
    let etcd = EtcdReal::builder().arguments(quota).start().await;
    let member = Member::new(config_for(&etcd)).unwrap();
    assert!(!member.status().await.unwrap().has_no_space());
    let mut client = etcd.client().await.kv_client();
    let value = vec![7; 1 << 20];
    for n in 0..64 {
        if client
            .put(format!("k{n}"), value.clone(), None)
            .await
            .is_err()
        {
            break;
        }
    }
    let status = member.status().await.unwrap();
    assert!(status.has_no_space(), "{status:?}");
    // It gives a snapshot all the same.
    drain(&member).await.database();
}
