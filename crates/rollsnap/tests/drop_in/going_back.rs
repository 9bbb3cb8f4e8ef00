//! Back to the old program: it finds what we wrote, and does to it what it did to its own.

use std::collections::BTreeSet;
use std::fs;

use chrono::{DateTime, TimeZone, Utc};

use crate::node::{Node, to};
use crate::originals;
use crate::world::{Bucket, names};

/// A node with rolling snapshots, a single one, one as the older form leaves it, and their copies.
async fn lived_in() -> (Node, Bucket) {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    let line = "etcd-backup save --name x --creation=1s --retention=1h";
    let mut running = node.call(line).args(to(&bucket)).start();
    running.lines(3, "Successfully uploaded").await;
    running.stop().await;
    let once = "etcd-backup save --once --name my";
    node.call(once).args(to(&bucket)).run().await.ok();
    node.call("rolling-backup --once --name older")
        .run()
        .await
        .ok();
    (node, bucket)
}

fn is_beside(name: &str) -> bool {
    name.ends_with(".manifest.json") || name.ends_with(".keys.index")
}

/// The snapshot that a manifest or an index belongs to.
fn of(name: &str) -> &str {
    let manifest = name.strip_suffix(".manifest.json");
    let stem = manifest.or(name.strip_suffix(".keys.index"));
    stem.expect("it lies beside one")
}

/// The snapshots among these, without extension.
fn stems(names: &BTreeSet<String>) -> BTreeSet<String> {
    let snapshots = names.iter().filter(|name| !is_beside(name));
    snapshots
        .map(|name| name.strip_suffix(".zip").unwrap_or(name).to_owned())
        .collect()
}

fn of_rolling(names: &BTreeSet<String>) -> BTreeSet<String> {
    let rolling = names.iter().filter(|name| name.contains("Z_etcd"));
    rolling.cloned().collect()
}

/// A cut-off before or after everything here.
fn year(year: i32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap()
}

#[tokio::test]
async fn it_downloads_and_restores_every_snapshot_and_nothing_else() {
    let (node, bucket) = lived_in().await;
    let here = names(node.backup());
    assert!(here.iter().any(|name| is_beside(name)), "{here:?}");
    for name in stems(&here) {
        let zip = node.file(&format!("{name}.zip"));
        let file = if zip.exists() { zip } else { node.file(&name) };
        assert!(originals::is_restorable(&originals::raw(&file, &name)));
    }
    let there = bucket.names();
    assert!(there.iter().any(|name| is_beside(name)), "{there:?}");
    for name in stems(&there) {
        let zip = format!("{name}.zip");
        assert_eq!(originals::downloads(&there, &name), [&*zip]);
        let raw = originals::raw(&bucket.object(&zip), &name);
        assert!(originals::is_restorable(&raw));
    }
}

#[tokio::test]
async fn its_rotation_takes_what_it_took_and_leaves_what_it_left() {
    let (node, bucket) = lived_in().await;
    let here = names(node.backup());
    // With each rolling one goes what lies beside it.
    let gone = originals::prunes_here(node.backup(), year(9999));
    assert_eq!(gone, of_rolling(&here));
    let there = bucket.names();
    let gone_there = originals::prunes_there(&there, year(9999));
    assert_eq!(stems(&gone_there), stems(&of_rolling(&there)));
    assert!(gone_there.iter().all(|key| !is_beside(key)));
    // Nothing goes before its time.
    assert!(originals::prunes_here(node.backup(), year(2020)).is_empty());
    assert!(originals::prunes_there(&there, year(2020)).is_empty());

    // Once more ours, it finishes what was begun: of what is gone nothing stays beside.
    for name in &gone {
        fs::remove_file(node.file(name)).unwrap();
    }
    for key in &gone_there {
        fs::remove_file(bucket.object(key)).unwrap();
    }
    let line = "etcd-backup save --name x --creation=1s --retention=1h";
    let mut running = node.call(line).args(to(&bucket)).start();
    running.lines(2, "Successfully uploaded").await;
    running.stop().await;
    for left in [names(node.backup()), bucket.names()] {
        let snapshots = stems(&left);
        let beside = left.iter().filter(|name| is_beside(name));
        let of_nothing: Vec<_> = beside
            .filter(|name| !snapshots.contains(of(name)))
            .collect();
        assert!(of_nothing.is_empty(), "{of_nothing:?}");
        assert!(left.contains("my.zip"));
    }
}

#[tokio::test]
async fn its_delete_takes_a_snapshot_with_all_that_lies_beside_it() {
    let (_node, bucket) = lived_in().await;
    let there = bucket.names();
    let gone = originals::deletes(&there, "my");
    assert_eq!(stems(&gone), BTreeSet::from(["my".to_owned()]));
    assert!(gone.contains("my.manifest.json") && gone.contains("my.zip"));
}
