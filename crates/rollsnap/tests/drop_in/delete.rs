//! `etcd-backup delete`: exact names, and nothing else.

use std::fs;

use crate::node::{Node, reason, to};
use crate::world::{Bucket, names};

async fn saved(node: &Node, bucket: &Bucket, name: &str) {
    let line = format!("etcd-backup save --once --name {name}");
    node.call(&line).args(to(bucket)).run().await.ok();
}

#[tokio::test]
async fn a_snapshot_goes_here_and_there_with_all_that_lies_beside_it() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    saved(&node, &bucket, "my").await;
    fs::write(node.file("my"), "the copy that download left").unwrap();
    let delete = || node.bare("etcd-backup delete --name my").args(to(&bucket));
    let outcome = delete().run().await;
    for words in [
        format!(
            "msg=\"Deleted local backup\" name={} runtime=",
            node.file("my").display()
        ),
        format!(
            "msg=\"Deleted local backup\" name={} runtime=",
            node.file("my.zip").display()
        ),
        format!(
            "msg=\"removed backups: {}/my.zip from object store\"",
            Bucket::FOLDER
        ),
    ] {
        assert!(outcome.err.contains(&words), "{words} in {}", outcome.err);
    }
    outcome.ok();
    assert!(names(node.backup()).is_empty() && bucket.names().is_empty());
    delete().run().await.ok();
}

#[tokio::test]
async fn cleanup_removes_a_copy_and_never_the_snapshot() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    saved(&node, &bucket, "my").await;
    let before = names(node.backup());
    fs::write(node.file("my"), "the copy that download left").unwrap();
    let cleanup = |name: &str| {
        let line = format!("etcd-backup delete --cleanup --name {name}");
        node.bare(&line).args(to(&bucket))
    };
    cleanup("my").run().await.ok();
    assert_eq!(names(node.backup()), before);
    cleanup("my").run().await.ok();
    assert_eq!(names(node.backup()), before);
    // Raw, and the only one: of ours with a manifest, of the old program's without.
    node.call("rolling-backup --once --name raw")
        .run()
        .await
        .ok();
    fs::write(node.file("old"), "of the old program").unwrap();
    for name in ["raw", "old"] {
        let outcome = cleanup(name).run().await;
        assert!(
            outcome.err.contains("no copy of an archive"),
            "{}",
            outcome.err
        );
        assert!(node.file(name).exists());
    }
}

#[tokio::test]
async fn what_is_here_goes_though_the_bucket_is_set_up_wrongly() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    saved(&node, &bucket, "my").await;
    let delete = node.bare("etcd-backup delete --name my").args(to(&bucket));
    let outcome = delete
        .args(["--s3-endpoint-ca=/nowhere/ca.pem"])
        .run()
        .await;
    assert!(reason(&outcome).contains("/nowhere/ca.pem"));
    assert!(names(node.backup()).is_empty());
    assert!(bucket.names().contains("my.zip"));
}

#[tokio::test]
async fn an_archive_that_was_once_called_gz_goes_too_and_makes_the_plain_file_a_copy() {
    let node = Node::up().await;
    saved_here(&node, "my").await;
    fs::rename(node.file("my.zip"), node.file("my.gz")).unwrap();
    fs::remove_file(node.file("my.manifest.json")).unwrap();
    fs::write(node.file("my"), "the copy that download left").unwrap();
    node.bare("etcd-backup delete --name my --cleanup")
        .run()
        .await
        .ok();
    assert!(!node.file("my").exists() && node.file("my.gz").exists());
    node.bare("etcd-backup delete --name my").run().await.ok();
    assert!(!node.file("my.gz").exists());
}

async fn saved_here(node: &Node, name: &str) {
    let line = format!("etcd-backup save --once --name {name}");
    node.call(&line).run().await.ok();
}
