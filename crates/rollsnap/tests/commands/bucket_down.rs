//! A bucket that fails: local snapshots stand, one line tells, the debt is paid.

use rollsnap_testkit::etcd_real::EtcdReal;

use crate::program::Program;
use crate::running::{Running, field};
use crate::world::{Bucket, etcd_and_dir, snapshots};

fn start(etcd: &EtcdReal, dir: &tempfile::TempDir, bucket: &Bucket, interval: &str) -> Running {
    Program::new(["run", "--creation", interval, "--retention", "100"])
        .etcd(etcd)
        .dir(dir.path())
        .bucket(bucket)
        .start()
}

#[tokio::test]
async fn a_bucket_that_is_down_costs_one_line_and_is_paid_when_it_comes() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut bucket = Bucket::down().await;
    let mut daemon = start(&etcd, &dir, &bucket, "1s");
    let line = daemon
        .line("Uploads fail; backups are kept locally and uploaded later")
        .await;
    assert!(line.contains(" level=error "), "{line}");
    assert!(
        field(&line, "error").contains("connection refused"),
        "{line}"
    );
    assert_ne!(field(&line, "owed"), "0");
    daemon.lines(3, "Created backup").await;
    bucket.start().await;
    daemon.line("Uploads work again").await;
    let end = daemon.stop().await;
    assert_eq!(end.count("Uploads fail"), 1, "once, not every second");
    assert!(end.count("Uploaded backup") >= 3);
    let debt = |name: &String| !bucket.names().contains(name);
    assert!(
        snapshots(dir.path())
            .iter()
            .filter(|name| debt(name))
            .count()
            <= 1
    );
}

#[tokio::test]
async fn what_is_owed_is_paid_after_a_restart_without_a_new_snapshot() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut bucket = Bucket::down().await;
    let mut daemon = start(&etcd, &dir, &bucket, "1h");
    let created = daemon.line("Created backup").await;
    daemon.line("Uploads fail").await;
    daemon.stop().await;
    bucket.start().await;
    let mut daemon = start(&etcd, &dir, &bucket, "1h");
    let uploaded = daemon.line("Uploaded backup").await;
    assert_eq!(field(&uploaded, "name"), field(&created, "name"));
    assert_eq!(daemon.stop().await.count("Created backup"), 0);
    bucket.stop();
    assert!(bucket.names().contains(field(&created, "name")));
}

#[tokio::test]
async fn a_save_by_hand_stands_and_says_how_to_copy_it_later() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut bucket = Bucket::down().await;
    let save = Program::new(["save", "--name", "n"])
        .etcd(&etcd)
        .dir(dir.path())
        .bucket(&bucket)
        .run()
        .await;
    save.fails_with_result(
        rollsnap_engine::Kind::Store,
        &[
            "n is saved, but not copied",
            "connection refused",
            "rollsnap upload n",
        ],
    );
    assert!(save.out.contains("/n  "), "{}", save.out);
    bucket.start().await;
    let upload = Program::new(["upload", "n"])
        .dir(dir.path())
        .bucket(&bucket);
    upload.run().await.ok();
    assert!(bucket.names().contains("n"));
}
