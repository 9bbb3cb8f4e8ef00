//! A state that Kubernetes keeps.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollsnap_rke::state_file::{LIMIT, Origin};

use super::api::{Answer, Api};
use super::told::{NAME, fetch};

const STATE: &str = r#"{"desiredState":{"rkeConfig":{}},"currentState":{"a":[1]}}"#;
const INDENTED: &str = "{\n  \"desiredState\": {\n    \"rkeConfig\": {}\n  },\n  \
                        \"currentState\": {\n    \"a\": [\n      1\n    ]\n  }\n}";

fn secret(state: &str) -> Answer {
    let state = STANDARD.encode(state);
    let body = format!(r#"{{"kind":"Secret","data":{{"full-cluster-state":"{state}"}}}}"#);
    Answer::Says(200, body)
}

fn config_map(state: &str) -> Answer {
    let state = serde_json::to_string(state).unwrap();
    let body = format!(r#"{{"kind":"ConfigMap","data":{{"full-cluster-state":{state}}}}}"#);
    Answer::Says(200, body)
}

fn says(status: u16) -> Answer {
    Answer::Says(status, r#"{"kind":"Status"}"#.to_owned())
}

#[tokio::test]
async fn the_secret_is_taken_and_indented_as_the_old_program_did() {
    let api = Api::start(&[secret(STATE)], &[config_map("{}")]).await;
    let (enclosed, told) = fetch(Origin::Asked(api.kubeconfig())).await;
    let enclosed = enclosed.unwrap();
    assert_eq!(str::from_utf8(&enclosed.bytes), Ok(INDENTED));
    assert_eq!(enclosed.mode, 0o644);
    let entry = format!("/etc/kubernetes/{NAME}.rkestate");
    assert_eq!(enclosed.path, entry);
    assert_eq!(told, ["trying 1".to_owned(), format!("found {entry}")]);
    let asked = api.asked().remove(0);
    let line = "GET /api/v1/namespaces/kube-system/secrets/full-cluster-state HTTP/1.1\r\n";
    assert!(asked.starts_with(line), "{asked}");
    assert!(asked.contains("accept: application/json\r\n"), "{asked}");
}

/// Defect 12: rolling snapshots lacked the state where the two programs looked in different places.
#[tokio::test]
async fn defect_12_where_there_is_no_secret_the_config_map_is_taken() {
    for refusal in [404, 403] {
        let api = Api::start(&[says(refusal)], &[config_map(STATE)]).await;
        let (enclosed, _) = fetch(Origin::Asked(api.kubeconfig())).await;
        assert_eq!(str::from_utf8(&enclosed.unwrap().bytes), Ok(INDENTED));
    }
}

#[tokio::test]
async fn where_there_is_neither_nobody_asks_again() {
    let api = Api::start(&[says(403)], &[says(404)]).await;
    let (enclosed, told) = fetch(Origin::Asked(api.kubeconfig())).await;
    assert!(enclosed.is_none());
    let why = format!(
        "read https://127.0.0.1:{}/api/v1/namespaces/kube-system/secrets/full-cluster-state: \
         the node may not read it",
        api.port
    );
    let lines = [
        "trying 1".to_owned(),
        format!("failed 1: {why}"),
        format!("without: {why}"),
    ];
    assert_eq!(told, lines);
    assert_eq!(api.asked().len(), 2);
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for bad in [
        says(503),
        Answer::Breaks,
        secret("no JSON"),
        Answer::Says(200, "<html>".into()),
    ] {
        let api = Api::start(&[bad.clone(), secret(STATE)], &[says(404)]).await;
        let (enclosed, told) = fetch(Origin::Asked(api.kubeconfig())).await;
        assert!(enclosed.is_some(), "{bad:?}: {told:?}");
        assert!(told[1].starts_with("failed 1: "), "{told:?}");
        assert_eq!(told[2], "trying 2");
    }
}

#[tokio::test]
async fn a_server_that_hangs_holds_the_snapshot_up_for_five_seconds_at_most() {
    let api = Api::start(&[Answer::Hangs], &[Answer::Hangs]).await;
    let began = tokio::time::Instant::now();
    let (enclosed, told) = fetch(Origin::Asked(api.kubeconfig())).await;
    assert!(enclosed.is_none());
    let took = began.elapsed();
    assert!(took < LIMIT + Duration::from_millis(500), "{took:?}");
    assert!(told.iter().any(|line| line == "trying 2"), "{told:?}");
    assert!(told.last().unwrap().starts_with("without: "), "{told:?}");
}

#[tokio::test]
async fn a_server_that_is_down_is_told() {
    let api = Api::start(&[says(404)], &[says(404)]).await;
    let config = api.kubeconfig();
    let port = api.port;
    let moved = std::fs::read_to_string(&config).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = free.local_addr().unwrap().port();
    drop(free);
    std::fs::write(
        &config,
        moved.replace(&port.to_string(), &nobody.to_string()),
    )
    .unwrap();
    let (enclosed, told) = fetch(Origin::Asked(config)).await;
    assert!(enclosed.is_none());
    let why = format!("dial 127.0.0.1:{nobody}: connection refused");
    assert_eq!(told.last(), Some(&format!("without: {why}")));
}

#[tokio::test]
async fn a_server_that_another_ca_signed_is_asked_nothing() {
    let api = Api::start(&[secret(STATE)], &[says(404)]).await;
    let other = tempfile::tempdir().unwrap();
    let other = rollsnap_testkit::tls::Certificates::issue(other.path(), &[]);
    let authority = format!("certificate-authority: {}", other.ca().display());
    let config = api.kubeconfig_of("token: hunter2", &authority);
    let (enclosed, told) = fetch(Origin::Asked(config)).await;
    assert!(enclosed.is_none());
    assert_eq!(api.asked(), [""; 0]);
    assert!(
        told.iter().all(|line| !line.contains("hunter2")),
        "{told:?}"
    );
}

#[tokio::test]
async fn data_in_the_file_and_a_token_serve_as_well() {
    let api = Api::start(&[secret(STATE)], &[says(404)]).await;
    let ca = STANDARD.encode(std::fs::read(api.files.ca()).unwrap());
    let authority = format!("certificate-authority-data: {ca}");
    let config = api.kubeconfig_of("token: hunter2", &authority);
    let (enclosed, told) = fetch(Origin::Asked(config)).await;
    assert!(enclosed.is_some(), "{told:?}");
    let asked = api.asked().remove(0);
    assert!(
        asked.contains("authorization: Bearer hunter2\r\n"),
        "{asked}"
    );
    assert!(
        told.iter().all(|line| !line.contains("hunter2")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_node_without_a_kubeconfig_is_told_once() {
    let missing = tempfile::tempdir().unwrap().path().join("kubecfg");
    let (enclosed, told) = fetch(Origin::Asked(missing.clone())).await;
    assert!(enclosed.is_none());
    let why = format!("read {}: no such file or directory", missing.display());
    let lines = [
        "trying 1".to_owned(),
        format!("failed 1: {why}"),
        format!("without: {why}"),
    ];
    assert_eq!(told, lines);
}
