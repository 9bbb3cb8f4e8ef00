//! A member looked over: what it tells of itself, well and ill.

use std::time::Duration;

use etcd_client::{AlarmAction, AlarmOptions, AlarmType};
use rollsnap_etcd::{ErrorKind, Member, MemberConfig, Members, TlsFiles};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::tls::{Certificates, Validity};
use tokio::time::{Instant, sleep};

use crate::kit::{assert_says, config_for, files_of, member_at, member_of};

/// 2001-01-01, the end of certificates that the kit makes too late.
const LONG_AGO: u64 = 978_307_200;

#[tokio::test]
async fn a_member_that_is_well_tells_version_leader_and_the_end_of_its_certificate() {
    for version in EtcdVersion::ALL {
        let dir = tempfile::tempdir().unwrap();
        let certificates = Certificates::issue(dir.path(), &[]);
        let builder = EtcdReal::builder().version(version).tls(&certificates);
        let etcd = builder.start().await;
        let checkup = member_of(&etcd).check_up().await;
        assert_eq!(checkup.endpoint, etcd.endpoint());
        let vitals = checkup.status.unwrap();
        assert_eq!(vitals.status.version, version.number());
        assert_eq!(vitals.status.member_name.as_deref(), Some(etcd.name()));
        assert!(vitals.has_leader && vitals.status.errors.is_empty());
        vitals.health.unwrap();
        let shown = TlsFiles {
            cert: Some(certificates.server()),
            ..TlsFiles::default()
        };
        let [shown] = &shown.expiries()[..] else {
            panic!("the server has one certificate")
        };
        assert_eq!(checkup.certificate_end, Some(shown.at));
    }
}

#[tokio::test]
async fn the_files_tell_when_each_certificate_ends() {
    let dir = tempfile::tempdir().unwrap();
    let late = Certificates::issue_exactly(dir.path(), &["localhost"], Validity::Expired);
    let expiries = files_of(&late).expiries();
    let [ca, client] = &expiries[..] else {
        panic!("{expiries:?}")
    };
    assert_eq!((ca.what, &ca.path), ("CA", &late.ca()));
    assert!(ca.at > LONG_AGO, "the authority itself lives on: {ca:?}");
    let client = (client.what, &client.path, client.at);
    assert_eq!(client, ("client certificate", &late.client(), LONG_AGO));

    let missing = TlsFiles {
        ca: Some("/nope.pem".into()),
        ..TlsFiles::default()
    };
    assert_eq!(missing.expiries(), []);
}

#[tokio::test]
async fn an_alarm_is_told_in_etcds_words() {
    for version in EtcdVersion::ALL {
        let etcd = EtcdReal::builder().version(version).start().await;
        let mut client = etcd.client().await.maintenance_client();
        let options = AlarmOptions::new();
        let raised = client.alarm(AlarmAction::Activate, AlarmType::Nospace, Some(options));
        raised.await.unwrap();
        let vitals = member_of(&etcd).check_up().await.status.unwrap();
        let errors = vitals.status.errors;
        assert!(
            errors.iter().any(|it| it.contains("alarm:NOSPACE")),
            "{errors:?}"
        );
        vitals.health.unwrap();
    }
}

#[tokio::test]
async fn a_member_without_a_majority_answers_and_is_not_well() {
    let mut etcd = EtcdReal::builder().start_cluster(3).await;
    for other in &mut etcd[1..] {
        other.stop().await;
    }
    let config = MemberConfig {
        request_timeout: Duration::from_secs(1),
        ..config_for(&etcd[0])
    };
    let member = Member::new(config).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let vitals = member.check_up().await.status.unwrap();
        if !vitals.has_leader {
            let unwell = vitals.health.unwrap_err();
            assert_says(&unwell, ErrorKind::Unavailable, "health of");
            break;
        }
        assert!(Instant::now() < deadline, "it still knows a leader");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn all_that_are_configured_are_looked_over_and_who_is_down_says_so() {
    let etcd = EtcdReal::builder().start().await;
    let down = MemberConfig::new("http://127.0.0.1:1");
    let members = Members::new([down, config_for(&etcd)]).unwrap();
    let [down, up] = &members.check_up().await[..] else {
        panic!("there are two")
    };
    assert_eq!(down.endpoint, "http://127.0.0.1:1");
    let refused = down.status.as_ref().unwrap_err();
    assert_says(refused, ErrorKind::Unavailable, "connection refused");
    assert!(up.status.is_ok() && up.certificate_end.is_none());
}

#[tokio::test]
async fn a_learner_is_not_asked_what_it_may_not_answer() {
    let etcd = EtcdReal::builder().start().await;
    let learner = etcd.add_learner().await;
    let checkup = member_at(learner.endpoint()).check_up().await;
    let vitals = checkup.status.unwrap();
    assert!(vitals.status.is_learner);
    vitals.health.unwrap();
}

#[tokio::test]
async fn who_may_not_read_may_take_no_snapshot_and_is_told() {
    let mut etcd = EtcdReal::builder().start().await;
    etcd.put("a", "1").await;
    etcd.enable_auth("correct horse").await;
    let vitals = member_of(&etcd).check_up().await.status.unwrap();
    let denied = vitals.health.unwrap_err();
    assert_says(&denied, ErrorKind::Denied, "etcd wants a user");
}
