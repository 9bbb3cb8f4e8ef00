//! How the daemon ends.

use std::time::Duration;

use http::Method;
use rollsnap_engine::Kind;
use rollsnap_testkit::s3_peer::{self, Rule, S3Peer};
use rollsnap_testkit::tcp_proxy::{Fault, TcpProxy};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::program::Program;
use crate::world::{
    Bucket, a_save_runs, a_verified_snapshot_stands, assert_nothing_half_made,
    assert_nothing_written, etcd_and_dir, snapshots,
};

/// Docker kills after so long.
const DOCKERS_PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_first_signal_ends_it_well() {
    let (etcd, dir) = etcd_and_dir().await;
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Program::new(["run", "--creation", "1s"])
            .etcd(&etcd)
            .dir(dir.path())
            .start();
        daemon.line("Created backup").await;
        let told = Instant::now();
        daemon.signal(signal);
        let end = daemon.end().await;
        assert_eq!(end.count("Stopping"), 1);
        assert!(told.elapsed() < DOCKERS_PATIENCE);
    }
    assert_nothing_half_made(dir.path());
}

#[tokio::test]
async fn a_save_that_hangs_is_dropped_clean_before_docker_loses_patience() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.fill(4 << 20).await;
    let proxy = TcpProxy::start(etcd.address(), Fault::Stall(1 << 20)).await;
    let daemon = Program::new(["run", "--endpoints", &proxy.address().to_string()])
        .dir(dir.path())
        .start();
    a_save_runs(dir.path()).await;
    let told = Instant::now();
    let end = daemon.stop().await;
    assert!(told.elapsed() < DOCKERS_PATIENCE, "{:?}", told.elapsed());
    assert_eq!(end.count("Created backup"), 0);
    assert_nothing_written(dir.path());
}

#[tokio::test]
async fn an_upload_that_a_stop_cuts_is_left_for_the_next_run_which_ends_it() {
    let (etcd, dir) = etcd_and_dir().await;
    // Larger than two parts, so that the upload cannot be over.
    etcd.fill(24 << 20).await;
    let bucket = S3Peer::start(Bucket::NAME).await;
    let stall = Rule::on(Method::PUT, s3_peer::Fault::Stall);
    bucket.script(stall.with_query("partNumber=2").times(usize::MAX));
    let start = || {
        let run = Program::new(["run", "--creation", "1h"]).etcd(&etcd);
        run.dir(dir.path()).bucket_at(&bucket.endpoint()).start()
    };
    let mut daemon = start();
    daemon.line("Created backup").await;
    bucket.comes(&Method::PUT, "partNumber=2").await;
    let told = Instant::now();
    let end = daemon.stop().await;
    assert!(told.elapsed() < DOCKERS_PATIENCE, "{:?}", told.elapsed());
    assert_eq!(end.count("Uploaded backup"), 0);
    assert_eq!(bucket.pending_uploads(), 1, "nothing can be gone on with");
    assert_eq!(snapshots(dir.path()).len(), 1);

    bucket.behave();
    let mut daemon = start();
    daemon.line("Uploaded backup").await;
    assert_eq!(daemon.stop().await.code, Some(0));
    assert_eq!(bucket.pending_uploads(), 0, "parts stay");
    assert_eq!(bucket.count(&Method::POST, "uploads"), 1, "begun anew");
}

#[tokio::test]
async fn a_save_by_hand_that_is_stopped_while_it_uploads_stands_and_leaves_no_parts() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.fill(24 << 20).await;
    let bucket = S3Peer::start(Bucket::NAME).await;
    let stall = Rule::on(Method::PUT, s3_peer::Fault::Stall);
    bucket.script(stall.with_query("partNumber=").times(usize::MAX));
    let save = Program::new(["save", "--name", "n"])
        .etcd(&etcd)
        .dir(dir.path())
        .bucket_at(&bucket.endpoint())
        .start();
    bucket.parts_under_way(2).await;
    a_verified_snapshot_stands(dir.path(), "n").await;
    save.signal(Signal::INT);
    let end = save.end().await;
    assert_eq!(end.code, Some(Kind::Canceled.exit_code().into()));
    // The manifest is seen a moment before the program knows that it is safe.
    let [told] = &end.log[..] else {
        panic!("{:?}", end.log);
    };
    assert!(told.starts_with("rollsnap: n is saved, but not "), "{told}");
    assert!(told.contains("not copied ("), "{told}");
    assert!(told.ends_with(": stopped before the end"), "{told}");
    assert_eq!(bucket.pending_uploads(), 0);
    assert_eq!(snapshots(dir.path()), ["n"]);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.fill(4 << 20).await;
    let proxy = TcpProxy::start(etcd.address(), Fault::Stall(1 << 20)).await;
    let mut daemon = Program::new(["run", "--endpoints", &proxy.address().to_string()])
        .dir(dir.path())
        .start();
    a_save_runs(dir.path()).await;
    etcd.pause();
    daemon.signal(Signal::TERM);
    daemon.line("Stopping").await;
    let told = Instant::now();
    daemon.signal(Signal::TERM);
    let end = daemon.end().await;
    assert!(
        told.elapsed() < Duration::from_secs(3),
        "{:?}",
        told.elapsed()
    );
    assert_eq!(end.code, Some(Kind::Canceled.exit_code().into()));
    assert_eq!(end.log.last().unwrap(), "rollsnap: stopped at once");
    assert_eq!(snapshots(dir.path()).len(), 0);
    // What was cut off lies where no snapshot is looked for, and the next start removes it.
    etcd.resume();
    proxy.set_fault(Fault::None);
    let mut daemon = Program::new(["run"]).etcd(&etcd).dir(dir.path()).start();
    daemon.line("Created backup").await;
    assert_eq!(daemon.stop().await.code, Some(0));
    assert_nothing_half_made(dir.path());
}

#[tokio::test]
async fn a_save_by_hand_that_is_interrupted_leaves_nothing() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.fill(4 << 20).await;
    let proxy = TcpProxy::start(etcd.address(), Fault::Stall(1 << 20)).await;
    let save = Program::new(["save", "--endpoints", &proxy.address().to_string()])
        .dir(dir.path())
        .start();
    a_save_runs(dir.path()).await;
    save.signal(Signal::INT);
    let end = save.end().await;
    assert_eq!(end.code, Some(Kind::Canceled.exit_code().into()));
    assert!(end.log[0].contains("stopped before the end; nothing half-made is left"));
    assert_nothing_written(dir.path());
    // And nobody is in the way of the next.
    Program::new(["save"])
        .etcd(&etcd)
        .dir(dir.path())
        .run()
        .await
        .ok();
    assert_eq!(snapshots(dir.path()).len(), 1);
}
