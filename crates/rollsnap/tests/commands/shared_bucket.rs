//! A bucket that holds much, and what others put there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::s3_peer::S3Peer;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::program::Program;
use crate::running::{Running, field};
use crate::world::{Bucket, etcd_and_dir, names, snapshots};

/// Puts as many older snapshots beside the one in `folder`: its bytes, under other names.
fn multiply(folder: &Path, count: u32) {
    let name = snapshots(folder).remove(0);
    let manifest = fs::read(folder.join(format!("{name}.manifest.json"))).unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let order = manifest["order"].as_u64().unwrap();
    let taken: DateTime<Utc> = manifest["started_at"].as_str().unwrap().parse().unwrap();
    for age in 1..=count {
        let earlier = taken - TimeDelta::hours(age.into());
        let other = earlier.format("%Y-%m-%dT%H:%M:%SZ_etcd").to_string();
        manifest["name"] = other.as_str().into();
        manifest["order"] = (order - 3_600_000 * u64::from(age)).into();
        manifest["started_at"] = earlier.to_rfc3339().into();
        fs::hard_link(folder.join(&name), folder.join(&other)).unwrap();
        let manifest = serde_json::to_vec(&manifest).unwrap();
        fs::write(folder.join(format!("{other}.manifest.json")), manifest).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_2500_objects_is_rotated_whole_with_a_request_for_each_thousand() {
    let (etcd, dir) = etcd_and_dir().await;
    let peer = S3Peer::start(Bucket::NAME).await;
    let start = || {
        Program::new(["run", "--creation", "1h", "--retention", "3"])
            .etcd(&etcd)
            .dir(dir.path())
            .bucket_at(&peer.endpoint())
            .start()
    };
    let mut daemon = start();
    let uploaded = daemon.line("Uploaded backup").await;
    let newest = field(&uploaded, "name").to_owned();
    daemon.stop().await;

    let folder = peer.dir().join(Bucket::NAME).join(Bucket::FOLDER);
    multiply(&folder, 1249);
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    peer.forget();
    let mut daemon = start();
    let deleted = daemon.lines(1247, "Deleted backup").await;
    let end = daemon.stop().await;
    assert_eq!(end.count("Deleted backup"), 1247, "more went than had to");
    assert!(deleted.iter().all(|line| field(line, "name") < &*newest));
    let left = snapshots(&folder);
    assert_eq!(left.len(), 3 + 1, "{left:?}");
    assert!(left.contains(&newest) && left.contains(&"notes.txt".into()));
    let manifests = names(&folder);
    let manifests = manifests
        .iter()
        .filter(|name| name.ends_with(".manifest.json"));
    assert_eq!(manifests.count(), 3);

    let pages = peer.count(&Method::GET, "list-type=2");
    assert!(pages <= 3 * 3, "{pages} pages of listings");
    let seen = peer.seen();
    let reads = seen.iter().filter(|seen| seen.method == Method::GET);
    let reads: Vec<_> = reads
        .filter(|seen| seen.path.ends_with("_etcd.manifest.json"))
        .collect();
    assert_eq!(reads.len(), 1250, "each manifest is read once");
    assert!(peer.count(&Method::HEAD, "") <= 2, "objects were asked for");
}

fn daemon(etcd: &EtcdReal, dir: &Path, bucket: &Bucket, interval: &str) -> Running {
    Program::new(["run", "--creation", interval, "--retention", "1"])
        .etcd(etcd)
        .dir(dir)
        .bucket(bucket)
        .start()
}

/// Every six seconds they choose the same name: whoever comes second leaves the first alone.
#[tokio::test]
async fn two_clusters_in_one_folder_never_touch_what_the_other_made() {
    let (etcd_a, dir_a) = etcd_and_dir().await;
    let (etcd_b, dir_b) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let mut daemons = [
        daemon(&etcd_a, dir_a.path(), &bucket, "2s"),
        daemon(&etcd_b, dir_b.path(), &bucket, "3s"),
    ];
    for daemon in &mut daemons {
        let mut there = 0;
        while there < 2 {
            let line = daemon.line("Deleted backup").await;
            there += usize::from(field(&line, "location").starts_with("s3://"));
        }
    }

    for running in daemons {
        let end = running.stop().await;
        assert_eq!(end.code, Some(0));
        let mut there = BTreeMap::new();
        for line in &end.log {
            let made = match field(line, "msg") {
                "Uploaded backup" => 1,
                "Deleted backup" if field(line, "location").starts_with("s3://") => -1,
                _ => continue,
            };
            let count = there.entry(field(line, "name")).or_insert(0);
            *count += made;
            assert!(*count >= 0, "it deletes what it never uploaded: {line}");
        }
    }
    let left = snapshots(bucket.object("").as_path());
    assert!(left.len() >= 2, "{left:?}");
    for name in left {
        let there = fs::read(bucket.object(&name)).unwrap();
        let manifest = fs::read(bucket.object(&format!("{name}.manifest.json"))).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let digest = format!("{:x}", Sha256::digest(there));
        assert_eq!(manifest["stored"]["digest"], digest, "{name} is a mix");
    }
}
