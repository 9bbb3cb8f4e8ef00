//! The plain case, on every version, with and without TLS.

use rollsnap_etcd::{ErrorKind, Source};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::tls::Certificates;

use crate::kit::{assert_says, config_for, drain, member_at, member_of};

const MIB: usize = 1 << 20;

async fn start_each(certificates: Option<&Certificates>) -> Vec<EtcdReal> {
    let mut all = Vec::new();
    for version in EtcdVersion::ALL {
        let builder = EtcdReal::builder().version(version);
        all.push(match certificates {
            Some(certificates) => builder.tls(certificates).start().await,
            None => builder.start().await,
        });
    }
    all
}

#[tokio::test]
async fn a_snapshot_over_plain_http_is_etcds_database_with_its_digest() {
    for etcd in start_each(None).await {
        saves_all_of(&etcd).await;
    }
}

#[tokio::test]
async fn a_snapshot_over_mutual_tls_is_etcds_database_with_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    for etcd in start_each(Some(&certificates)).await {
        saves_all_of(&etcd).await;
    }
}

async fn saves_all_of(etcd: &EtcdReal) {
    etcd.fill(MIB).await;
    let drained = drain(&member_of(etcd)).await;
    let database = drained.database();
    assert!(database.len() > MIB);
    assert_eq!(database.len() % 512, 0, "whole pages");
    // All but the first 32 KiB were still to come with the first chunk.
    let first = drained.first_remaining.unwrap();
    assert_eq!(database.len() as u64 - first, 32 * 1024);
}

#[tokio::test]
async fn status_tells_who_the_member_is() {
    for etcd in start_each(None).await {
        etcd.put("a", "1").await;
        etcd.put("a", "2").await;
        let status = member_of(&etcd).status().await.unwrap();
        assert_eq!(status.version, etcd.version().number());
        assert_eq!(status.member_name.as_deref(), Some(etcd.name()));
        assert_eq!(status.revision, 3, "a new store has revision 1");
        assert_ne!(status.cluster_id, 0);
        assert_ne!(status.member_id, 0);
        assert!(status.db_size > 0);
        assert!(status.raft_term > 0 && status.raft_applied_index > 0);
        assert!(!status.is_learner);
        assert!(status.errors.is_empty());
    }
}

#[tokio::test]
async fn a_learner_says_that_it_is_one() {
    let etcd = EtcdReal::builder().start().await;
    let learner = etcd.add_learner().await;
    let status = member_of(&learner).status().await.unwrap();
    assert!(status.is_learner);
    assert_eq!(status.member_name, None, "a learner does not list members");
    assert!(!member_of(&etcd).status().await.unwrap().is_learner);
}

#[tokio::test]
async fn an_etcd_that_is_down_is_unavailable_until_it_is_back() {
    let mut etcd = EtcdReal::builder().start().await;
    let member = member_of(&etcd);
    etcd.stop().await;
    let error = member.status().await.unwrap_err();
    assert_says(&error, ErrorKind::Unavailable, "connection refused");
    assert!(error.hint().unwrap().contains("is etcd running"));
    assert_says(
        &drain(&member).await.error(),
        ErrorKind::Unavailable,
        "connection refused",
    );
    etcd.restart().await;
    member.status().await.unwrap();
    drain(&member).await.database();
}

#[tokio::test]
async fn an_unknown_host_is_unavailable_and_named() {
    let error = member_at("no-such-host.invalid:2379")
        .status()
        .await
        .unwrap_err();
    assert_says(
        &error,
        ErrorKind::Unavailable,
        "no address for host no-such-host.invalid",
    );
}

#[tokio::test]
async fn a_member_shows_its_endpoint() {
    let etcd = EtcdReal::builder().start().await;
    let mut config = config_for(&etcd);
    config.endpoint = format!("{}/", etcd.address());
    let member = rollsnap_etcd::Member::new(config).unwrap();
    assert_eq!(member.endpoint(), etcd.endpoint());
    member.status().await.unwrap();
}
