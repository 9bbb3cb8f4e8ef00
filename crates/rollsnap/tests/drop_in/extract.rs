//! `etcd-backup extractstatefile`: the state that RKE copies out of the container that has ended.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::node::{Node, reason, to};
use crate::program::Program;
use crate::world::Bucket;

fn archive(version: &str) -> PathBuf {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/testdata/rke");
    testdata.join(format!("{version}.mysnapshot.zip"))
}

fn extract(dir: &Path) -> Program {
    Program::new(["etcd-backup", "extractstatefile", "--name", "mysnapshot"])
        .dir(dir)
        .env("ROLLSNAP_STATE_FILE", dir.join("cluster.rkestate"))
}

#[tokio::test]
async fn the_state_comes_out_of_what_the_originals_wrote() {
    for version in ["v0.1.62", "v0.1.83", "v0.1.111"] {
        let dir = tempfile::tempdir().unwrap();
        fs::copy(archive(version), dir.path().join("mysnapshot.zip")).unwrap();
        // The old one's container may be started again.
        for _ in 0..2 {
            let outcome = extract(dir.path()).run().await;
            assert!(
                outcome
                    .err
                    .contains("Trying to get statefile from backup [mysnapshot]")
            );
            assert!(
                outcome
                    .err
                    .contains("Successfully extracted file [/etc/kubernetes/mysnap")
            );
            outcome.ok();
        }
        let state = dir.path().join("cluster.rkestate");
        let document: serde_json::Value =
            serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
        assert!(document.get("desiredState").is_some(), "{document}");
        assert_eq!(
            fs::metadata(state).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[tokio::test]
async fn an_archive_without_a_state_and_none_at_all_are_failures() {
    let dir = tempfile::tempdir().unwrap();
    assert!(reason(&extract(dir.path()).run().await).contains("there is no archive of"));
    fs::copy(archive("v0.1.56"), dir.path().join("mysnapshot.zip")).unwrap();
    assert!(reason(&extract(dir.path()).run().await).contains("no statefile"));
    fs::write(
        dir.path().join("mysnapshot.zip"),
        "PK\u{3}\u{4} and nothing",
    )
    .unwrap();
    assert!(reason(&extract(dir.path()).run().await).contains("mysnapshot.zip"));
    assert!(!dir.path().join("cluster.rkestate").exists());
}

#[tokio::test]
async fn the_bucket_comes_first_and_what_it_cannot_give_may_be_here() {
    let dir = tempfile::tempdir().unwrap();
    let mut bucket = Bucket::up().await;
    let object = bucket.object("mysnapshot.zip");
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::copy(archive("v0.1.111"), object).unwrap();
    let outcome = extract(dir.path()).args(to(&bucket)).run().await;
    assert!(outcome.err.contains("from file [s3://"), "{}", outcome.err);
    outcome.ok();
    fs::copy(archive("v0.1.111"), dir.path().join("mysnapshot.zip")).unwrap();
    bucket.stop();
    let outcome = extract(dir.path()).args(to(&bucket)).run().await;
    assert!(
        outcome
            .err
            .contains("Cannot look for the statefile in the bucket")
    );
    outcome.ok();
}

#[tokio::test]
async fn what_rke_laid_beside_a_single_save_goes_into_it_and_comes_out_of_it() {
    let node = Node::up().await;
    let state = "{\n  \"desiredState\": {}\n}";
    let laid = node.kubernetes().join("mysnapshot.rkestate");
    fs::write(&laid, state).unwrap();
    let outcome = node
        .call("etcd-backup save --once --name mysnapshot")
        .run()
        .await;
    assert_eq!(outcome.err.lines().count(), 2, "{}", outcome.err);
    outcome.ok();
    assert!(!laid.exists(), "it holds every key of the cluster");
    extract(node.backup()).run().await.ok();
    let out = fs::read_to_string(node.file("cluster.rkestate")).unwrap();
    assert_eq!(out, state);
}

#[tokio::test]
async fn the_loop_goes_without_a_state_where_nobody_gives_one() {
    let node = Node::up().await;
    let mut running = node
        .call("etcd-backup save --name x --creation=1h --retention=2h")
        .start();
    running
        .line("level=warning msg=\"Error while trying to retrieve cluster state")
        .await;
    running.line("msg=\"Created local backup\"").await;
    assert_eq!(running.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_state_that_went_into_no_archive_stays_where_rke_laid_it() {
    let node = Node::up().await;
    let laid = node.kubernetes().join("mysnapshot.rkestate");
    fs::write(&laid, "{}").unwrap();
    let save = node.call("etcd-backup save --once --name mysnapshot");
    let save = save.env("ROLLSNAP_COMPRESSION", "zstd");
    save.run().await.ok();
    assert!(laid.exists());
}
