//! Whom a serving node lets in.

use std::sync::Arc;
use std::time::Duration;

use rollsnap_rke::peer::{Limits, Visit, fetch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bench::{Cluster, NAME, Node, download, snapshot};
use super::originals::openssl;

#[tokio::test]
async fn a_caller_of_another_cluster_is_refused() {
    let cluster = Cluster::new();
    let other = Cluster::new();
    let mut node = Node::serving(&cluster.node(), snapshot()).await;
    // It believes the node, so that the node's own judgement is what is seen.
    let mut shown = other.node();
    shown.cacert = cluster.files.ca();
    let error = download(&shown, node.port, NAME).await.unwrap_err();
    assert!(error.to_string().starts_with("ask 127.0.0.1"), "{error}");
    let visit = node.visits.recv().await;
    assert!(matches!(visit, Some(Visit::Failed(..))), "{visit:?}");
}

#[tokio::test]
async fn a_caller_without_a_certificate_is_refused() {
    let cluster = Cluster::new();
    let mut node = Node::serving(&cluster.node(), snapshot()).await;
    for version in ["-tls1_2", "-tls1_3"] {
        let words = openssl(node.port, &[version]).await;
        assert!(
            words.contains("certificate required") || words.contains("handshake failure"),
            "{words}"
        );
        let visit = node.visits.recv().await;
        assert!(matches!(visit, Some(Visit::Failed(..))), "{visit:?}");
    }
}

#[tokio::test]
async fn versions_before_1_2_are_refused() {
    let cluster = Cluster::new();
    let mut node = Node::serving(&cluster.node(), snapshot()).await;
    let files = &cluster.files;
    let (cert, key) = (files.client(), files.client_key());
    let shown = [
        "-cert",
        cert.to_str().unwrap(),
        "-key",
        key.to_str().unwrap(),
    ];
    let weak = ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"];
    let words = openssl(node.port, &[&shown[..], &weak[..]].concat()).await;
    assert!(words.contains("alert"), "{words}");
    let visit = node.visits.recv().await;
    assert!(matches!(visit, Some(Visit::Failed(..))), "{visit:?}");
}

#[tokio::test]
async fn a_caller_who_says_nothing_keeps_nobody_else_waiting() {
    let cluster = Cluster::new();
    let mut node = Node::serving(&cluster.node(), snapshot()).await;
    let mut silent = TcpStream::connect(("127.0.0.1", node.port)).await.unwrap();
    let fetched = node.download(&cluster.node(), NAME).await.unwrap();
    assert!(fetched.1 == snapshot());
    assert!(matches!(node.visits.recv().await, Some(Visit::Served(_))));
    silent.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    silent.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(matches!(node.visits.recv().await, Some(Visit::Failed(..))));
}

#[tokio::test]
async fn whoever_is_being_served_is_hung_up_on_when_the_node_ends() {
    let cluster = Cluster::new();
    let node = Node::open(&cluster.node()).await;
    let (shown, node_port) = (cluster.node(), node.port);
    let waiting = tokio::spawn(async move { download(&shown, node_port, NAME).await });
    // Every caller holds the offer.
    while node.give.receiver_count() < 3 {
        tokio::task::yield_now().await;
    }
    drop(node);
    waiting.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn whoever_stops_taking_loses_the_seat_to_the_next() {
    let cluster = Cluster::new();
    let limits = Limits {
        seats: 1,
        pause: Duration::from_millis(50),
        ..Limits::default()
    };
    let mut node = Node::within(&cluster.node(), limits).await;
    // More than the sockets between the two hold.
    let bytes = vec![7; 64 << 20];
    node.give.send_replace(Some(Arc::new(bytes.clone())));
    // Its head came, so it has the one seat; it never asks for the rest.
    let idle = fetch(&cluster.node(), "127.0.0.1", node.port, NAME).await;
    let idle = idle.unwrap();
    let fetched = node.download(&cluster.node(), NAME).await.unwrap();
    assert!(fetched.1 == bytes);
    let visit = node.visits.recv().await;
    assert!(matches!(visit, Some(Visit::Failed(..))), "{visit:?}");
    let visit = node.visits.recv().await;
    assert!(matches!(visit, Some(Visit::Served(_))), "{visit:?}");
    drop(idle);
}

#[tokio::test]
async fn no_more_are_served_at_once_than_there_are_seats() {
    let cluster = Cluster::new();
    let limits = Limits {
        seats: 2,
        ..Limits::default()
    };
    let mut node = Node::within(&cluster.node(), limits).await;
    let (shown, port) = (cluster.node(), node.port);
    let waiting = |name: &'static str| {
        let shown = shown.clone();
        tokio::spawn(async move { download(&shown, port, name).await })
    };
    let seated = [waiting(NAME), waiting(NAME)];
    // Who asks takes a look at the offer of its own: both are seated.
    while node.give.receiver_count() < 5 {
        tokio::task::yield_now().await;
    }
    // What it asks for is not there, and with a seat it would be told so at once.
    let third = waiting("another");
    while node.give.receiver_count() < 6 {
        tokio::task::yield_now().await;
    }
    node.give.send_replace(Some(Arc::new(snapshot())));
    for one in seated {
        assert!(one.await.unwrap().unwrap().1 == snapshot());
    }
    third.await.unwrap().unwrap_err();
    let visit = node.visits.recv().await;
    assert!(matches!(visit, Some(Visit::Served(_))), "{visit:?}");
}
