//! `du`: where all bytes of a database are.

use rollsnap_testkit::etcd_real::EtcdVersion;
use serde_json::Value;

use super::cluster::{Cluster, golden};
use crate::program::Program;

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn sum(rows: &Value, field: &str) -> u64 {
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| number(&row[field]))
        .sum()
}

const ROOM: [&str; 5] = [
    "keys",
    "live_size",
    "superseded",
    "tombstones",
    "history_size",
];

#[tokio::test]
async fn every_byte_is_accounted_for_once_however_it_is_grouped() {
    for version in ["3.4.23", "3.5.1", "3.6.14", "3.7.1"] {
        let path = golden(&format!("{version}.db.gz"));
        let status = Program::new(["status", "-o", "json"]).args([&path]);
        let status = status.run().await.json();
        for by in ["resource", "namespace", "prefix"] {
            let du = Program::new(["du", "-o", "json", "--by", by]).args([&path]);
            let du = du.run().await.json();
            let size = |field: &str| number(&du[field]);
            assert_eq!(
                size("live_size")
                    + size("history_size")
                    + size("other_size")
                    + size("overhead_size")
                    + size("free_size"),
                size("total_size"),
                "{version}"
            );
            assert_eq!(du["total_size"], status["totalSize"], "{version}");
            assert_eq!(du["keys"], status["live_keys"], "{version}");
            assert_eq!(du["tombstones"], status["tombstones"], "{version}");
            assert_eq!(du["superseded"], status["superseded"], "{version}");
            for field in ROOM {
                assert_eq!(
                    sum(&du["rows"], field),
                    size(field),
                    "{version} by {by}: {field}"
                );
            }
            assert_eq!(sum(&du["buckets"], "pairs"), number(&status["entries"]));
            let sizes: Vec<_> = du["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| number(&row["live_size"]) + number(&row["history_size"]))
                .collect();
            assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        }
    }
}

#[tokio::test]
async fn what_compaction_and_defragmentation_give_back_is_what_was_said() {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    for n in 0..40_u8 {
        cluster
            .put("/registry/configmaps/default/big", &vec![n; 50_000])
            .await;
    }
    let last = cluster.save("before").await;
    let du = async |name: &str| cluster.run(&["du", name, "-o", "json"]).await.json();
    let before = du("before").await;
    assert!(number(&before["history_size"]) > 39 * 50_000, "{before}");
    assert_eq!(before["rows"][0]["name"], "configmaps");
    // One more write, so that the compaction's pages are free in the snapshot.
    cluster
        .ctl(&["compaction", "--physical", &last.to_string()])
        .await;
    cluster.put("plain", b"x").await;
    cluster.save("compacted").await;
    let compacted = du("compacted").await;
    assert!(number(&compacted["history_size"]) < 1000, "{compacted}");
    let gained = number(&compacted["free_size"]) - number(&before["free_size"]);
    assert!(gained > 39 * 50_000, "{before} {compacted}");
    cluster.ctl(&["defrag"]).await;
    cluster.save("defragmented").await;
    let after = du("defragmented").await;
    let given_back = number(&compacted["total_size"]) - number(&after["total_size"]);
    assert!(
        given_back >= number(&compacted["free_size"]) / 10 * 9,
        "{compacted} {after}"
    );
}

#[tokio::test]
async fn people_see_bars_and_programs_a_table() {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    cluster.save("n").await;
    let table = cluster.run(&["du", "n"]).await.ok();
    assert!(table.contains("\nRESOURCE "), "{table}");
    assert!(!table.contains('█'), "{table}");
    assert!(
        table.contains("free pages") && table.contains("defragmentation"),
        "{table}"
    );
    let screen = cluster.screen("du n --by namespace").await;
    let bars: Vec<_> = screen
        .lines()
        .filter(|line| line.contains(['█', '▒']))
        .collect();
    assert!(
        bars.len() >= 4 && bars[0].contains("█ live ▒ history"),
        "{screen}"
    );
    assert!(
        screen
            .lines()
            .filter(|line| line.contains('█'))
            .all(|line| line.chars().count() <= 80)
    );
    let spaced = cluster
        .run(&["du", "n", "-n", "kube-system", "-o", "json"])
        .await
        .json();
    let names: Vec<_> = spaced["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["name"])
        .collect();
    assert_eq!(names, ["pods", "secrets"]);
}
