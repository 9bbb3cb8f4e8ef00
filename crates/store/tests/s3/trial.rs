//! A bucket tried out before trust is placed in it, on servers that differ in what they know.

use std::fs::{self, File, FileTimes};
use std::path::PathBuf;
use std::time::SystemTime;

use rollsnap_store::s3::{Lock, LockMode, Writing};
use rollsnap_store::{Effort, ErrorKind, Outcome, Probe};
use rollsnap_testkit::s3_peer::{Fault, Rule};
use rollsnap_testkit::s3_real::{Radosgw, Rclone};

use super::*;

const ALL: [&str; 17] = [
    "connection",
    "credentials",
    "list",
    "region",
    "clock",
    "put",
    "conditional write",
    "overwrite",
    "read",
    "checksum",
    "encryption",
    "multipart upload",
    "pending uploads",
    "resumption",
    "conditional completion",
    "delete",
    "object lock",
];

const REFUSED: Fault = Fault::Refuse {
    status: 403,
    code: "AccessDenied",
    retry_after: None,
};

/// What was tried and came out like this.
fn those(probes: &[Probe], is_like: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
    let like = probes.iter().filter(|probe| is_like(&probe.outcome));
    like.map(|probe| probe.what).collect()
}

fn weak(probes: &[Probe]) -> Vec<&'static str> {
    let cured = |outcome: &Outcome| match outcome {
        Outcome::Weak { message, hint } => !message.is_empty() && !hint.is_empty(),
        _ => false,
    };
    those(probes, cured)
}

/// Each has its cure.
fn failed(probes: &[Probe]) -> Vec<&'static str> {
    let cured = |outcome: &Outcome| match outcome {
        Outcome::Failed(error) => !everything(error).is_empty() && error.hint().is_some(),
        _ => false,
    };
    those(probes, cured)
}

fn untried(probes: &[Probe]) -> Vec<&'static str> {
    those(probes, |outcome| matches!(outcome, Outcome::Untried(_)))
}

#[track_caller]
fn assert_weak_only(probes: &[Probe], expected: &[&str]) {
    assert_eq!(those(probes, |_| true), ALL);
    assert_eq!(failed(probes), [""; 0], "{probes:#?}");
    assert_eq!(weak(probes), expected, "{probes:#?}");
}

/// Everything in the bucket's folder.
fn left(peer: &S3Peer) -> Vec<PathBuf> {
    let folder = peer.dir().join(BUCKET).join("clusters/east");
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn each_server_is_told_by_what_it_does_not_know() {
    let (peer, store) = peer().await;
    assert_weak_only(&store.probe(Effort::Full).await, &[]);
    assert!(left(&peer).is_empty(), "{:?}", left(&peer));
    assert_eq!(peer.pending_uploads(), 0);

    let server = Rclone::start(None).await;
    let store = S3Store::open(&config(server.endpoint())).unwrap();
    let expected = ["conditional write", "conditional completion"];
    assert_weak_only(&store.probe(Effort::Full).await, &expected);
    assert!(store.list("").await.unwrap().is_empty());
}

#[tokio::test]
async fn ceph_is_told_by_what_it_does_not_know() {
    let server = Radosgw::start().await;
    let store = S3Store::open(&config(server.endpoint())).unwrap();
    let expected = ["checksum", "conditional completion"];
    assert_weak_only(&store.probe(Effort::Full).await, &expected);
    assert_eq!(server.objects(), 0, "something stayed");
    assert_eq!(server.pending_uploads(), 0);
}

#[tokio::test]
async fn the_harmless_half_reads_only() {
    let (peer, store) = peer().await;
    let probes = store.probe(Effort::Harmless).await;
    assert_eq!(those(&probes, |_| true), ALL[..5]);
    assert_eq!(
        those(&probes, |it| matches!(it, Outcome::Held(_))),
        ALL[..5]
    );
    let reads = |method: &Method| [Method::GET, Method::HEAD].contains(method);
    assert!(peer.seen().iter().all(|seen| reads(&seen.method)));
}

#[tokio::test]
async fn whatever_is_refused_is_told_and_nothing_of_the_trial_stays() {
    for (method, query, expected) in [
        (Method::PUT, "", "put"),
        (Method::PUT, "partNumber=", "multipart upload"),
        (Method::POST, "uploads=", "multipart upload"),
        (Method::POST, "uploadId=", "multipart upload"),
        (Method::GET, "uploads=", "pending uploads"),
        (Method::GET, "uploadId=", "resumption"),
    ] {
        let (peer, store) = peer().await;
        peer.script(
            Rule::on(method.clone(), REFUSED)
                .with_query(query)
                .times(99),
        );
        let probes = store.probe(Effort::Full).await;
        let told = failed(&probes);
        assert!(told.contains(&expected), "{method} {query}: {probes:#?}");
        assert!(left(&peer).is_empty(), "{method} {query}");
        assert_eq!(peer.pending_uploads(), 0, "{method} {query}");
        if expected == "put" {
            assert!(untried(&probes).starts_with(&ALL[6..11]), "{probes:#?}");
        }
    }
}

#[tokio::test]
async fn missing_rights_to_delete_and_to_read_are_told() {
    let (peer, store) = peer().await;
    peer.script(Rule::on(Method::DELETE, REFUSED).times(99));
    assert_eq!(failed(&store.probe(Effort::Full).await), ["delete"]);

    peer.behave();
    peer.script(Rule::on(Method::HEAD, REFUSED).times(99));
    let probes = store.probe(Effort::Full).await;
    assert_eq!(failed(&probes), ["checksum", "delete"]);
    assert_eq!(untried(&probes), ["encryption"]);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_leaves_the_rest_untried() {
    let peer = S3Peer::start("another").await;
    let store = S3Store::open(&config(peer.endpoint())).unwrap();
    let probes = store.probe(Effort::Full).await;
    assert_eq!(failed(&probes), ["list"]);
    assert_eq!(untried(&probes), ALL[5..]);
    let told = probes.iter().find(|probe| probe.what == "list").unwrap();
    assert!(matches!(&told.outcome, Outcome::Failed(error)
        if error.kind() == ErrorKind::Config && error.to_string().contains("does not exist")));

    let mut config = config("http://127.0.0.1:1");
    config.tuning.tries = 1;
    let probes = S3Store::open(&config).unwrap().probe(Effort::Full).await;
    assert_eq!(failed(&probes), ["connection"]);
}

#[tokio::test]
async fn a_server_that_ignores_the_lock_that_is_asked_for_fails() {
    let (_peer, store) = {
        let peer = S3Peer::start(BUCKET).await;
        let config = S3Config {
            writing: Writing {
                lock: Some(Lock {
                    mode: LockMode::Governance,
                    period: Duration::from_secs(3600),
                }),
                encryption: Some(rollsnap_store::s3::Encryption::S3),
                ..Writing::default()
            },
            ..config(peer.endpoint())
        };
        let store = S3Store::open(&config).unwrap();
        (peer, store)
    };
    let probes = store.probe(Effort::Full).await;
    assert_eq!(
        failed(&probes),
        ["encryption", "object lock"],
        "{probes:#?}"
    );
}

#[tokio::test]
async fn a_server_that_gives_back_other_bytes_fails() {
    let (peer, store) = peer().await;
    // The listing comes first.
    peer.script(Rule::on(Method::GET, Fault::ReplyWith("other bytes")).after(1));
    let probes = store.probe(Effort::Full).await;
    assert_eq!(failed(&probes), ["read"], "{probes:#?}");
}

#[expect(clippy::disallowed_methods, reason = "the age of a file is real")]
#[tokio::test]
async fn what_a_trial_left_behind_is_removed_by_the_next_once_it_is_old() {
    let (peer, store) = peer().await;
    let folder = peer.dir().join(BUCKET).join("clusters/east");
    fs::create_dir_all(&folder).unwrap();
    let now = SystemTime::now();
    for (name, hours) in [("old", 2), ("new", 0)] {
        let file = File::create(folder.join(format!(".rollsnap-probe-{name}"))).unwrap();
        let then = now - Duration::from_secs(hours * 3600);
        file.set_times(FileTimes::new().set_modified(then)).unwrap();
    }
    store.probe(Effort::Full).await;
    assert_eq!(left(&peer), [folder.join(".rollsnap-probe-new")]);
}
