//! etcd that is down, hangs, or changes its certificates, while the daemon runs.

use std::net::TcpListener;

use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::tcp_proxy::{Fault, TcpProxy};
use rollsnap_testkit::tls::Certificates;

use crate::program::Program;
use crate::running::field;
use crate::world::{assert_nothing_half_made, assert_nothing_written, etcd_and_dir};

#[tokio::test]
async fn an_etcd_that_is_down_at_the_start_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut etcd = EtcdReal::builder().start().await;
    etcd.stop().await;
    let mut daemon = Program::new(["run", "--creation", "1h"])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    let line = daemon.line("Backup failed").await;
    assert_eq!(field(&line, "kind"), "source");
    assert_eq!(field(&line, "retry_in"), "1s");
    assert!(
        field(&line, "error").contains("connection refused"),
        "{line}"
    );
    assert!(field(&line, "hint").contains("is etcd running"), "{line}");
    assert_nothing_written(dir.path());
    etcd.restart().await;
    daemon.line("Created backup").await;
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn an_etcd_that_hangs_in_mid_stream_is_noticed_and_survived() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.fill(4 << 20).await;
    let proxy = TcpProxy::start(etcd.address(), Fault::Stall(1 << 20)).await;
    let mut daemon = Program::new(["run", "--creation", "1h", "--timeout", "2s"])
        .args(["--endpoints", &proxy.address().to_string()])
        .dir(dir.path())
        .start();
    let line = daemon.line("Backup failed").await;
    assert!(
        field(&line, "error").ends_with(": not done after 2s"),
        "{line}"
    );
    assert_eq!(field(&line, "kind"), "source");
    assert_nothing_written(dir.path());
    proxy.set_fault(Fault::None);
    proxy.release();
    daemon.line("Created backup").await;
    assert_eq!(daemon.stop().await.code, Some(0));
    assert_nothing_half_made(dir.path());
}

#[tokio::test]
async fn an_etcd_that_is_frozen_is_noticed_and_survived() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut daemon = Program::new(["run", "--creation", "1s", "--timeout", "2s"])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    daemon.line("Created backup").await;
    etcd.pause();
    daemon.line("Backup failed").await;
    etcd.resume();
    daemon.line("Created backup").await;
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_stream_that_is_cut_leaves_nothing_and_is_tried_again() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.fill(4 << 20).await;
    let proxy = TcpProxy::start(etcd.address(), Fault::Close(1 << 20)).await;
    let mut daemon = Program::new(["run", "--creation", "1h"])
        .args(["--endpoints", &proxy.address().to_string()])
        .dir(dir.path())
        .start();
    daemon.line("Backup failed").await;
    assert_nothing_written(dir.path());
    proxy.set_fault(Fault::None);
    daemon.line("Created backup").await;
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn certificates_are_renewed_without_a_restart() {
    let (ssl, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let certificates = Certificates::issue(ssl.path(), &[]);
    let mut etcd = EtcdReal::builder().tls(&certificates).start().await;
    let mut daemon = Program::new(["run", "--creation", "1s"])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    daemon.line("Created backup").await;
    etcd.kill();
    daemon.line("Backup failed").await;
    // A new authority: nothing that was read at the start is worth anything now.
    certificates.reissue();
    etcd.restart().await;
    daemon.line("Created backup").await;
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_member_that_is_down_gives_way_to_the_next_one() {
    let (etcd, dir) = etcd_and_dir().await;
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let endpoints = format!("{nobody},{}", etcd.address());
    Program::new(["save", "--endpoints", &endpoints])
        .dir(dir.path())
        .run()
        .await
        .ok();
}
