//! What arrives, and what does not.

use std::sync::{Arc, Mutex};

use rollsnap_engine::Kind;
use rollsnap_rke::peer::Visit;
use rollsnap_testkit::tls::{self, Validity};

use super::bench::{Broken, Cluster, NAME, Node, certificates, snapshot};

#[tokio::test]
async fn a_node_gives_all_of_the_snapshot_to_a_node_of_its_cluster() {
    let cluster = Cluster::new();
    for shown in [cluster.node(), cluster.server()] {
        let mut node = Node::serving(&shown, snapshot()).await;
        let (size, bytes) = node.download(&cluster.node(), NAME).await.unwrap();
        assert_eq!(size, Some(3_000_007));
        assert!(bytes == snapshot());
        let visit = node.visits.recv().await.unwrap();
        assert!(matches!(visit, Visit::Served(_)), "{visit:?}");
    }
}

#[tokio::test]
async fn one_that_is_not_ready_yet_is_waited_for() {
    let cluster = Cluster::new();
    let node = Node::open(&cluster.node()).await;
    let shown = cluster.node();
    let (fetched, ()) = tokio::join!(node.download(&shown, NAME), async {
        node.give.send_replace(Some(Arc::new(b"late".to_vec())));
    });
    assert_eq!(fetched.unwrap(), (Some(4), b"late".to_vec()));
}

#[tokio::test]
async fn an_empty_snapshot_is_told_as_such() {
    let cluster = Cluster::new();
    let node = Node::serving(&cluster.node(), Vec::new()).await;
    let fetched = node.download(&cluster.node(), NAME).await.unwrap();
    assert_eq!(fetched, (Some(0), Vec::new()));
}

#[tokio::test]
async fn a_name_that_is_not_served_is_told_from_a_line_that_broke() {
    let cluster = Cluster::new();
    let mut node = Node::serving(&cluster.node(), snapshot()).await;
    let error = node.download(&cluster.node(), "other").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    let words = format!(
        "download https://127.0.0.1:{}/other: answered 404 Not Found: 404 page not found",
        node.port
    );
    assert_eq!(error.to_string(), words);
    assert!(matches!(node.visits.recv().await, Some(Visit::Lost(_))));
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_read_to_its_end_never_looks_whole() {
    let cluster = Cluster::new();
    let mut node = Node::open(&cluster.node()).await;
    node.give
        .send_replace(Some(Arc::new(Broken(Mutex::new(600 << 10)))));
    let error = node.download(&cluster.node(), NAME).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Source);
    assert!(error.to_string().ends_with("the line broke"), "{error}");
    let visit = node.visits.recv().await;
    assert!(matches!(visit, Some(Visit::Failed(..))), "{visit:?}");
}

#[tokio::test]
async fn a_stranger_is_not_believed() {
    // Its CA has the same name and another key.
    let cluster = Cluster::new();
    let other = Cluster::new();
    let node = Node::serving(&other.node(), snapshot()).await;
    let error = node.download(&cluster.node(), NAME).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("BadSignature"), "{cause}");
}

#[tokio::test]
async fn a_certificate_out_of_its_dates_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let files = tls::Certificates::issue_exactly(dir.path(), &[], Validity::Expired);
    let shown = certificates(&files.ca(), &files.server(), &files.server_key());
    let node = Node::serving(&shown, snapshot()).await;
    let error = node.download(&shown, NAME).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.to_lowercase().contains("expired"), "{cause}");
}

#[tokio::test]
async fn nobody_there_is_told_by_address() {
    let cluster = Cluster::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let error = super::bench::download(&cluster.node(), port, NAME).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::Source);
    let words = format!("dial 127.0.0.1:{port}: connection refused");
    assert_eq!(error.to_string(), words);
}

#[tokio::test]
async fn files_that_do_not_fit_are_named() {
    let cluster = Cluster::new();
    let files = &cluster.files;
    let missing = cluster.dir.path().join("missing.pem");
    for (shown, words) in [
        (
            certificates(&missing, &files.client(), &files.client_key()),
            "missing.pem: no such file or directory",
        ),
        (
            certificates(&files.client_key(), &files.client(), &files.client_key()),
            "client-key.pem: it holds no certificate in PEM",
        ),
        (
            certificates(&files.ca(), &files.client(), &files.client()),
            "client.pem: it holds no private key in PEM, or an encrypted one",
        ),
        (
            certificates(&files.ca(), &files.client(), &files.server_key()),
            "server-key.pem: it is not the key of certificate",
        ),
    ] {
        let error = super::bench::download(&shown, 1, NAME).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains(words), "{error}");
    }
}
