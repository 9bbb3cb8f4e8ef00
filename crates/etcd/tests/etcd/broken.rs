//! Streams that do not end as they should: cut, frozen, empty, short, refused.

use std::time::Duration;

use rollsnap_etcd::{ErrorKind, Member, MemberConfig, Source};
use rollsnap_testkit::etcd_peer::{EtcdPeer, Script, StatusAnswer, Step, healthy};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::tcp_proxy::{Fault, TcpProxy};
use rollsnap_testkit::tls::Certificates;

use futures_util::StreamExt;

use crate::kit::{STALL, assert_says, config_for, drain, member_at, printed};

const MIB: u64 = 1 << 20;
/// More than all windows and socket buffers between two processes hold.
const DATABASE: usize = 24 << 20;
const CHUNK: usize = 32 * 1024;

fn impatient(config: MemberConfig) -> Member {
    Member::new(MemberConfig {
        stall_timeout: STALL,
        request_timeout: STALL,
        ..config
    })
    .unwrap()
}

/// Ten chunks and the digest.
fn honest() -> Script {
    Script::honest(&vec![7; 10 * CHUNK])
}

#[tokio::test]
async fn an_honest_peer_is_believed() {
    let peer = EtcdPeer::start([honest()]).await;
    let drained = drain(&member_at(peer.endpoint())).await;
    assert_eq!(drained.database(), vec![7; 10 * CHUNK]);
    peer.idle().await;
}

#[tokio::test]
async fn an_etcd_that_freezes_in_mid_stream_is_noticed() {
    for version in EtcdVersion::ALL {
        let etcd = EtcdReal::builder().version(version).start().await;
        etcd.fill(DATABASE).await;
        let member = impatient(config_for(&etcd));
        let mut stream = member.snapshot().await.unwrap();
        stream.next().await.unwrap().unwrap();
        etcd.pause();
        let error = loop {
            match stream.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error,
                None => panic!("the whole database was in the buffers"),
            }
        };
        assert_says(&error, ErrorKind::Unavailable, "no bytes for 600ms");
        etcd.resume();
        drain(&member).await.database();
    }
}

#[tokio::test]
async fn a_frozen_etcd_does_not_hold_status_or_a_new_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    for etcd in [
        EtcdReal::builder().start().await,
        EtcdReal::builder().tls(&certificates).start().await,
    ] {
        let member = impatient(config_for(&etcd));
        etcd.pause();
        let error = member.status().await.unwrap_err();
        assert_says(&error, ErrorKind::Unavailable, "no answer for 600ms");
        let error = drain(&member).await.error();
        assert_says(&error, ErrorKind::Unavailable, "no bytes for 600ms");
        etcd.resume();
        member.status().await.unwrap();
    }
}

#[tokio::test]
async fn an_etcd_that_dies_in_mid_stream_is_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    for builder in [
        EtcdReal::builder().version(EtcdVersion::V3_4),
        EtcdReal::builder().tls(&certificates),
    ] {
        let mut etcd = builder.start().await;
        etcd.fill(DATABASE).await;
        let member = Member::new(config_for(&etcd)).unwrap();
        let mut stream = member.snapshot().await.unwrap();
        stream.next().await.unwrap().unwrap();
        etcd.kill();
        let error = loop {
            match stream.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error,
                None => panic!("the whole database was in the buffers"),
            }
        };
        assert_says(&error, ErrorKind::Unavailable, "snapshot from");
    }
}

#[tokio::test]
async fn a_cut_at_any_byte_is_an_error_and_never_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    let plain = EtcdReal::builder().version(EtcdVersion::V3_4).start().await;
    let guarded = EtcdReal::builder().tls(&certificates).start().await;
    for etcd in [&plain, &guarded] {
        etcd.fill(2 << 20).await;
        let scheme = etcd.endpoint().split_once(':').unwrap().0.to_owned();
        let whole = {
            let proxy = TcpProxy::start(etcd.address(), Fault::None).await;
            let member = through(&proxy, &scheme, etcd);
            drain(&member).await.database();
            proxy.passed()
        };
        // The last frames are the trailers, so the last byte is as good as any.
        for at in [0, 1, 9, 100, 5000, 32_800, MIB, whole - 100, whole - 40] {
            for fault in [Fault::Reset(at), Fault::Close(at)] {
                let proxy = TcpProxy::start(etcd.address(), fault).await;
                let member = through(&proxy, &scheme, etcd);
                let error = drain(&member).await.error();
                assert_eq!(
                    error.kind(),
                    ErrorKind::Unavailable,
                    "{scheme} {fault:?} of {whole}: {}",
                    printed(&error)
                );
            }
        }
    }
}

fn through(proxy: &TcpProxy, scheme: &str, etcd: &EtcdReal) -> Member {
    Member::new(MemberConfig {
        endpoint: format!("{scheme}://{}", proxy.address()),
        ..config_for(etcd)
    })
    .unwrap()
}

#[tokio::test]
async fn a_network_that_stalls_shorter_than_the_limit_is_waited_for() {
    let etcd = EtcdReal::builder().start().await;
    etcd.fill(2 << 20).await;
    let proxy = TcpProxy::start(etcd.address(), Fault::Stall(MIB)).await;
    let member = through(&proxy, "http", &etcd);
    let (drained, ()) = tokio::join!(drain(&member), async {
        while proxy.passed() < MIB {
            tokio::task::yield_now().await;
        }
        proxy.release();
    });
    drained.database();
}

#[tokio::test]
async fn a_network_that_stalls_for_good_is_given_up() {
    let etcd = EtcdReal::builder().start().await;
    etcd.fill(2 << 20).await;
    let proxy = TcpProxy::start(etcd.address(), Fault::Stall(MIB)).await;
    let member = impatient(MemberConfig::new(format!("http://{}", proxy.address())));
    let drained = drain(&member).await;
    assert!(drained.bytes.len() > CHUNK);
    assert_says(
        &drained.error(),
        ErrorKind::Unavailable,
        "no bytes for 600ms",
    );
}

#[tokio::test]
async fn a_reader_that_is_slow_is_not_etcds_fault() {
    let peer = EtcdPeer::start([honest()]).await;
    let member = impatient(MemberConfig::new(peer.endpoint()));
    let mut stream = member.snapshot().await.unwrap();
    stream.next().await.unwrap().unwrap();
    tokio::time::sleep(STALL * 2).await;
    let rest: Vec<_> = stream.collect().await;
    assert_eq!(rest.len(), 10);
    assert!(rest.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn the_stall_limit_is_thirty_seconds_if_nothing_is_said() {
    let peer = EtcdPeer::start([honest().interrupted(3, Step::Stall)]).await;
    let member = member_at(peer.endpoint());
    let before = tokio::time::Instant::now();
    let error = drain(&member).await.error();
    // The keep-alive of HTTP/2 is answered by the peer, so it is the stall that ends this.
    assert_says(&error, ErrorKind::Unavailable, "no bytes for 30s");
    assert!(before.elapsed() >= Duration::from_secs(30));
}

#[tokio::test]
async fn empty_messages_end_at_once_and_not_never() {
    for script in [
        honest().interrupted(4, Step::EmptyForEver { remaining: 6 }),
        honest().with(0, Step::EmptyForEver { remaining: 6 }),
    ] {
        let peer = EtcdPeer::start([script]).await;
        let error = drain(&member_at(peer.endpoint())).await.error();
        assert_says(
            &error,
            ErrorKind::Unavailable,
            "an empty message with 6 bytes still to come",
        );
        peer.idle().await;
    }
}

#[tokio::test]
async fn a_clean_end_before_the_last_byte_is_an_error() {
    let peer = EtcdPeer::start([honest().ended_early(9)]).await;
    let error = drain(&member_at(peer.endpoint())).await.error();
    assert_says(
        &error,
        ErrorKind::Unavailable,
        "it ended with 32768 bytes still to come",
    );
    let peer = EtcdPeer::start([honest().ended_early(0)]).await;
    let error = drain(&member_at(peer.endpoint())).await.error();
    assert_says(&error, ErrorKind::Unavailable, "it ended without any bytes");
}

#[tokio::test]
async fn a_status_in_mid_stream_is_told_in_etcds_words() {
    let step = Step::Fail {
        code: 14,
        message: "etcdserver: server stopped".to_owned(),
    };
    let peer = EtcdPeer::start([honest().interrupted(5, step)]).await;
    let drained = drain(&member_at(peer.endpoint())).await;
    assert_eq!(drained.bytes.len(), 5 * CHUNK);
    assert_says(
        &drained.error(),
        ErrorKind::Unavailable,
        "etcdserver: server stopped",
    );
}

#[tokio::test]
async fn a_stream_that_is_reset_is_unavailable() {
    for kept in [0, 5, 10, 11] {
        let peer = EtcdPeer::start([honest().interrupted(kept, Step::Reset)]).await;
        let error = drain(&member_at(peer.endpoint())).await.error();
        assert_says(&error, ErrorKind::Unavailable, "snapshot from");
    }
}

#[tokio::test]
async fn dropping_a_stream_cancels_it_at_the_server() {
    let peer = EtcdPeer::start([honest().with(3, Step::Stall)]).await;
    let mut stream = member_at(peer.endpoint()).snapshot().await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    peer.idle().await;
    assert_eq!(peer.snapshots(), 1);
}

#[tokio::test]
async fn a_status_that_hangs_is_given_up() {
    let peer = EtcdPeer::start([honest()]).await;
    peer.set_status(StatusAnswer::Hangs);
    let member = impatient(MemberConfig::new(peer.endpoint()));
    let error = member.status().await.unwrap_err();
    assert_says(&error, ErrorKind::Unavailable, "no answer for 600ms");
}

#[tokio::test]
async fn a_member_list_that_fails_costs_only_the_name() {
    let peer = EtcdPeer::start([honest()]).await;
    peer.set_status(StatusAnswer::Says(Box::new(
        rollsnap_testkit::etcd_peer::StatusResponse {
            errors: vec!["memberID:1 alarm:NOSPACE ".to_owned()],
            ..healthy()
        },
    )));
    let status = member_at(peer.endpoint()).status().await.unwrap();
    assert_eq!(status.member_name, None);
    assert_eq!(status.errors, ["memberID:1 alarm:NOSPACE "]);
}
