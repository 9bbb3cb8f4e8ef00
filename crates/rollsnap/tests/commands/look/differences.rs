//! `diff`: what happened between two snapshots, and between two revisions of one.

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdVersion;
use serde_json::Value;

use super::cluster::{Cluster, PASSWORD, fixture, secret, widget};

const WIDGETS: &str = "/registry/example.com/widgets/default";

/// Snapshots `a` and `b`, with one thing of each kind between them.
async fn cluster() -> Cluster {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    cluster.save("a").await;
    let w1 = format!("{WIDGETS}/w1");
    cluster.put(&w1, &widget("w1", 4)).await;
    cluster.delete(&format!("{WIDGETS}/w2")).await;
    cluster.put(format!("{WIDGETS}/w3"), &widget("w3", 1)).await;
    cluster
        .put("/registry/secrets/default/db", &secret("aHVudGVyMw=="))
        .await;
    let node = "/registry/minions/nameValue";
    cluster.put(node, &fixture("core.v1.Node.pb")).await;
    cluster.put("odd/new", b"\xfe").await;
    cluster.save("b").await;
    cluster
}

fn changes(said: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = said["changes"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["change"]), text(&row["key"])))
        .collect()
}

#[tokio::test]
async fn what_was_created_deleted_and_changed_is_told_once() {
    let cluster = cluster().await;
    let said = cluster.run(&["diff", "a", "b"]).await.ok();
    let rows: Vec<Vec<_>> = said
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row[0], *row.last().unwrap()))
        .collect();
    let (w1, w2, w3) = (
        format!("{WIDGETS}/w1"),
        format!("{WIDGETS}/w2"),
        format!("{WIDGETS}/w3"),
    );
    let expected = [
        ("changed", &*w1),
        ("deleted", &w2),
        ("created", &w3),
        ("changed", "/registry/secrets/default/db"),
        ("created", "odd/new"),
    ];
    assert_eq!(told[0], ("CHANGE", "KEY"));
    assert_eq!(told[1..6], expected);
    // The node was written again as it was, which changes nothing.
    let keys = cluster
        .run(&["ls", "b", "--raw", "", "-o", "json"])
        .await
        .json();
    let same = keys["keys"].as_array().unwrap().len() - 4;
    let last = said.lines().last().unwrap();
    assert_eq!(
        last,
        format!("2 created, 1 deleted, 2 changed, {same} the same")
    );

    let json = cluster.run(&["diff", "a", "b", "-o", "json"]).await.json();
    let owned = expected.map(|(change, key)| (change.to_owned(), key.to_owned()));
    assert_eq!(changes(&json), owned);
    assert_eq!(json["created"], 2);
    assert_eq!(json["same"], same);
    // Back again, it is the opposite.
    let back = cluster.run(&["diff", "b", "a", "-o", "json"]).await.json();
    assert_eq!(
        (&back["created"], &back["deleted"]),
        (&json["deleted"], &json["created"])
    );
    // One snapshot tells of its own past as much as the older snapshot does.
    let at = json["a"]["revision"].to_string();
    let own = cluster
        .run(&["diff", "b", "b", "--at-a", &at, "-o", "json"])
        .await
        .json();
    assert_eq!(own["changes"], json["changes"]);

    let widgets = cluster
        .run(&["diff", "a", "b", "wdg", "-o", "json"])
        .await
        .json();
    assert_eq!(changes(&widgets), owned[..3]);
    let spaced = cluster.run(&["diff", "a", "b", "secrets", "-n", "default", "-o", "json"]);
    assert_eq!(changes(&spaced.await.json()), owned[3..4]);
    let raw = cluster
        .run(&["diff", "a", "b", "--raw", "odd/", "-o", "json"])
        .await
        .json();
    assert_eq!(changes(&raw), owned[4..]);
}

#[tokio::test]
async fn differing_is_no_failure_unless_it_is_asked_for() {
    let cluster = cluster().await;
    for (words, code) in [
        (&["a", "b"][..], 0),
        (&["a", "b", "--exit-code"], 1),
        (&["a", "a", "--exit-code"], 0),
        (&["a", "b", "pods", "--exit-code"], 0),
    ] {
        let said = cluster.run(&[&["diff"], words].concat()).await;
        assert_eq!(said.code, Some(code), "{words:?}: {}", said.err);
        assert_eq!(said.err, "");
        assert!(said.out.contains(" the same\n"), "{}", said.out);
    }
    let missing = cluster.run(&["diff", "a", "b", "pod/none"]).await;
    missing.fails(
        Kind::Usage,
        &["diff pod/none: there is none on either side", "hint: "],
    );
    let twice = cluster.run(&["diff", "-", "-"]).await;
    twice.fails(Kind::Usage, &["standard input can be read once"]);
}

#[tokio::test]
async fn one_object_is_compared_line_by_line() {
    let cluster = cluster().await;
    let header = |json: &Value, side: &str| {
        format!("{side}{WIDGETS}/w1\trevision {}", json[side]["revision"])
    };
    let json = cluster
        .run(&["diff", "a", "b", "wdg/w1", "-o", "json"])
        .await
        .json();
    let expected = format!(
        "--- {}\n+++ {}\n@@ -9,6 +9,6 @@\n   resourceVersion: \"7\"\n   uid: u-1\n spec:\n-  size: 3\n\
         +  size: 4\n status:\n   ready: true\n",
        header(&json, "a"),
        header(&json, "b")
    );
    for words in [
        &["wdg/w1"][..],
        &["wdg", "w1", "-n", "default"],
        &[&format!("{WIDGETS}/w1")],
    ] {
        let said = cluster
            .run(&[&["diff", "a", "b"], words].concat())
            .await
            .ok();
        assert_eq!(said, expected, "{words:?}");
    }
    assert_eq!(json["changes"][0]["diff"], expected);
    // All of them, where that is asked for; what is new or gone is compared with nothing.
    let full = cluster.run(&["diff", "a", "b", "--full"]).await.ok();
    assert!(full.contains(&expected), "{full}");
    assert!(
        full.contains("+++ /dev/null\n") && full.contains("--- /dev/null\n"),
        "{full}"
    );
    assert!(
        full.contains("+<1 bytes that are no text, sha256 "),
        "{full}"
    );
    // An object that did not change has no difference.
    assert_eq!(
        cluster
            .run(&["diff", "a", "b", "node/nameValue"])
            .await
            .ok(),
        ""
    );
}

#[tokio::test]
async fn a_secrets_change_is_told_without_its_values() {
    let cluster = cluster().await;
    for words in [
        &["--full"][..],
        &["secret/db"],
        &["secret/db", "-o", "json"],
    ] {
        let said = cluster
            .run(&[&["diff", "a", "b"], words].concat())
            .await
            .ok();
        assert!(
            said.contains("password: <hidden, 7 bytes, another value>"),
            "{said}"
        );
        for shown in [PASSWORD, "aHVudGVyMw==", "hunter"] {
            assert!(!said.contains(shown), "{said}");
        }
    }
    let shown = cluster
        .run(&["diff", "a", "b", "secret/db", "--show-secrets"])
        .await
        .ok();
    let expected = format!("-  password: {PASSWORD}\n+  password: aHVudGVyMw==\n");
    assert!(shown.contains(&expected), "{shown}");
}
