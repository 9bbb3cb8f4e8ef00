//! Rancher's names: it asks for single snapshots again and again, and has the older ones deleted
//! from the directory whenever one is saved.

use std::fs::{self, File};
use std::time::Duration;

use crate::node::Node;

const SAVED: &str = "c-abcde-rl-new_2026-01-01T00:00:00Z";

fn leave(node: &Node, name: &str, hours: u64) {
    let file = File::create(node.file(name)).unwrap();
    let now = file.metadata().unwrap().modified().unwrap();
    let at = now - Duration::from_secs(hours * 3600);
    file.set_modified(at).unwrap();
}

#[tokio::test]
async fn recurring_ones_of_the_same_cluster_go_by_their_age() {
    let node = Node::up().await;
    let others = ["c-abcde-ml-old.zip", "c-other-rl-old.zip", "my.zip"];
    for name in others {
        leave(&node, name, 99);
    }
    leave(&node, "c-abcde-rl-young.zip", 1);
    leave(&node, "c-abcde-rl-old_2020-01-01T00:00:00Z.zip", 3);
    leave(&node, "c-abcde-rs-old", 4);
    let line = "etcd-backup save --once --creation=2h --retention=2h";
    let outcome = node.call(line).args(["--name", "other"]).run().await;
    assert!(!outcome.err.contains("Deleted"), "{}", outcome.err);
    outcome.ok();
    let outcome = node.call(line).args(["--name", SAVED]).run().await;
    assert_eq!(outcome.err.matches("Deleted local backup").count(), 2);
    outcome.ok();
    let mut left = vec![
        "c-abcde-ml-old.zip".to_owned(),
        format!("{SAVED}.zip"),
        "c-abcde-rl-young.zip".to_owned(),
        "c-other-rl-old.zip".to_owned(),
        "my.zip".to_owned(),
        "other.zip".to_owned(),
    ];
    left.sort();
    assert_eq!(node.snapshots(), left);
}

#[tokio::test]
async fn the_newest_so_many_stay_however_old_they_are() {
    let node = Node::up().await;
    for number in 1..=4 {
        leave(&node, &format!("c-abcde-rl-{number}.zip"), 100 + number);
    }
    let line = format!("etcd-backup save --once --creation=1h --retention=3h --name {SAVED}");
    node.call(&line).run().await.ok();
    let left = node.snapshots();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(fs::exists(node.file("c-abcde-rl-2.zip")).unwrap());
}
