//! `--once`: the container `etcd-snapshot-once`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::node::{Node, reason};

#[tokio::test]
async fn a_single_snapshot_is_a_zip_that_stands_alone() {
    let node = Node::up().await;
    let line = "etcd-backup save --once --name mysnapshot --creation=12h --retention=72h";
    node.call(line).run().await.ok();
    assert_eq!(node.snapshots(), ["mysnapshot.zip"]);
    let mode = fs::metadata(node.file("mysnapshot.zip"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let listed = node.bare("list -o json").run().await.json();
    let row = &listed["snapshots"][0];
    assert_eq!(row["name"], "mysnapshot", "{listed:#}");
}

#[tokio::test]
async fn the_older_form_leaves_it_as_etcd_sent_it_and_names_it_itself() {
    let node = Node::up().await;
    let err = node
        .call("rolling-backup --once --name mysnapshot")
        .run()
        .await
        .err;
    let first = err.lines().next().unwrap();
    let rest = "msg=\"Initializing Rolling Backups\" creation=5m0s retention=24h0m0s ";
    assert!(first.ends_with(rest), "{first:?}");
    node.call("rolling-backup --once").run().await.ok();
    let names = node.snapshots();
    assert!(
        names[0].ends_with("Z_etcd") && names[1] == "mysnapshot",
        "{names:?}"
    );
}

#[tokio::test]
async fn without_a_name_the_newer_form_saves_nothing() {
    let node = Node::up().await;
    let outcome = node.call("etcd-backup save --once").run().await;
    assert!(reason(&outcome).contains("no snapshot is named"));
    assert_eq!(node.snapshots(), [""; 0]);
}

#[tokio::test]
async fn an_extension_that_somebody_gave_is_not_given_twice() {
    let node = Node::up().await;
    node.call("etcd-backup save --once --name c-x1-ml-a_2020-01-01T00:00:00Z.zip")
        .run()
        .await
        .ok();
    assert_eq!(node.snapshots(), ["c-x1-ml-a_2020-01-01T00:00:00Z.zip"]);
}
