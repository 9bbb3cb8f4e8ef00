//! A daemon that dies or is frozen while it uploads: the next one finishes the work, nothing stays
//! behind, and nothing is overwritten.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::s3_peer::{Fault, Rule, S3Peer};
use rollsnap_testkit::tcp_proxy::{self, TcpProxy};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::program::{LIMIT, Program};
use crate::running::{Running, field};
use crate::world::{Bucket, assert_nothing_half_made, etcd_and_dir, names};

/// Five parts and a bit, as the daemon cuts them.
pub(crate) const SIZE: usize = 42 << 20;

pub(crate) struct World {
    pub(crate) etcd: EtcdReal,
    pub(crate) dir: TempDir,
    pub(crate) peer: S3Peer,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (etcd, dir) = etcd_and_dir().await;
        etcd.fill(SIZE).await;
        let peer = S3Peer::start(Bucket::NAME).await;
        Self { etcd, dir, peer }
    }

    pub(crate) fn daemon(&self) -> Program {
        Program::new(["run", "--creation", "1h"])
            .etcd(&self.etcd)
            .dir(self.dir.path())
            .bucket_at(&self.peer.endpoint())
    }

    fn there(&self) -> PathBuf {
        self.peer.dir().join(Bucket::NAME).join(Bucket::FOLDER)
    }

    /// Starts the daemon on a bucket that behaves again, and returns what it uploads first.
    pub(crate) async fn next_run_uploads(&self) -> String {
        self.peer.behave();
        self.peer.forget();
        let mut daemon = self.daemon().start();
        let uploaded = daemon.line("Uploaded backup").await;
        self.settles().await;
        assert_eq!(daemon.stop().await.code, Some(0));
        field(&uploaded, "name").to_owned()
    }

    /// Returns once nothing is under way any more: no parts there, no ticket for them here.
    async fn settles(&self) {
        let tickets = self.dir.path().join(".rollsnap/pending");
        let left = || (self.peer.pending_uploads(), names(&tickets));
        let deadline = Instant::now() + LIMIT;
        while left() != (0, BTreeSet::new()) {
            assert!(
                Instant::now() < deadline,
                "parts and tickets stay: {:?}",
                left()
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The promise: one object with its manifest, equal to what is here, and nothing half-made on
    /// either side.
    fn assert_settled(&self, name: &str) {
        let here = fs::read(self.dir.path().join(name)).unwrap();
        assert!(fs::read(self.there().join(name)).unwrap() == here);
        let left = names(&self.there());
        let beside = |object: &String| object.starts_with(name);
        assert!(left.iter().all(beside), "{left:?}");
        assert!(left.contains(&format!("{name}.manifest.json")), "{left:?}");
        assert_eq!(self.peer.pending_uploads(), 0, "parts stay");
        assert_nothing_half_made(self.dir.path());
    }
}

pub(crate) async fn kill(daemon: Running) {
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.end().await.code, None);
}

#[tokio::test]
async fn an_upload_that_kill_9_cuts_is_gone_on_with_by_the_next_run() {
    let world = World::new().await;
    let stall = Rule::on(Method::PUT, Fault::Stall).with_query("partNumber=4");
    world.peer.script(stall.times(usize::MAX));
    let mut daemon = world.daemon().start();
    let created = daemon.line("Created backup").await;
    world.peer.comes(&Method::PUT, "partNumber=4").await;
    kill(daemon).await;
    assert_eq!(world.peer.pending_uploads(), 1, "nothing was under way");

    let uploaded = world.next_run_uploads().await;
    assert_eq!(uploaded, field(&created, "name"));
    world.assert_settled(&uploaded);
    assert_eq!(world.peer.count(&Method::PUT, "partNumber=1"), 0, "anew");
    assert_eq!(world.peer.count(&Method::PUT, "partNumber=4"), 1);
}

#[tokio::test]
async fn an_upload_whose_snapshot_died_with_the_daemon_is_aborted_by_the_next_run() {
    let world = World::new().await;
    let half = tcp_proxy::Fault::Stall(SIZE as u64 / 2);
    let line = TcpProxy::start(world.etcd.address(), half).await;
    let slow = format!("http://{}", line.address());
    let daemon = world.daemon().env("ROLLSNAP_ENDPOINTS", slow).start();
    world.peer.comes(&Method::PUT, "partNumber=2").await;
    kill(daemon).await;
    assert_eq!(world.peer.pending_uploads(), 1, "nothing was under way");

    let uploaded = world.next_run_uploads().await;
    world.assert_settled(&uploaded);
}

#[tokio::test]
async fn an_upload_that_was_completed_when_the_daemon_died_is_found_and_not_repeated() {
    let world = World::new().await;
    let silent = Rule::on(Method::POST, Fault::StallBody(0)).with_query("uploadId=");
    world.peer.script(silent);
    let mut daemon = world.daemon().start();
    let created = daemon.line("Created backup").await;
    let name = field(&created, "name").to_owned();
    let deadline = Instant::now() + LIMIT;
    while !world.there().join(&name).exists() {
        assert!(Instant::now() < deadline, "it is never completed");
        sleep(Duration::from_millis(5)).await;
    }
    kill(daemon).await;

    assert_eq!(world.next_run_uploads().await, name);
    world.assert_settled(&name);
    assert_eq!(world.peer.count(&Method::PUT, "partNumber="), 0, "repeated");
}

/// Frozen for so long that somebody else took the name: a virtual machine that was paused, say.
#[tokio::test]
async fn a_daemon_that_was_frozen_in_mid_upload_overwrites_nothing_when_it_wakes() {
    let world = World::new().await;
    let stall = Rule::on(Method::PUT, Fault::Stall).with_query("partNumber=4");
    world.peer.script(stall);
    let mut daemon = world.daemon().start();
    let created = daemon.line("Created backup").await;
    let name = field(&created, "name").to_owned();
    world.peer.comes(&Method::PUT, "partNumber=4").await;
    daemon.signal(Signal::STOP);

    fs::create_dir_all(world.there()).unwrap();
    fs::write(world.there().join(&name), "of another").unwrap();
    world.peer.release();
    daemon.signal(Signal::CONT);
    let told = daemon.line("level=error").await;
    assert!(field(&told, "error").contains("another"), "{told}");
    world.settles().await;
    assert_eq!(daemon.stop().await.code, Some(0));
    assert_eq!(names(&world.there()), [name.clone()].into());
    let there = fs::read(world.there().join(&name)).unwrap();
    assert_eq!(there, b"of another");
}
