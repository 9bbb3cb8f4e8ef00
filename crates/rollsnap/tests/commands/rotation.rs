//! What the daemon deletes, and what it never does.

use std::fs;

use crate::program::Program;
use crate::running::field;
use crate::world::{Bucket, assert_nothing_half_made, etcd_and_dir, names, snapshots};

#[tokio::test]
async fn a_count_keeps_the_newest_here_and_in_the_bucket_and_touches_nothing_else() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    Program::new(["save", "--name", "before-upgrade"])
        .etcd(&etcd)
        .dir(dir.path())
        .run()
        .await
        .ok();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    fs::create_dir(dir.path().join("2018-05-04T18:40:16Z_etcd")).unwrap();
    std::os::unix::fs::symlink("notes.txt", dir.path().join("2018-05-05T18:40:16Z_etcd")).unwrap();

    let mut daemon = Program::new(["run", "--creation", "1s", "--retention", "2"])
        .etcd(&etcd)
        .dir(dir.path())
        .bucket(&bucket)
        .start();
    let deleted = daemon.lines(4, "Deleted backup").await;
    assert!(
        deleted
            .iter()
            .any(|line| field(line, "location").starts_with("s3://"))
    );
    assert_eq!(field(&deleted[0], "reason"), "number 3, 2 are kept");
    let end = daemon.stop().await;
    assert_eq!(end.code, Some(0));

    let all = names(dir.path());
    for kept in [
        "before-upgrade",
        "notes.txt",
        "2018-05-04T18:40:16Z_etcd",
        "2018-05-05T18:40:16Z_etcd",
    ] {
        assert!(all.contains(kept), "{kept} is gone");
    }
    let rolling = |names: &mut dyn Iterator<Item = &String>| {
        names
            .filter(|name| name.starts_with("20") && !name.starts_with("2018"))
            .filter(|name| name.ends_with("_etcd"))
            .count()
    };
    assert_eq!(rolling(&mut all.iter()), 2);
    // One more there, if the end came between the upload and the bucket's own rotation.
    assert!((2..=3).contains(&rolling(&mut bucket.names().iter())));
    assert!(
        bucket.names().contains("before-upgrade"),
        "a one-off is copied too"
    );
}

#[tokio::test]
async fn an_age_deletes_what_is_older_and_keeps_as_many_as_it_holds_intervals() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut daemon = Program::new(["run", "--creation", "1s", "--retention", "2s"])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    let deleted = daemon.lines(2, "Deleted backup").await;
    daemon.stop().await;
    assert!(field(&deleted[0], "reason").contains("old"), "{deleted:?}");
    assert!((2..=4).contains(&snapshots(dir.path()).len()));
    assert_nothing_half_made(dir.path());
}
