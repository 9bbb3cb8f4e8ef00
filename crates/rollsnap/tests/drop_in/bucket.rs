//! Copies: keys as the originals gave them, and what RKE looks for when there is none.

use std::collections::BTreeSet;
use std::fs;

use rollsnap_testkit::s3_peer::{ACCESS_KEY, SECRET_KEY};

use crate::node::{Node, reason, to};
use crate::running::field;
use crate::world::Bucket;

const ONCE: &str = "etcd-backup save --once --name mysnapshot";

#[tokio::test]
async fn a_single_snapshot_is_copied_under_the_originals_key_and_words() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    let outcome = node.call(ONCE).args(to(&bucket)).run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    assert!(bucket.names().contains("mysnapshot.zip"));
    let said: Vec<_> = outcome.err.lines().map(|line| field(line, "msg")).collect();
    let key = format!("{}/mysnapshot.zip", Bucket::FOLDER);
    let size = node.file("mysnapshot.zip").metadata().unwrap().len();
    assert_eq!(
        said,
        [
            "Initializing Onetime Backup",
            "Created local backup",
            "invoking set s3 service client",
            &*format!("invoking uploading backup file [{key}] to s3"),
            &*format!("Successfully uploaded [{key}] of size [{size}]"),
        ]
    );
    let line = outcome.err.lines().nth(2).unwrap();
    let rest = format!(
        " s3-accessKey=\"***\" s3-bucketName={} s3-endpoint=\"{}\" s3-endpoint-ca= s3-folder={} \
         s3-region=",
        Bucket::NAME,
        bucket.endpoint(),
        Bucket::FOLDER
    );
    assert!(line.ends_with(&rest), "{line}");
}

#[tokio::test]
async fn a_failed_upload_is_in_the_last_line_and_the_snapshot_stands() {
    let (node, bucket) = (Node::up().await, Bucket::down().await);
    let outcome = node.call(ONCE).args(to(&bucket)).run().await;
    let last = reason(&outcome);
    assert!(
        last.contains("msg=\"failed to upload etcd snapshot file: "),
        "{last}"
    );
    assert_eq!(node.snapshots(), ["mysnapshot.zip"]);
}

#[tokio::test]
async fn a_bucket_that_is_set_up_wrongly_holds_back_no_snapshot() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    let wrong = || {
        [
            to(&bucket),
            vec!["--s3-endpoint-ca=/nowhere/ca.pem".to_owned()],
        ]
        .concat()
    };
    let outcome = node.call(ONCE).args(wrong()).run().await;
    let last = reason(&outcome);
    assert!(last.contains("msg=\"failed to set s3 server: "), "{last}");
    assert!(last.contains("/nowhere/ca.pem"), "{last}");
    assert_eq!(node.snapshots(), ["mysnapshot.zip"]);

    let line = "etcd-backup save --name x --creation=1h --retention=2h";
    let mut running = node.call(line).args(wrong()).start();
    running.line("Created local backup").await;
    let error = running
        .line("level=error msg=\"failed to set s3 server: ")
        .await;
    assert_eq!(field(&error, "s3-bucketName"), Bucket::NAME);
    assert_eq!(running.stop().await.code, Some(0));
    assert_eq!(bucket.names(), BTreeSet::new());
}

#[tokio::test]
async fn the_loop_copies_and_rotates_there_too() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    let line = "etcd-backup save --name etcd-rolling-snapshots --creation=1s --retention=2s";
    let mut running = node.call(line).args(to(&bucket)).start();
    let uploaded = running.line("msg=\"Successfully uploaded [").await;
    let key = field(&uploaded, "msg")
        .split(['[', ']'])
        .nth(1)
        .unwrap()
        .to_owned();
    let gone = format!("msg=\"Success delete s3 backup file [{key}]\"");
    running.line(&gone).await;
    let end = running.stop().await;
    let looked = end
        .log
        .iter()
        .filter(|line| line.contains(" level=info msg=\"Invoking delete s3 backup files\" "));
    let looked: Vec<_> = looked.map(|line| field(line, "retention")).collect();
    assert!(
        looked.len() > 1 && looked.iter().all(|it| *it == "2s"),
        "{looked:?}"
    );
    let began = format!("msg=\"Start to delete s3 backup file [{key}]\"");
    assert_eq!(end.count(&began), 1);
    assert!(
        key.starts_with(Bucket::FOLDER) && key.ends_with("Z_etcd.zip"),
        "{key}"
    );
}

#[tokio::test]
async fn keys_come_by_the_environment_in_base64() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    let flags = to(&bucket);
    let encoded = |key: &str| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, key);
    let outcome = node
        .call(ONCE)
        .args(flags.iter().filter(|flag| !flag.contains("Key=")))
        .env("S3_ACCESS_KEY", encoded(ACCESS_KEY))
        .env("S3_SECRET_KEY", encoded(SECRET_KEY))
        .run()
        .await;
    outcome.ok();
    assert!(bucket.names().contains("mysnapshot.zip"));
}

#[tokio::test]
async fn an_earlier_snapshot_of_the_name_makes_way_here_and_there() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    // Of the old program, without a manifest.
    fs::write(node.file("mysnapshot.zip"), "an archive").unwrap();
    let mut revisions = Vec::new();
    for value in ["one", "two"] {
        node.etcd.put("/registry/secrets/default/s", value).await;
        node.call(ONCE).args(to(&bucket)).run().await.ok();
        assert_eq!(node.snapshots(), ["mysnapshot.zip"]);
        let here = fs::read(node.file("mysnapshot.zip")).unwrap();
        assert!(here == fs::read(bucket.object("mysnapshot.zip")).unwrap());
        let manifest = fs::read(node.file("mysnapshot.manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        revisions.push(manifest["revision"].as_u64());
    }
    assert!(
        revisions[0].is_some() && revisions[0] < revisions[1],
        "{revisions:?}"
    );
}
