//! Our log beside those of the originals: the same lines, but for times and runtimes.

use std::collections::BTreeSet;

use crate::node::Node;
use crate::running::{field, fields};

/// A line without what differs from run to run.
fn masked(line: &str) -> String {
    let mut masked = line.to_owned();
    for (key, value) in fields(line) {
        let is_moment = matches!(key, "time" | "runtime") || value.contains("Z_etcd");
        if is_moment {
            let kept = if value.ends_with(".zip\"") {
                ".zip"
            } else {
                ""
            };
            masked = masked.replacen(value, &format!("<{key}>{kept}"), 1);
        }
    }
    masked
}

/// The different lines of an original.
fn original(text: &str) -> BTreeSet<String> {
    text.lines().map(masked).collect()
}

/// Those of our lines that say what an original says.
fn ours<'a>(
    lines: impl IntoIterator<Item = &'a str>,
    golden: &BTreeSet<String>,
) -> BTreeSet<String> {
    let said: BTreeSet<_> = golden.iter().map(|line| field(line, "msg")).collect();
    let lines = lines.into_iter();
    let lines = lines.filter(|line| said.contains(field(line, "msg")));
    lines.map(masked).collect()
}

#[tokio::test]
async fn the_loop_logs_what_the_originals_logged() {
    for (line, originals, last) in [
        (
            "rolling-backup",
            [
                include_str!("golden/v0.1.8.rolling.log"),
                include_str!("golden/v0.1.16.rolling.log"),
            ],
            "Deleted backup",
        ),
        (
            "etcd-backup save",
            [
                include_str!("golden/v0.1.62.rolling.log"),
                include_str!("golden/v0.1.62.rolling.log"),
            ],
            "Deleted local backup",
        ),
    ] {
        let node = Node::up().await;
        let rest = "--name etcd-rolling-snapshots --creation=2s --retention=4s";
        let mut running = node.call(&format!("{line} {rest}")).start();
        running.line(last).await;
        let log = running.stop().await.log;
        for text in originals {
            let golden = original(text);
            assert!(golden.len() == 3, "{golden:#?}");
            assert_eq!(ours(log.iter().map(String::as_str), &golden), golden);
        }
    }
}

#[tokio::test]
async fn a_single_save_logs_what_the_originals_logged_and_nothing_else() {
    let node = Node::up().await;
    let outcome = node
        .call("etcd-backup save --once --name mysnapshot")
        .run()
        .await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    for text in [
        include_str!("golden/v0.1.62.once.log"),
        include_str!("golden/v0.1.83.once.log"),
        include_str!("golden/v0.1.111.once.log"),
    ] {
        let lines = |text: &str| text.lines().map(masked).collect::<Vec<_>>();
        assert_eq!(lines(&outcome.err), lines(text));
    }
}
