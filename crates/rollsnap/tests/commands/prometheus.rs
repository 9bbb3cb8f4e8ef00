//! The alerts and the dashboard of `deploy/`, against a Prometheus that reads a daemon.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::prometheus_real::Prometheus;
use rollsnap_testkit::tls::Certificates;
use rollsnap_testkit::tools;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::program::{LIMIT, Program, assert_no_secret};
use crate::running::field;
use crate::world::Bucket;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn promtool(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(tools::path("promtool"))
        .args(arguments)
        .current_dir(root().join("deploy/prometheus"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.success(), said)
}

#[test]
fn every_alert_fires_when_it_should_and_not_before() {
    let (is_right, said) = promtool(&["check", "rules", "rollsnap.rules.yaml"]);
    assert!(is_right, "{said}");
    let (is_right, said) = promtool(&["test", "rules", "rollsnap.test.yaml"]);
    assert!(is_right, "{said}");

    // Each is tried, and each has its runbook.
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let rules = read("deploy/prometheus/rollsnap.rules.yaml");
    let tests = read("deploy/prometheus/rollsnap.test.yaml");
    let runbooks = read("docs/operations.md");
    let named = |text: &str, key: &str| -> BTreeSet<String> {
        let lines = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(key));
        lines.map(|name| name.trim().to_owned()).collect()
    };
    let alerts = named(&rules, "- alert:");
    assert!(alerts.len() > 10, "{alerts:?}");
    assert_eq!(alerts, named(&tests, "alertname:"));
    assert_eq!(
        alerts,
        named(&runbooks, "### Rollsnap")
            .iter()
            .map(|it| format!("Rollsnap{it}"))
            .collect()
    );
    for alert in &alerts {
        let link = format!("runbook_url: docs/operations.md#{}", alert.to_lowercase());
        assert!(rules.contains(&link), "{link}");
    }
}

#[test]
fn the_rules_of_the_operator_are_those_of_prometheus() {
    let dir = root().join("deploy/prometheus");
    let rules = std::fs::read_to_string(dir.join("rollsnap.rules.yaml")).unwrap();
    let groups = &rules[rules.find("groups:").unwrap()..];
    let mut made = String::from(
        "# Made from rollsnap.rules.yaml: `just bless` writes it anew.\n\
         apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: rollsnap\n  \
         labels:\n    app.kubernetes.io/name: rollsnap\nspec:\n",
    );
    for line in groups.lines() {
        made.push_str("  ");
        made.push_str(line);
        made.push('\n');
    }
    let path = dir.join("rollsnap.prometheusrule.yaml");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap();
    assert!(
        there == made,
        "run `UPDATE_DOCS=1 cargo nextest run -p rollsnap -E 'test(operator)'`"
    );
}

/// Every expression of the dashboard, with the panel that asks it.
fn queries() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("deploy/grafana/rollsnap.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            queries.push((text(&panel["title"]), text(&target["expr"])));
        }
    }
    assert!(queries.len() > 20, "{queries:?}");
    queries
}

#[tokio::test]
async fn every_query_of_the_dashboard_has_an_answer_in_a_real_prometheus() {
    let (dir, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let certificates = Certificates::issue(place.path(), &[]);
    let etcd = EtcdReal::builder().tls(&certificates).start().await;
    let bucket = Bucket::up().await;
    let words = [
        "run",
        "--creation",
        "2s",
        "--retention",
        "5",
        "--http",
        "127.0.0.1:0",
    ];
    let mut daemon = Program::new(words)
        .args(["--drill", "1s", "--verify-remote", "1s"])
        .env("ROLLSNAP_INTERVAL_HOURS", "")
        .etcd(&etcd)
        .dir(dir.path())
        .bucket(&bucket)
        .start();
    let line = daemon.line("Answering over HTTP").await;
    let target = field(&line, "location").strip_prefix("http://").unwrap();
    let target = target.parse().unwrap();
    let prometheus = Prometheus::reading(target).await;
    // The log must be read, or the daemon waits for us.
    let reading = async {
        loop {
            daemon.next_line().await;
        }
    };
    let asking = async {
        let deadline = Instant::now() + 2 * LIMIT;
        for (panel, expression) in queries() {
            loop {
                let answer = prometheus.query(&expression).await;
                let result: Value = serde_json::from_str(&answer.body).unwrap();
                assert_eq!(
                    result["status"], "success",
                    "{panel}: {expression}: {result}"
                );
                assert_no_secret("answer", &answer.body);
                if !result["data"]["result"].as_array().unwrap().is_empty() {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{panel}: nothing at {expression}"
                );
                sleep(Duration::from_millis(200)).await;
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = reading => {}
    }
}
