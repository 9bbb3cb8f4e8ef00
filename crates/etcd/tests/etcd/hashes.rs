//! What real members say their keys hash to, next to what `etcdctl endpoint hashkv` says.

use rollsnap_etcd::{
    ErrorKind, Member, MemberConfig, MemberHash, Members, Password, PeerHash, Peers, Secret, User,
};
use rollsnap_testkit::etcd_real::{EtcdBuilder, EtcdReal, EtcdVersion};
use rollsnap_testkit::tls::Certificates;
use serde_json::Value;

use crate::kit::{assert_says, config_for, drain, member_of};

pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) fn as_user(etcd: &EtcdReal, name: &str) -> MemberConfig {
    MemberConfig {
        user: Some(User {
            name: name.to_owned(),
            password: Password::Given(Secret::new(PASSWORD)),
        }),
        ..config_for(etcd)
    }
}

/// Revisions 2 to 9: three keys, one of them written again, one deleted and one of a transaction.
async fn fill(etcd: &EtcdReal) {
    let mut client = etcd.client().await;
    for (key, value) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", "4"), ("a", "5")] {
        client.put(key, value, None).await.unwrap();
    }
    client.delete("b", None).await.unwrap();
    for value in ["6", "7"] {
        client.put("c", value, None).await.unwrap();
    }
}

async fn compact(etcd: &EtcdReal, revision: i64) {
    let options = etcd_client::CompactionOptions::new().with_physical();
    let mut client = etcd.client().await;
    client.compact(revision, Some(options)).await.unwrap();
}

/// What etcdctl says of the member at `revision`; 0 is the newest.
fn etcdctl_says(etcd: &EtcdReal, revision: u64) -> MemberHash {
    let rev = format!("--rev={revision}");
    let mut etcdctl = etcd.etcdctl();
    let output = etcdctl.args(["endpoint", "hashkv", "-w", "json", &rev]);
    let output = output.output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = &said[0]["HashKV"];
    let number = |value: &Value| value.as_u64().unwrap();
    let asked = Some(revision).filter(|revision| *revision > 0);
    MemberHash {
        cluster_id: number(&said["header"]["cluster_id"]),
        member_id: number(&said["header"]["member_id"]),
        revision: asked.unwrap_or_else(|| number(&said["header"]["revision"])),
        compact_revision: said["compact_revision"].as_u64().unwrap_or(0),
        hash: u32::try_from(number(&said["hash"])).unwrap(),
    }
}

async fn each_kind(certificates: &Certificates) -> Vec<(EtcdReal, Member)> {
    let mut kinds = Vec::new();
    for version in EtcdVersion::ALL {
        let plain = EtcdReal::builder().version(version).start().await;
        fill(&plain).await;
        let member = member_of(&plain);
        kinds.push((plain, member));
        let guarded = EtcdReal::builder().version(version).tls(certificates);
        let mut guarded = guarded.start().await;
        fill(&guarded).await;
        guarded.enable_auth(PASSWORD).await;
        let member = Member::new(as_user(&guarded, "root")).unwrap();
        kinds.push((guarded, member));
    }
    kinds
}

#[tokio::test]
async fn a_member_says_of_every_revision_what_it_says_to_etcdctl() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    for (etcd, member) in each_kind(&certificates).await {
        assert_eq!(member.hash_kv(None).await.unwrap(), etcdctl_says(&etcd, 0));
        let mut seen = Vec::new();
        for revision in 1..=9 {
            let said = member.hash_kv(Some(revision)).await.unwrap();
            assert_eq!(said, etcdctl_says(&etcd, revision));
            assert_eq!((said.revision, said.compact_revision), (revision, 0));
            assert!(!seen.contains(&said.hash), "each write is in the hash");
            seen.push(said.hash);
        }
        compact(&etcd, 6).await;
        for revision in 7..=9 {
            let said = member.hash_kv(Some(revision)).await.unwrap();
            assert_eq!(said, etcdctl_says(&etcd, revision));
            assert_eq!(said.compact_revision, 6);
        }
    }
}

#[tokio::test]
async fn a_revision_that_is_gone_or_not_there_yet_is_told_apart() {
    for version in EtcdVersion::ALL {
        let etcd = EtcdReal::builder().version(version).start().await;
        fill(&etcd).await;
        compact(&etcd, 6).await;
        let member = member_of(&etcd);
        let error = member.hash_kv(Some(5)).await.unwrap_err();
        assert_says(&error, ErrorKind::Compacted, "has been compacted there");
        for revision in [10, u64::MAX] {
            let error = member.hash_kv(Some(revision)).await.unwrap_err();
            assert_says(&error, ErrorKind::Unavailable, "has not come to");
        }
    }
}

#[tokio::test]
async fn only_roots_own_are_told_a_hash() {
    for version in EtcdVersion::ALL {
        let mut etcd = EtcdReal::builder().version(version).start().await;
        etcd.enable_auth(PASSWORD).await;
        etcd.add_user("reader", PASSWORD).await;
        let ask = async |config| Member::new(config).unwrap().hash_kv(None).await;
        let error = ask(config_for(&etcd)).await.unwrap_err();
        assert_says(&error, ErrorKind::Denied, "etcd wants a user");
        let error = ask(as_user(&etcd, "reader")).await.unwrap_err();
        assert_says(
            &error,
            ErrorKind::Denied,
            "\"reader\" may not ask for hashes",
        );
        assert!(error.hint().unwrap().contains("grant-role reader root"));
        ask(as_user(&etcd, "root")).await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_that_names_no_user_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    for version in EtcdVersion::ALL {
        let guarded = EtcdReal::builder().version(version).tls(&certificates);
        let mut etcd = guarded.start().await;
        etcd.enable_auth(PASSWORD).await;
        let member = member_of(&etcd);
        for error in [
            member.hash_kv(None).await.unwrap_err(),
            drain(&member).await.error(),
        ] {
            assert_says(&error, ErrorKind::Denied, "etcd wants a user");
            assert!(error.hint().unwrap().contains("--user and --password-file"));
        }
    }
}

#[tokio::test]
async fn certificates_are_those_of_the_moment() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    let mut etcd = EtcdReal::builder().tls(&certificates).start().await;
    let members = Members::new([config_for(&etcd)]).unwrap();
    members.hash_kv(1).await.unwrap().remove(0).hash.unwrap();
    certificates.reissue();
    etcd.restart().await;
    members.hash_kv(1).await.unwrap().remove(0).hash.unwrap();
}

#[tokio::test]
async fn a_member_compacted_at_its_newest_revision_is_hashed_all_the_same() {
    for version in EtcdVersion::ALL {
        let etcd = EtcdReal::builder().version(version).start().await;
        fill(&etcd).await;
        compact(&etcd, 9).await;
        let members = Members::new([config_for(&etcd)]).unwrap();
        for revision in [9, 12] {
            let said = members.hash_kv(revision).await.unwrap().remove(0).hash;
            assert_eq!(said.unwrap(), etcdctl_says(&etcd, 0));
        }
        let said = members.hash_kv(8).await.unwrap().remove(0).hash;
        assert_says(&said.unwrap_err(), ErrorKind::Compacted, "compacted there");
    }
}

/// A cluster of three that knows of all its writes.
async fn three(builder: EtcdBuilder) -> Vec<EtcdReal> {
    let cluster = builder.start_cluster(3).await;
    fill(&cluster[0]).await;
    for etcd in &cluster {
        // A linearizable read waits until the member has applied what the others have.
        etcd.client().await.get("a", None).await.unwrap();
    }
    cluster
}

fn names(answers: &[PeerHash]) -> Vec<&str> {
    let mut names: Vec<_> = answers.iter().filter_map(|it| it.name.as_deref()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn one_endpoint_leads_to_every_member() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    for version in EtcdVersion::ALL {
        let plain = EtcdReal::builder().version(version);
        let guarded = plain.clone().tls(&certificates);
        for builder in [plain, guarded] {
            let cluster = three(builder).await;
            let members = Members::new([config_for(&cluster[0])]).unwrap();
            let answers = members.hash_kv(8).await.unwrap();
            assert_eq!(names(&answers), ["m1", "m2", "m3"]);
            assert!(answers.is_sorted_by_key(|answer| answer.id));
            let first = answers[0].hash.as_ref().unwrap();
            for answer in &answers {
                let hash = answer.hash.as_ref().unwrap();
                assert_eq!((answer.id, answer.is_learner), (hash.member_id, false));
                assert_eq!((hash.hash, hash.revision), (first.hash, 8));
                assert_eq!(hash.cluster_id, first.cluster_id);
            }
        }
    }
}

#[tokio::test]
async fn a_member_that_is_down_costs_nobody_else_an_answer() {
    let mut cluster = three(EtcdReal::builder()).await;
    cluster[1].kill();
    let down = config_for(&cluster[1]);
    let members = Members::new([down, config_for(&cluster[2])]).unwrap();
    let answers = members.hash_kv(8).await.unwrap();
    assert_eq!(names(&answers), ["m1", "m2", "m3"]);
    for answer in answers {
        if answer.name.as_deref() == Some("m2") {
            let error = answer.hash.unwrap_err();
            assert_says(&error, ErrorKind::Unavailable, "connection refused");
            assert_says(&error, ErrorKind::Unavailable, &cluster[1].endpoint());
        } else {
            answer.hash.unwrap();
        }
    }
}

#[tokio::test]
async fn the_last_member_that_lives_still_knows_the_others() {
    let mut cluster = three(EtcdReal::builder()).await;
    cluster[0].kill();
    cluster[1].kill();
    let members = Members::new([config_for(&cluster[2])]).unwrap();
    let answers = members.hash_kv(8).await.unwrap();
    assert_eq!(names(&answers), ["m1", "m2", "m3"]);
    assert_eq!(answers.iter().filter(|it| it.hash.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_learner_is_named_as_one() {
    for version in EtcdVersion::ALL {
        let etcd = EtcdReal::builder().version(version).start().await;
        fill(&etcd).await;
        let _learner = etcd.add_learner().await;
        let members = Members::new([config_for(&etcd)]).unwrap();
        let answers = members.hash_kv(8).await.unwrap();
        assert_eq!(names(&answers), ["founder", "learner"]);
        for answer in answers {
            if answer.is_learner {
                let error = answer.hash.unwrap_err();
                assert_says(&error, ErrorKind::Unsuitable, "this member is a learner");
            } else {
                answer.hash.unwrap();
            }
        }
    }
}
