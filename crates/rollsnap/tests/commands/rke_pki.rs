//! The certificates of RKE before v0.2.0, kept beside the snapshots.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rollsnap_engine::Kind;

use crate::json::assert_documented;
use crate::program::Program;
use crate::running::field;
use crate::world::{self, Bucket};

const BUNDLE: &str = "pki.bundle.tar.gz";

fn pki(verb: &str) -> Program {
    Program::new(["rke", "pki", verb, "-o", "json"])
}

#[tokio::test]
async fn they_are_packed_beside_the_snapshots_and_come_back() {
    let (dir, ssl) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(ssl.path().join("kube-ca-key.pem"), "canary").unwrap();
    let from = ssl.path();
    let saved = pki("save").dir(dir.path()).arg_path("--from", from).run();
    let saved = saved.await.json();
    assert_eq!(saved["files"], 1);
    let bundle = dir.path().join(BUNDLE);
    assert_eq!(saved["bundle"], bundle.display().to_string());
    assert_eq!(
        fs::metadata(&bundle).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(world::names(&dir.path().join(".rollsnap/spool")).is_empty());

    let into = ssl.path().join("new");
    let restored = pki("restore").dir(dir.path()).arg_path("--to", &into).run();
    let restored = restored.await.json();
    assert_eq!(restored["files"], 1);
    assert_documented("rke pki", &[saved, restored]);
    let text = fs::read_to_string(into.join("kube-ca-key.pem")).unwrap();
    assert_eq!(text, "canary");
}

#[tokio::test]
async fn they_are_in_the_bucket_too_and_come_back_from_there() {
    let (etcd, dir) = world::etcd_and_dir().await;
    let (bucket, ssl) = (Bucket::up().await, tempfile::tempdir().unwrap());
    fs::write(ssl.path().join("kube-ca-key.pem"), "canary").unwrap();
    let saved = pki("save").dir(dir.path()).arg_path("--from", ssl.path());
    saved.run().await.ok();
    let daemon = || {
        Program::new(["run", "--creation", "1s", "--retention", "1"])
            .etcd(&etcd)
            .dir(dir.path())
            .bucket(&bucket)
            .start()
    };
    let mut daemon = daemon();
    let uploaded = daemon.line("Uploaded RKE's certificates").await;
    let name = field(&uploaded, "name").to_owned();
    let mut there = 0;
    while there < 3 {
        let line = daemon.line("Deleted backup").await;
        there += usize::from(field(&line, "location").starts_with("s3://"));
    }
    let end = daemon.stop().await;
    assert_eq!(end.count("Uploaded RKE's certificates"), 1);
    let copy = fs::read(bucket.object(&name)).unwrap();
    assert!(copy == fs::read(dir.path().join(BUNDLE)).unwrap());

    let list = Program::new(["list", "-o", "json"]).dir(dir.path());
    let list = list.bucket(&bucket).run().await.json();
    assert_eq!(list["bundles"][0]["name"], BUNDLE);
    assert_eq!(list["bundles"][1]["name"], *name);
    let table = Program::new(["list"]).dir(dir.path()).bucket(&bucket);
    let table = table.run().await.ok();
    assert_eq!(table.matches("certificates").count(), 2, "{table}");

    // The node is lost.
    fs::remove_file(dir.path().join(BUNDLE)).unwrap();
    let into = ssl.path().join("new");
    let restore = || {
        let restore = pki("restore").dir(dir.path()).bucket(&bucket);
        restore.arg_path("--to", &into).run()
    };
    let restored = restore().await.json();
    assert!(restored["bundle"].as_str().unwrap().ends_with(&name));
    let text = fs::read_to_string(into.join("kube-ca-key.pem")).unwrap();
    assert_eq!(text, "canary");

    // Nobody is given another cluster's keys.
    fs::write(bucket.object(&format!("abc-123.{BUNDLE}")), copy).unwrap();
    restore().await.fails(Kind::Usage, &["of 2 clusters"]);
}

#[tokio::test]
async fn what_is_missing_or_broken_is_said_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let saved = pki("save")
        .dir(dir.path())
        .arg_path("--from", &missing)
        .run();
    saved.await.fails(
        Kind::Config,
        &["there are no certificates in", "since v0.2.0"],
    );
    let restore = || {
        pki("restore")
            .dir(dir.path())
            .arg_path("--to", &missing)
            .run()
    };
    restore()
        .await
        .fails(Kind::Config, &["no such object", "hint: "]);
    fs::write(dir.path().join(BUNDLE), "no gzip").unwrap();
    restore()
        .await
        .fails(Kind::Corrupt, &["it is cut or broken"]);
    assert!(!missing.exists());
}
