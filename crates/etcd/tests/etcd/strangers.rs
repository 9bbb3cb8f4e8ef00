//! What listens at the endpoint and is no etcd.

use bytes::Bytes;
use rollsnap_etcd::{ErrorKind, Member, MemberConfig, Source, TlsFiles};
use rollsnap_testkit::etcd_peer::{EtcdPeer, StatusAnswer};
use rollsnap_testkit::stranger::Stranger;
use rollsnap_testkit::tls::Certificates;

use crate::kit::{assert_says, drain, member_at};

#[tokio::test]
async fn a_web_server_is_no_etcd() {
    let server = Stranger::web_server().await;
    let member = member_at(server.address().to_string());
    for error in [
        member.status().await.unwrap_err(),
        drain(&member).await.error(),
    ] {
        assert_says(&error, ErrorKind::Unsuitable, "this is no etcd");
        assert!(error.hint().unwrap().contains("--endpoints"));
    }
}

#[tokio::test]
async fn a_web_server_asked_over_tls_speaks_none() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    let server = Stranger::web_server().await;
    let config = MemberConfig {
        tls: TlsFiles {
            ca: Some(certificates.ca()),
            ..TlsFiles::default()
        },
        ..MemberConfig::new(server.address().to_string())
    };
    let error = Member::new(config).unwrap().status().await.unwrap_err();
    assert_says(&error, ErrorKind::Config, "it speaks no TLS");
}

#[tokio::test]
async fn garbage_is_no_etcd() {
    for words in [
        Bytes::from_static(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"),
        Bytes::from_static(&[0xff; 4096]),
    ] {
        let server = Stranger::saying(words).await;
        for scheme in ["http", "https"] {
            let member = member_at(format!("{scheme}://{}", server.address()));
            let error = member.status().await.unwrap_err();
            assert_says(&error, ErrorKind::Unsuitable, "neither TLS nor HTTP");
        }
    }
}

#[tokio::test]
async fn a_port_that_only_hangs_up_is_unavailable() {
    let server = Stranger::saying(Bytes::new()).await;
    let error = member_at(server.address().to_string())
        .status()
        .await
        .unwrap_err();
    assert_says(&error, ErrorKind::Unavailable, "the connection broke");
}

#[tokio::test]
async fn another_grpc_server_is_no_etcd() {
    let peer = EtcdPeer::start([]).await;
    let member = member_at(peer.endpoint());
    assert_says(
        &drain(&member).await.error(),
        ErrorKind::Unsuitable,
        "knows no etcd maintenance API",
    );
    peer.set_status(StatusAnswer::Fails {
        code: 12,
        message: "unknown service".to_owned(),
    });
    assert_says(
        &member.status().await.unwrap_err(),
        ErrorKind::Unsuitable,
        "knows no etcd maintenance API",
    );
}

#[tokio::test]
async fn a_status_without_a_member_is_no_etcds() {
    let peer = EtcdPeer::start([]).await;
    peer.set_status(StatusAnswer::Says(Box::default()));
    let error = member_at(peer.endpoint()).status().await.unwrap_err();
    assert_says(
        &error,
        ErrorKind::Unsuitable,
        "names no version and no member",
    );
}
