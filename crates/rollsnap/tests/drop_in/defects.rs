//! What the old program got wrong, each by its number in section 3.1 of the behaviour that was
//! observed, and what comes of it here.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rollsnap_testkit::mount::Mount;
use rollsnap_testkit::s3_server;
use rollsnap_testkit::tls::Certificates;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::node::{Node, reason, to};
use crate::world::{Bucket, assert_nothing_written, names};

const ONCE: &str = "etcd-backup save --once --name my";

/// 1: a truncated zip, exit 0, the line of success, and the raw snapshot deleted.
#[tokio::test]
async fn defect_01_a_disk_that_fills_up_is_a_failure_and_leaves_nothing() {
    let (node, disk) = (Node::up().await, Mount::tmpfs("1m"));
    node.etcd.fill(3 << 20).await;
    let outcome = node.call(ONCE).dir(disk.path()).run().await;
    let last = reason(&outcome);
    assert!(last.contains("no space") || last.contains("room"), "{last}");
    assert!(!outcome.err.contains("Created"), "{}", outcome.err);
    assert_nothing_written(disk.path());
}

/// 1, before anything is written: what the last one shrank to tells that the next has no room.
#[tokio::test]
async fn defect_01_too_little_room_for_a_zip_is_known_before_etcd_is_read() {
    let (node, disk) = (Node::up().await, Mount::tmpfs("8m"));
    node.etcd.fill(2 << 20).await;
    node.call(ONCE).dir(disk.path()).run().await.ok();
    let before = names(disk.path());
    // It takes all there is.
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![0; 8 << 20]).unwrap_err();
    let line = "etcd-backup save --once --name other";
    let outcome = node.call(line).dir(disk.path()).run().await;
    let last = reason(&outcome);
    assert!(
        last.contains(": needs ") && last.contains(", free are "),
        "{last}"
    );
    fs::remove_file(&ballast).unwrap();
    assert_eq!(names(disk.path()), before);
}

/// And without a last one it is said, and tried: what packs well has room.
#[tokio::test]
async fn defect_01_where_nothing_tells_what_a_zip_shrinks_to_it_is_tried() {
    let (node, disk) = (Node::up().await, Mount::tmpfs("2m"));
    for key in ["/a", "/b", "/c"] {
        node.etcd.put(key, "a".repeat(1 << 20)).await;
    }
    let outcome = node.call(ONCE).dir(disk.path()).run().await;
    let said = " level=warning msg=\"There may be no room for this backup\" name=my ";
    assert!(outcome.err.contains(said), "{}", outcome.err);
    outcome.ok();
    let outcome = node.call(ONCE).dir(disk.path()).run().await;
    assert!(!outcome.err.contains("no room"), "{}", outcome.err);
    outcome.ok();
}

/// 2: the cleanup after a restore deleted the snapshot from the bucket where a node had only the
/// raw copy, for RKE gives the bucket's flags.
#[tokio::test]
async fn defect_02_cleanup_does_not_touch_the_bucket() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    node.call(ONCE).args(to(&bucket)).run().await.ok();
    let before = bucket.names();
    fs::rename(node.file("my.zip"), node.file("my")).unwrap();
    let line = "etcd-backup delete --cleanup --name my";
    node.bare(line).args(to(&bucket)).run().await.ok();
    assert_eq!(bucket.names(), before);
}

/// 3: `my` took `my1.zip` and `my-prod.zip` with it.
#[tokio::test]
async fn defect_03_a_name_that_others_begin_with_is_deleted_alone() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    for name in ["my", "my1", "my-prod"] {
        let line = format!("etcd-backup save --once --name {name}");
        node.call(&line).args(to(&bucket)).run().await.ok();
    }
    let line = "etcd-backup delete --name my";
    node.bare(line).args(to(&bucket)).run().await.ok();
    assert_eq!(node.snapshots(), ["my-prod.zip", "my1.zip"]);
    let there = bucket.names();
    assert!(!there.contains("my.zip"), "{there:?}");
    assert!(
        there.contains("my1.zip") && there.contains("my-prod.zip"),
        "{there:?}"
    );
}

/// 5: a failed snapshot was a success, and older ones were deleted for it.
#[tokio::test]
async fn defect_05_a_failed_save_fails_and_makes_nothing_go() {
    let mut node = Node::up().await;
    let line = "etcd-backup save --name x --creation=1s --retention=1s";
    let mut running = node.call(line).start();
    running.line("Created local backup").await;
    running.stop().await;
    let before = node.snapshots();
    node.etcd.stop().await;
    let mut running = node.call(line).start();
    // Past the limit of every snapshot that is there.
    running
        .lines(3, "level=warning msg=\"Checking member health failed")
        .await;
    let end = running.stop().await;
    assert_eq!(end.count("Deleted local backup"), 0);
    assert_eq!(node.snapshots(), before);
    let outcome = node.call(ONCE).run().await;
    reason(&outcome);
    assert_eq!(
        outcome.err.matches("Checking member health failed").count(),
        5
    );
}

/// 6: every error ended with 0.
#[tokio::test]
async fn defect_06_every_error_ends_with_1_and_says_why() {
    let node = Node::up().await;
    for line in [
        "rolling-backup --nmae x",
        "rolling-backup --creation=soon",
        "rolling-backup --once --name a/b",
        "etcd-backup delete",
        "etcd-backup extractstatefile --name nothing",
        "etcd-backup upload",
    ] {
        let outcome = if line.contains("backup delete") || line.contains("extract") {
            node.bare(line).run().await
        } else {
            node.call(line).run().await
        };
        reason(&outcome);
    }
}

/// 7: the newest releases tried once.
#[tokio::test]
async fn defect_07_what_fails_once_is_tried_again() {
    let mut node = Node::up().await;
    node.etcd.stop().await;
    for line in [
        ONCE,
        "etcd-backup save --name x --creation=1h --retention=2h",
    ] {
        let mut running = node.call(line).start();
        running
            .line("Checking member health failed from etcd member")
            .await;
        node.etcd.restart().await;
        running.line("Created local backup").await;
        if line == ONCE {
            assert_eq!(running.end().await.code, Some(0));
        } else {
            running.stop().await;
        }
        node.etcd.stop().await;
    }
}

/// 11: keys that are base64 by chance were decoded to bytes that no header can carry.
#[tokio::test]
async fn defect_11_a_plain_key_that_is_base64_by_chance_is_used_as_it_is() {
    // Amazon's own example, of which every character is base64's.
    let (access, secret) = (
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    );
    assert!(BASE64_STANDARD.decode(access).is_ok() && BASE64_STANDARD.decode(secret).is_ok());
    let (node, dir) = (Node::up().await, tempfile::tempdir().unwrap());
    fs::create_dir(dir.path().join(Bucket::NAME)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let service = s3_server::service(dir.path(), access, secret);
    let _serving = AbortOnDropHandle::new(tokio::spawn(s3_server::serve(listener, service)));
    let call = |name: &str| {
        let bucket = Bucket::NAME;
        let line =
            format!("etcd-backup save --once --s3-backup --s3-bucketName {bucket} --name {name}");
        node.call(&line).args([format!("--s3-endpoint={endpoint}")])
    };
    let flags = [
        format!("--s3-accessKey={access}"),
        format!("--s3-secretKey={secret}"),
    ];
    call("flags").args(flags).run().await.ok();
    for (name, access, secret) in [
        ("plain", access.to_owned(), secret.to_owned()),
        (
            "encoded",
            BASE64_STANDARD.encode(access),
            BASE64_STANDARD.encode(secret),
        ),
    ] {
        let call = call(name)
            .env("S3_ACCESS_KEY", access)
            .env("S3_SECRET_KEY", secret);
        call.run().await.ok();
    }
    let there = names(&dir.path().join(Bucket::NAME));
    for name in ["flags.zip", "plain.zip", "encoded.zip"] {
        assert!(there.contains(name), "{there:?}");
    }
}

/// 13: of a zip with a state, the state overwrote the snapshot.
#[tokio::test]
async fn defect_13_of_a_zip_with_a_state_the_snapshot_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/testdata/rke");
    for version in ["v0.1.62", "v0.1.83", "v0.1.111"] {
        let file = dir.path().join("mysnapshot.zip");
        fs::copy(format!("{testdata}/{version}.mysnapshot.zip"), &file).unwrap();
        let program = crate::program::Program::new(["verify"]).args([&file]);
        program.dir(dir.path()).run().await.ok();
    }
}

/// 15: a member that is not well was saved all the same unless it said "unhealthy".
#[tokio::test]
async fn defect_15_whatever_a_member_answers_but_well_is_a_failure() {
    let (node, ssl) = (Node::up().await, tempfile::tempdir().unwrap());
    let strange = Certificates::issue(ssl.path(), &[]);
    let line = format!("{ONCE} --endpoints={}", node.etcd.address());
    let outcome = node
        .bare(&line)
        .arg_path("--cacert", &strange.ca())
        .arg_path("--cert", &strange.client())
        .arg_path("--key", &strange.client_key())
        .run()
        .await;
    assert!(
        outcome.err.contains("Checking member health failed"),
        "{}",
        outcome.err
    );
    reason(&outcome);
    // A path that is wrong: the old program tried to save all the same.
    let call = node.certified(&line).args(["--cacert=/nowhere/ca.pem"]);
    let outcome = call.run().await;
    assert!(reason(&outcome).contains("/nowhere/ca.pem"));
    assert_eq!(node.snapshots(), [""; 0]);
}

/// 4: of several nodes the last one won, or the first, or a re-used name kept its old content and
/// was a success.
#[tokio::test]
async fn defect_04_of_a_name_on_several_nodes_the_bucket_has_the_newest_whole() {
    let (node, bucket) = (Node::up().await, Bucket::up().await);
    let other = tempfile::tempdir().unwrap();
    for dir in [node.backup(), other.path()] {
        node.etcd
            .put("/registry/secrets/default/s", "another")
            .await;
        node.call(ONCE).dir(dir).args(to(&bucket)).run().await.ok();
        for file in ["my.zip", "my.manifest.json"] {
            let (here, there) = (dir.join(file), bucket.object(file));
            assert!(
                fs::read(here).unwrap() == fs::read(there).unwrap(),
                "{file}"
            );
        }
    }
}

/// 8: age alone deleted, so that an outage or a shorter interval left one.
#[tokio::test]
async fn defect_08_an_outage_leaves_as_many_as_the_interval_says() {
    let mut node = Node::up().await;
    let line = "etcd-backup save --name x --creation=1s --retention=3s";
    let mut running = node.call(line).start();
    running.lines(3, "Created local backup").await;
    running.line("Verified snapshot").await;
    node.etcd.stop().await;
    // An attempt a second: past the limit of every snapshot that is there.
    running.lines(5, "Checking member health failed").await;
    let before = node.snapshots().len();
    assert!(before >= 3, "an outage makes nothing go");
    node.etcd.restart().await;
    running.lines(2, "Created local backup").await;
    // Two are new, and one is past its age.
    assert!(node.snapshots().len() >= 3, "{:?}", node.snapshots());
    running.stop().await;
}

/// 9: clusters that share a bucket deleted each other's.
#[tokio::test]
async fn defect_09_another_clusters_snapshots_stay_in_a_bucket_that_is_shared() {
    let (ours, theirs) = (Node::up().await, Node::up().await);
    let bucket = Bucket::up().await;
    let line = "etcd-backup save --name x --creation=1s --retention=2s";
    let mut running = theirs.call(line).args(to(&bucket)).start();
    running.line("Successfully uploaded").await;
    running.stop().await;
    let before = bucket.names();
    let mut running = ours.call(line).args(to(&bucket)).start();
    running.lines(3, "Success delete s3 backup file").await;
    running.stop().await;
    let after = bucket.names();
    let zips = before.iter().filter(|name| name.ends_with("_etcd.zip"));
    for name in zips {
        assert!(after.contains(name), "{name} is gone: {after:?}");
    }
}

/// 10: RKE wipes the cluster before anybody has looked at the snapshot. It asks for it to be
/// served, or downloaded, before that.
#[tokio::test]
async fn defect_10_a_broken_snapshot_is_refused_before_anything_is_wiped() {
    let node = Node::up().await;
    node.call(ONCE).run().await.ok();
    let file = node.file("my.zip");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&file, bytes).unwrap();
    let serve = node.certified("etcd-backup serve --name my");
    let outcome = serve.env("ROLLSNAP_PEER_PORT", "0").run().await;
    reason(&outcome);
    assert!(!node.file("my").exists());
}
