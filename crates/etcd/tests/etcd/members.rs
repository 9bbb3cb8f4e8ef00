//! Several endpoints: which one is asked, and what is said when none will do.

use rollsnap_etcd::{ErrorKind, MemberConfig, Members, Source};
use rollsnap_testkit::etcd_peer::{EtcdPeer, Script, StatusAnswer, StatusResponse, healthy};
use rollsnap_testkit::stranger::Stranger;

use crate::kit::{assert_says, drain, printed};

fn members(endpoints: &[String]) -> Members {
    Members::new(endpoints.iter().map(MemberConfig::new)).unwrap()
}

async fn peer(database: &[u8]) -> EtcdPeer {
    EtcdPeer::start([Script::honest(database)]).await
}

fn fails() -> StatusAnswer {
    StatusAnswer::Fails {
        code: 14,
        message: "etcdserver: no leader".to_owned(),
    }
}

#[tokio::test]
async fn the_first_member_that_answers_is_saved_and_remembered() {
    let (first, second) = (peer(b"first").await, peer(b"second").await);
    let members = members(&[first.endpoint(), second.endpoint()]);
    assert_eq!(
        members.endpoint(),
        format!("{},{}", first.endpoint(), second.endpoint())
    );
    first.set_status(fails());
    members.status().await.unwrap();
    assert_eq!(drain(&members).await.database(), b"second");
    // The first is back, but the second still answers.
    first.set_status(StatusAnswer::Says(Box::new(healthy())));
    members.status().await.unwrap();
    assert_eq!(drain(&members).await.database(), b"second");
    second.set_status(fails());
    members.status().await.unwrap();
    assert_eq!(drain(&members).await.database(), b"first");
    assert_eq!((first.snapshots(), second.snapshots()), (1, 2));
}

#[tokio::test]
async fn a_learner_is_chosen_only_where_nobody_else_answers() {
    let (learner, voter) = (peer(b"learner").await, peer(b"voter").await);
    learner.set_status(StatusAnswer::Says(Box::new(StatusResponse {
        is_learner: true,
        ..healthy()
    })));
    let members = members(&[learner.endpoint(), voter.endpoint()]);
    assert!(!members.status().await.unwrap().is_learner);
    assert_eq!(drain(&members).await.database(), b"voter");
    voter.set_status(fails());
    assert!(members.status().await.unwrap().is_learner);
}

#[tokio::test]
async fn when_nobody_will_do_each_ones_words_are_told() {
    let broken = peer(b"").await;
    broken.set_status(fails());
    let stranger = Stranger::web_server().await;
    let members = members(&[broken.endpoint(), format!("http://{}", stranger.address())]);
    let error = members.status().await.unwrap_err();
    assert_says(&error, ErrorKind::Unavailable, "etcdserver: no leader");
    assert_says(&error, ErrorKind::Unavailable, "this is no etcd");
    assert_says(&error, ErrorKind::Unavailable, &broken.endpoint());
}

#[tokio::test]
async fn a_single_member_speaks_for_itself() {
    let broken = peer(b"").await;
    broken.set_status(fails());
    let error = members(&[broken.endpoint()]).status().await.unwrap_err();
    let expected = format!("status of {}: etcdserver: no leader", broken.endpoint());
    assert_eq!(printed(&error), expected);
}

#[test]
fn no_endpoint_at_all_is_a_fault() {
    let faults = Members::new([]).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_says(&faults[0], ErrorKind::Config, "no endpoint is given");
    assert!(faults[0].hint().unwrap().contains("--endpoints"));
}

#[test]
fn a_fault_that_members_share_is_told_once() {
    let config = |endpoint: &str| MemberConfig {
        tls: rollsnap_etcd::TlsFiles {
            ca: Some("/nonexistent/ca.pem".into()),
            ..Default::default()
        },
        ..MemberConfig::new(endpoint)
    };
    let faults = Members::new([config("a"), config("b"), config("")]).unwrap_err();
    let texts: Vec<String> = faults.iter().map(printed).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
}
