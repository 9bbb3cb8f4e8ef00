//! A bucket whose server, or the line to it, says something else than yes.

use std::fs;

use http::Method;
use rollsnap_engine::Kind;
use rollsnap_testkit::s3_peer::{Fault, Rule, S3Peer};
use tempfile::TempDir;

use crate::program::{Outcome, Program};
use crate::world::{Bucket, assert_nothing_half_made, etcd_and_dir, snapshots};

struct World {
    dir: TempDir,
    peer: S3Peer,
}

impl World {
    /// A snapshot `n` here, and a bucket that has nothing yet.
    async fn new() -> Self {
        let (etcd, dir) = etcd_and_dir().await;
        etcd.fill(9 << 20).await;
        let save = Program::new(["save", "--name", "n"]);
        save.etcd(&etcd).dir(dir.path()).run().await.ok();
        let peer = S3Peer::start(Bucket::NAME).await;
        Self { dir, peer }
    }

    async fn upload(&self) -> Outcome {
        let upload = Program::new(["upload", "n"]).dir(self.dir.path());
        upload.bucket_at(&self.peer.endpoint()).run().await
    }
}

fn refuse(status: u16, code: &'static str) -> Fault {
    Fault::Refuse {
        status,
        code,
        retry_after: None,
    }
}

#[tokio::test]
async fn a_no_of_the_bucket_is_told_with_its_cure_and_costs_nothing() {
    let world = World::new().await;
    let elsewhere = Fault::Redirect {
        status: 307,
        location: "http://elsewhere.invalid/".into(),
    };
    for (fault, kind, words) in [
        (
            refuse(403, "AccessDenied"),
            Kind::Denied,
            ["403 AccessDenied", "hint: allow these keys"],
        ),
        (
            refuse(404, "NoSuchBucket"),
            Kind::Config,
            ["bucket snapshots does not exist", "hint: create it"],
        ),
        (
            refuse(400, "ExpiredToken"),
            Kind::Denied,
            ["400 ExpiredToken", "hint: renew"],
        ),
        (
            elsewhere,
            Kind::Config,
            ["307", "hint: correct endpoint and region"],
        ),
        (
            refuse(503, "SlowDown"),
            Kind::Store,
            ["503 SlowDown", "s3://snapshots/cluster-a"],
        ),
    ] {
        world.peer.script(Rule::always(fault));
        world.upload().await.fails(kind, &words);
        world.peer.behave();
        assert_eq!(snapshots(world.dir.path()), ["n"]);
        assert_nothing_half_made(world.dir.path());
    }
    world.upload().await.ok();
    assert_eq!(world.peer.pending_uploads(), 0, "parts stay");
}

#[tokio::test]
async fn an_upload_over_a_bad_line_ends_well_and_only_once() {
    let world = World::new().await;
    for rule in [
        Rule::on(Method::PUT, Fault::ResetAfter(1 << 20)).with_query("partNumber=1"),
        Rule::on(Method::PUT, refuse(503, "SlowDown")).with_query("partNumber=2"),
        Rule::on(Method::POST, Fault::LoseReply).with_query("uploadId="),
    ] {
        world.peer.script(rule);
    }
    assert_eq!(
        world.upload().await.ok(),
        "copied n to s3://snapshots/cluster-a\n"
    );
    assert_eq!(world.peer.struck(), 3, "not all of it happened");
    let there = world.peer.dir().join(Bucket::NAME).join(Bucket::FOLDER);
    let (here, there) = (world.dir.path().join("n"), there.join("n"));
    assert!(fs::read(here).unwrap() == fs::read(there).unwrap());
    assert_eq!(world.peer.pending_uploads(), 0, "parts stay");
}

#[tokio::test]
async fn a_download_over_a_bad_line_comes_whole() {
    let world = World::new().await;
    world.upload().await.ok();
    let snapshot = fs::read(world.dir.path().join("n")).unwrap();
    let all = snapshot.len();
    for cut in [0, 1, all / 3, all - 1] {
        let anew = tempfile::tempdir().unwrap();
        let struck = world.peer.struck();
        let rule = Rule::on(Method::GET, Fault::CutBody(cut)).with_path("/cluster-a/n");
        world.peer.script(rule.after(1));
        let download = Program::new(["download", "n"]).dir(anew.path());
        let download = download.bucket_at(&world.peer.endpoint()).run().await;
        assert!(world.peer.struck() > struck, "nothing was cut");
        world.peer.behave();
        download.ok();
        let came = fs::read(anew.path().join("n")).unwrap();
        assert!(came == snapshot, "cut at {cut}");
        assert_nothing_half_made(anew.path());
    }
}
