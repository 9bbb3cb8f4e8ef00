//! systemd's notification protocol.

use std::fs;
use std::time::Duration;

use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::tcp_proxy::{Fault, TcpProxy};
use rustix::process::Signal;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::program::{LIMIT, Program};
use crate::world::a_save_runs;

/// The manager's end of the protocol.
struct Manager(UnixDatagram);

impl Manager {
    /// The next notification with this line.
    async fn hears(&self, wanted: &str) {
        let mut heard = Vec::new();
        let look = async {
            loop {
                let mut bytes = [0; 1024];
                let len = self.0.recv(&mut bytes).await.expect("a datagram");
                let text = String::from_utf8_lossy(&bytes[..len]).into_owned();
                if text.lines().any(|line| line == wanted) {
                    return;
                }
                heard.push(text);
            }
        };
        let found = timeout(LIMIT, look).await;
        assert!(found.is_ok(), "{wanted} is not heard, only {heard:?}");
    }
}

#[tokio::test]
async fn the_manager_hears_of_start_reload_end_and_life() {
    let (etcd, place) = (
        EtcdReal::builder().start().await,
        tempfile::tempdir().unwrap(),
    );
    etcd.fill(4 << 20).await;
    let proxy = TcpProxy::start(etcd.address(), Fault::None).await;
    let socket = place.path().join("notify");
    let manager = Manager(UnixDatagram::bind(&socket).unwrap());
    let config = place.path().join("config.yml");
    let dir = place.path().join("snapshots");
    fs::write(&config, "creation: 1h\n").unwrap();
    let watchdog = Duration::from_millis(300).as_micros().to_string();
    let mut daemon = Program::new(["run", "--endpoints", &proxy.address().to_string()])
        .arg_path("--config", &config)
        .dir(&dir)
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", watchdog)
        .start();
    manager.hears("READY=1").await;
    manager.hears("WATCHDOG=1").await;
    manager.hears("WATCHDOG=1").await;
    daemon.line("Created backup").await;

    proxy.set_fault(Fault::Stall(proxy.passed() + (1 << 20)));
    fs::write(&config, "creation: 1s\n").unwrap();
    daemon.signal(Signal::HUP);
    manager.hears("RELOADING=1").await;
    manager.hears("READY=1").await;

    // A reload waits for the save that hangs, which is no reason for the manager to kill.
    a_save_runs(&dir).await;
    daemon.signal(Signal::HUP);
    manager.hears("RELOADING=1").await;
    for _ in 0..3 {
        manager.hears("WATCHDOG=1").await;
    }
    proxy.set_fault(Fault::None);
    proxy.release();
    manager.hears("READY=1").await;
    daemon.signal(Signal::TERM);
    manager.hears("STOPPING=1").await;
    assert_eq!(daemon.end().await.code, Some(0));
}
