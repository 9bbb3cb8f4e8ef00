//! `ls`: the keys that etcd itself lists, at every revision.

use std::collections::BTreeMap;
use std::fs::File;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdVersion;
use serde_json::Value;

use super::cluster::{Cluster, golden};
use crate::program::Program;

/// What is known of a key: create, mod and version, lease, size.
type Keys = BTreeMap<Vec<u8>, (i64, i64, i64, i64, usize)>;

/// From etcd's own answer to a range read.
fn theirs(answer: &Value) -> Keys {
    let rows = answer["kvs"].as_array().into_iter().flatten();
    let decoded = |value: &Value| STANDARD.decode(value.as_str().unwrap_or_default()).unwrap();
    rows.map(|row| {
        let number = |field: &str| row[field].as_i64().unwrap_or(0);
        let numbers = (
            number("create_revision"),
            number("mod_revision"),
            number("version"),
            number("lease"),
            decoded(&row["value"]).len(),
        );
        (decoded(&row["key"]), numbers)
    })
    .collect()
}

/// From ours, which must be sorted.
#[track_caller]
fn ours(listing: &Value) -> Keys {
    let mut last = Vec::new();
    let rows = listing["keys"].as_array().unwrap().iter();
    rows.map(|row| {
        let key = match row["key"].as_str() {
            Some(key) => key.as_bytes().to_vec(),
            None => STANDARD
                .decode(row["key_base64"].as_str().unwrap())
                .unwrap(),
        };
        assert!(last < key, "{key:?} comes after {last:?}");
        last.clone_from(&key);
        let number = |field: &str| row[field].as_i64().unwrap();
        let lease = row["lease"].as_str().unwrap_or("0");
        let numbers = (
            number("create_revision"),
            number("mod_revision"),
            number("version"),
            i64::from_str_radix(lease, 16).unwrap(),
            usize::try_from(number("size")).unwrap(),
        );
        (key, numbers)
    })
    .collect()
}

#[tokio::test]
async fn the_keys_are_those_of_a_range_read_at_every_revision() {
    for version in EtcdVersion::ALL {
        let cluster = Cluster::new(version).await;
        let last = cluster.save("n").await;
        let mut compared = 0;
        for revision in 1..=last {
            let at = revision.to_string();
            let words = ["ls", "n", "--raw", "", "--at", &at, "-o", "json"];
            let said = cluster.run(&words).await;
            match cluster.range(&["--prefix", ""], revision).await {
                None => said.fails(
                    Kind::Usage,
                    &[&format!(
                        "revision {at} was compacted: the snapshot knows 4 to {last}"
                    )],
                ),
                Some(answer) => {
                    let said = said.json();
                    assert_eq!(said["revision"], revision);
                    assert_eq!(ours(&said), theirs(&answer), "{version:?} at {at}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, last - 3, "{version:?}");
        let prefix = "/registry/pods/default/";
        let said = cluster.run(&["ls", "n", prefix, "-o", "json"]).await.json();
        let answer = cluster.range(&["--prefix", prefix], last).await.unwrap();
        assert_eq!(ours(&said), theirs(&answer));
        let future = (last + 1).to_string();
        cluster.run(&["ls", "n", "--at", &future]).await.fails(
            Kind::Usage,
            &[&format!(
                "revision {future} is later than the snapshot, which ends at {last}"
            )],
        );
    }
}

#[tokio::test]
async fn the_keys_of_the_golden_snapshots_are_what_their_servers_said() {
    for version in ["3.4.23", "3.5.1", "3.6.14", "3.7.1"] {
        let snapshot = golden(&format!("{version}.db.gz"));
        let said = Program::new(["ls", "--raw", "-o", "json"])
            .args([&snapshot])
            .args([""]);
        let said = said.run().await.json();
        let answer = File::open(golden(&format!("{version}.keys.json.gz"))).unwrap();
        let answer: Value = serde_json::from_reader(GzDecoder::new(answer)).unwrap();
        let (ours, theirs) = (ours(&said), theirs(&answer));
        assert!(!theirs.is_empty());
        assert_eq!(ours, theirs, "{version}");
        assert_eq!(said["revision"], answer["header"]["revision"], "{version}");
    }
}

#[tokio::test]
async fn objects_are_listed_in_kubectls_words() {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    cluster.save("n").await;
    let ls = async |words: &[&str]| {
        let words = [&["ls", "n"], words].concat();
        cluster.run(&words).await.ok()
    };
    let names = |text: &str| -> Vec<String> {
        let rows = text.lines().skip(1);
        let cells = rows.map(|row| row.split_whitespace().take(2).collect::<Vec<_>>().join("/"));
        cells.collect()
    };
    assert_eq!(
        ls(&["pods", "-n", "default"]).await,
        "NAMESPACE  NAME   CREATED  REVISION  VERSION  SIZE\n\
         default    web-0  2        2         1        38 B\n\
         default    web-2  7        7         1        6 B\n"
    );
    let pods = [
        "default/web-0",
        "default/web-2",
        "kube-system/web-1",
        "namespaceValue/nameValue",
    ];
    for words in [&["po"][..], &["pod", "-A"], &["Pods"]] {
        assert_eq!(names(&ls(words).await), pods, "{words:?}");
    }
    assert_eq!(names(&ls(&["deploy"]).await), ["namespaceValue/nameValue"]);
    assert_eq!(
        names(&ls(&["deployments.apps"]).await),
        ["namespaceValue/nameValue"]
    );
    assert_eq!(
        names(&ls(&["secrets", "-A"]).await),
        ["default/db", "kube-system/enc", "namespaceValue/nameValue"]
    );
    assert_eq!(names(&ls(&["po", "web-1"]).await), ["kube-system/web-1"]);
    assert_eq!(
        names(&ls(&["po/web-0", "-n", "default"]).await),
        ["default/web-0"]
    );
    assert_eq!(names(&ls(&["po", "-n", "nowhere"]).await), [] as [&str; 0]);
    // Nodes have no namespace, and so no column of it.
    assert!(ls(&["nodes"]).await.starts_with("NAME       CREATED"));
    // Custom resources by every name that their definition gives them.
    for word in [
        "widgets",
        "widget",
        "wdg",
        "Widget",
        "widgets.example.com",
        "wdg.example.com",
    ] {
        assert_eq!(
            names(&ls(&[word]).await),
            ["default/w1", "default/w2"],
            "{word}"
        );
    }
    let all = ls(&[]).await;
    assert!(all.starts_with("RESOURCE "), "{all}");
    let counts: Vec<_> = all
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let count = |name: &str| {
        let row = counts.iter().find(|(resource, _)| *resource == name);
        row.unwrap().1.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(count("pods"), "4");
    assert_eq!(count("widgets.example.com"), "2");
    assert_eq!(count("(other)"), "2");
    let spaced = ls(&["-n", "kube-system"]).await;
    let rows: Vec<_> = spaced
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    assert_eq!(
        rows.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["RESOURCE", "pods", "secrets"]
    );
}

#[tokio::test]
async fn words_that_mean_nothing_are_told_with_what_would() {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    cluster.save("n").await;
    let fails = async |words: &[&str], said: &[&str]| {
        let words = [&["ls", "n"], words].concat();
        cluster.run(&words).await.fails(Kind::Usage, said);
    };
    fails(
        &["deploymnets"],
        &[
            "no resource is called \"deploymnets\"",
            "hint: did you mean deployments?",
        ],
    )
    .await;
    fails(
        &["gadgets"],
        &["hint: a custom resource is written PLURAL.GROUP"],
    )
    .await;
    fails(
        &["/registry", "-n", "x"],
        &["a raw key has neither a name nor a namespace", "hint: "],
    )
    .await;
    fails(&["pods", "-n", "x", "-A"], &["cannot be used with"]).await;
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    cluster.etcd.fill(1).await;
    let mut client = cluster.etcd.client().await;
    for n in 0..3000 {
        client
            .put(format!("/many/{n:060}"), "v", None)
            .await
            .unwrap();
    }
    cluster.save("n").await;
    for words in [
        "ls n --raw /",
        "ls n --raw / -o json",
        "get n /registry/fill/00000000",
    ] {
        let rollsnap = env!("CARGO_BIN_EXE_rollsnap");
        let line = format!("set -o pipefail; {rollsnap} {words} | head -c 10");
        let piped = tokio::process::Command::new("bash")
            .args(["-c", &line])
            .env("ROLLSNAP_DIR", cluster.dir.path())
            .output()
            .await
            .unwrap();
        assert!(piped.status.success(), "{words}: {piped:?}");
        assert_eq!(piped.stdout.len(), 10, "{words}");
        assert_eq!(piped.stderr, b"", "{words}");
    }
}
