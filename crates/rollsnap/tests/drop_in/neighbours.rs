//! Others' snapshots beside ours: of other nodes, of another cluster, of the old program.

use std::fs;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::node::{Node, reason, to};
use crate::world::Bucket;

const ONCE: &str = "etcd-backup save --once --name my";

#[tokio::test]
async fn a_sidecar_leaves_the_newest_of_a_name_though_its_own_is_older() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    let other = tempfile::tempdir().unwrap();
    let there = || fs::read(bucket.object("my.zip")).unwrap();
    node.call(ONCE).args(to(&bucket)).run().await.ok();
    node.etcd.put("/registry/pods/a", "later").await;
    let call = node.call(ONCE).args(to(&bucket));
    call.dir(other.path()).run().await.ok();
    let newest = there();
    let line = "etcd-backup save --name x --creation=1s --retention=1h";
    let mut running = node.call(line).args(to(&bucket)).start();
    running.lines(2, "Successfully uploaded").await;
    assert_eq!(running.stop().await.count("not uploaded"), 0);
    assert!(there() == newest);
    // A name that is used again is the newest again.
    node.etcd.put("/registry/pods/a", "latest").await;
    node.call(ONCE).args(to(&bucket)).run().await.ok();
    assert!(there() == fs::read(node.file("my.zip")).unwrap());
}

#[tokio::test]
async fn a_name_that_another_cluster_has_in_the_bucket_is_refused() {
    let (one, two) = (Node::up().await, Node::up().await);
    let bucket = Bucket::up().await;
    one.call(ONCE).args(to(&bucket)).run().await.ok();
    let outcome = two.call(ONCE).args(to(&bucket)).run().await;
    let last = reason(&outcome);
    assert!(
        last.contains("failed to upload etcd snapshot file"),
        "{last}"
    );
    let there = fs::read(bucket.object("my.zip")).unwrap();
    assert!(there == fs::read(one.file("my.zip")).unwrap());
    assert_eq!(two.snapshots(), ["my.zip"]);
}

#[tokio::test]
async fn what_the_old_program_left_goes_by_its_age_and_fills_the_number_till_then() {
    let node = Node::up().await;
    node.call(ONCE).run().await.ok();
    // One every 12 hours, before somebody shortened the interval.
    let mut left = Vec::new();
    let now = fs::metadata(node.file("my.zip")).unwrap().modified();
    let mut at = DateTime::<Utc>::from(now.unwrap());
    for _ in 1..=8 {
        at -= TimeDelta::hours(12);
        let time = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        left.push(format!("{time}_etcd.zip"));
    }
    for name in &left {
        fs::copy(node.file("my.zip"), node.file(name)).unwrap();
    }
    let line = "etcd-backup save --name x --creation=1h --retention=6h";
    let mut running = node.call(line).start();
    running.lines(3, "Deleted local backup").await;
    running.stop().await;
    let now = node.snapshots();
    assert_eq!(now.len(), 1 + 1 + 5, "{now:?}");
    assert!(left[..5].iter().all(|name| now.contains(name)), "{now:?}");
}
