//! `get` by the index beside a snapshot: the same answers, without reading the snapshot through.

use std::fs;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdVersion;

use super::cluster::{Cluster, OBJECTS};

const PAGE: usize = 4096;
const BIG: &str = "/registry/configmaps/default/big";

/// More small keys than a page has.
async fn small(cluster: &Cluster, name: &str) {
    for n in 0..60 {
        let key = format!("/registry/pods/default/{name}-{n}");
        cluster.put(key, &[b'y'; 100]).await;
    }
}

/// A cluster of which most bytes are history, and a snapshot `n` of it.
async fn cluster() -> Cluster {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    // Keys that are asked for must not lie on a page of those that will be broken.
    small(&cluster, "before").await;
    for n in 0..40 {
        let value = vec![b'x'; 50_000 + n];
        cluster.put(BIG, &value).await;
    }
    small(&cluster, "after").await;
    cluster
        .put("/registry/pods/default/last", b"the last")
        .await;
    cluster.save("n").await;
    cluster
}

/// Breaks every page that holds old values, so that nothing can be read through.
fn break_history(cluster: &Cluster) {
    let path = cluster.dir.path().join("n");
    let mut bytes = fs::read(&path).unwrap();
    let old = b"x".repeat(3000);
    let mut broken = 0;
    for page in bytes.chunks_mut(PAGE).skip(2) {
        // The head of a leaf with such a value: its number, and that it is a leaf.
        let is_leaf = page.len() == PAGE && page[8] == 2;
        if is_leaf && page.windows(old.len()).any(|window| window == old) {
            page[0] ^= 0xff;
            broken += 1;
        }
    }
    assert!(broken > 10, "{broken}");
    fs::write(&path, bytes).unwrap();
}

#[tokio::test]
async fn a_key_is_found_though_the_rest_cannot_be_read() {
    let cluster = cluster().await;
    let index = cluster.dir.path().join("n.keys.index");
    assert!(index.is_file(), "save makes it");
    let path = cluster.dir.path().join("n");
    let path = path.to_str().unwrap();
    let mut questions = vec![
        vec!["/registry/pods/default/last"],
        vec!["pod/last", "-n", "default"],
        vec!["pods", "last", "-n", "default", "-o", "json"],
        vec!["widgets.example.com/w1", "-n", "default"],
        vec!["/registry/masterleases/10.0.0.1", "-o", "json"],
        vec!["--raw", "plain"],
    ];
    for (_, word, key) in OBJECTS {
        questions.push(vec![key, "--show-secrets"]);
        if !key.contains("namespaceValue") {
            questions.push(vec![word, "nameValue"]);
        }
    }
    let mut answers = Vec::new();
    for (question, operand) in questions.iter().zip([path, "n"].into_iter().cycle()) {
        let words = [&["get", operand], &question[..]].concat();
        answers.push((words.clone(), cluster.run(&words).await.ok()));
    }
    break_history(&cluster);
    for (words, answer) in answers {
        let said = cluster.run(&words).await;
        assert_eq!((&said.out, &*said.err), (&answer, ""), "{words:?}");
    }
    // What an index does not tell needs all, and says that it is broken.
    for words in [
        &["get", "n", "pod/last", "-n", "default", "--rev", "30"][..],
        &["get", "n", "pod/last", "-n", "default", "--history"],
        &["get", "n", "pod/last"],
        &["get", "n", "widgets/w1", "-n", "default"],
        &["get", "n", "/registry/pods/default/none"],
    ] {
        let said = cluster.run(words).await;
        assert_eq!(said.code, Some(4), "{words:?}: {said:?}");
    }
}

#[tokio::test]
async fn at_the_last_revision_it_is_the_index_that_tells_and_before_it_is_not() {
    let cluster = cluster().await;
    let last = cluster.save("later").await;
    let at = |revision: u64| {
        let revision = revision.to_string();
        ["get", "n", BIG, "-o", "raw", "--rev", &revision].map(str::to_owned)
    };
    let size = |revision| {
        let words = at(revision);
        let cluster = &cluster;
        async move {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            cluster.bytes(&words).await.len()
        }
    };
    for (before, expected) in [(0, 50_039), (61, 50_039), (62, 50_038), (63, 50_037)] {
        assert_eq!(size(last - before).await, expected);
    }
}

#[tokio::test]
async fn a_broken_or_a_strange_index_is_told_and_not_believed() {
    let cluster = cluster().await;
    cluster.put("/registry/pods/default/last", b"newer").await;
    cluster.save("later").await;
    let index = |name: &str| cluster.dir.path().join(format!("{name}.keys.index"));
    let get = |name| ["get", name, "/registry/pods/default/last"];
    assert_eq!(cluster.run(&get("later")).await.ok(), "newer");

    fs::copy(index("n"), index("later")).unwrap();
    let said = cluster.run(&get("later")).await;
    let doubt = "does not serve: it is of another snapshot";
    assert!(said.err.contains(doubt), "{said:?}");
    assert_eq!(said.ok(), "newer");

    let mut bytes = fs::read(index("n")).unwrap();
    bytes[9] ^= 1;
    fs::write(index("n"), bytes).unwrap();
    let said = cluster.run(&get("n")).await;
    assert!(said.err.contains("a block of it is damaged"), "{said:?}");
    assert_eq!(said.ok(), "the last");

    fs::remove_file(index("n")).unwrap();
    let said = cluster.run(&get("n")).await;
    assert_eq!((said.err.as_str(), said.out.as_str()), ("", "the last"));
}

#[tokio::test]
async fn a_key_that_is_not_there_is_explained_as_ever() {
    let cluster = cluster().await;
    let said = cluster.run(&["get", "n", "pods", "web-3", "-n", "kube-system"]);
    said.await
        .fails(Kind::Usage, &["it was deleted at revision"]);
    let said = cluster.run(&["get", "n", "pods", "lost", "-n", "default"]);
    said.await.fails(Kind::Usage, &["did you mean last?"]);
    cluster.run(&["get", "n"]).await.fails(Kind::Usage, &[]);
}
