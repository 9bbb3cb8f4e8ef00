//! Events posted as a pod's service account.

use std::fs;

use rollsnap_engine::Kind;
use rollsnap_rke::kube_events::{Access, KubeEvent};
use rollsnap_testkit::listener::{Listener, Mood};
use rollsnap_testkit::tls::Certificates;
use tempfile::TempDir;

const EVENTS: &str = "/api/v1/namespaces/kube-system/events";

/// A server, and a pod's way to it.
async fn pod() -> (Listener, Access, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let files = Certificates::issue(dir.path(), &[]);
    let listener = Listener::tls(files.server_config()).await;
    fs::copy(files.ca(), dir.path().join("ca.crt")).unwrap();
    fs::write(dir.path().join("token"), "first\n").unwrap();
    let access = Access::Pod {
        host: listener.address().ip().to_string(),
        port: listener.address().port(),
        dir: dir.path().to_owned(),
    };
    (listener, access, dir)
}

fn event() -> KubeEvent {
    KubeEvent {
        name: "node1.64".to_owned(),
        node: "node1".to_owned(),
        is_warning: true,
        reason: "EtcdBackupFailed",
        message: "no etcd".to_owned(),
        first: "2026-05-01T12:00:00.000000Z".to_owned(),
        last: "2026-05-01T12:00:00Z".to_owned(),
        count: 2,
    }
}

#[tokio::test]
async fn a_pod_shows_the_token_as_it_is_now() {
    let (listener, access, dir) = pod().await;
    access.post(&event()).await.unwrap();
    fs::write(dir.path().join("token"), "second").unwrap();
    access.post(&event()).await.unwrap();
    let heard = listener.heard();
    let shown = heard.iter().map(|heard| &heard.headers["authorization"]);
    let shown: Vec<_> = shown.collect();
    assert_eq!(shown, ["Bearer first", "Bearer second"]);
    assert_eq!(heard[0].uri.path(), EVENTS);
}

#[tokio::test]
async fn one_that_kubernetes_forgot_does_not_happen_again() {
    let (listener, access, _dir) = pod().await;
    assert!(access.again(&event()).await.unwrap());
    let heard = listener.heard();
    assert_eq!(heard[0].uri.path(), format!("{EVENTS}/node1.64"));
    let told = r#"{"count":2,"lastTimestamp":"2026-05-01T12:00:00Z","message":"no etcd"}"#;
    assert_eq!(heard[0].body, told);
    listener.set(Mood::Says(404));
    assert!(!access.again(&event()).await.unwrap());
}

#[tokio::test]
async fn answers_tell_whether_to_try_again() {
    let (listener, access, dir) = pod().await;
    for (status, kind) in [
        (401, Kind::Denied),
        (403, Kind::Denied),
        (422, Kind::Config),
        (429, Kind::Source),
        (503, Kind::Source),
    ] {
        listener.set(Mood::Says(status));
        let error = access.post(&event()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        let place = format!("post Event to https://{}{EVENTS}: ", listener.address());
        assert!(error.to_string().starts_with(&place), "{error}");
    }
    // An earlier try of the same arrived.
    listener.set(Mood::Says(409));
    access.post(&event()).await.unwrap();
    fs::remove_file(dir.path().join("token")).unwrap();
    let error = access.post(&event()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Config, "{error}");
}
