//! When snapshots are taken: the anchor is the last success in the directory, not the start.

use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdReal;
use rustix::process::Signal;
use serde_json::Value;

use crate::program::Program;
use crate::running::{Running, field};
use crate::world::{assert_nothing_written, etcd_and_dir, snapshots};

fn hourly(etcd: &EtcdReal, dir: &Path) -> Running {
    Program::new(["run", "--creation", "1h"])
        .etcd(etcd)
        .dir(dir)
        .start()
}

#[tokio::test]
async fn a_restart_neither_postpones_nor_repeats() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut daemon = hourly(&etcd, dir.path());
    daemon.line("Created backup").await;
    daemon.signal(Signal::KILL);
    daemon.end().await;

    let mut daemon = hourly(&etcd, dir.path());
    let line = daemon.line("Next backup is not due yet").await;
    let wait = field(&line, "wait");
    assert!(
        wait.starts_with("59m5"),
        "less than the hour is left: {wait}"
    );
    assert_eq!(daemon.stop().await.count("Created backup"), 0);
    assert_eq!(snapshots(dir.path()).len(), 1);
}

#[tokio::test]
async fn what_is_overdue_at_start_is_taken_now_and_once() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut daemon = hourly(&etcd, dir.path());
    let first = daemon.line("Created backup").await;
    daemon.stop().await;
    let name = field(&first, "name");
    age(
        &dir.path().join(format!("{name}.manifest.json")),
        TimeDelta::hours(5),
    );

    let mut daemon = hourly(&etcd, dir.path());
    daemon.next_line().await;
    let second = daemon.next_line().await;
    assert!(second.contains("Created backup"), "{second}");
    daemon.signal(Signal::KILL);
    daemon.end().await;
    // Four hours were missed; there is one catch-up, and it is the new anchor.
    let mut daemon = hourly(&etcd, dir.path());
    daemon.line("Next backup is not due yet").await;
    assert_eq!(daemon.stop().await.count("Created backup"), 0);
}

/// Makes a snapshot look as old as if the daemon had been away since.
fn age(manifest: &Path, by: TimeDelta) {
    let mut fields: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    for key in ["started_at", "finished_at"] {
        let time: DateTime<Utc> = fields[key].as_str().unwrap().parse().unwrap();
        fields[key] = (time - by).to_rfc3339().into();
    }
    let order = fields["order"].as_i64().unwrap();
    fields["order"] = (order - by.num_milliseconds()).into();
    fs::write(manifest, fields.to_string()).unwrap();
}

#[tokio::test]
async fn a_second_daemon_on_one_directory_refuses_and_names_the_first() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut first = hourly(&etcd, dir.path());
    first.line("Created backup").await;
    let second = Program::new(["run"])
        .etcd(&etcd)
        .dir(dir.path())
        .run()
        .await;
    let owner = format!("the directory belongs to process {} on ", first.pid());
    second.fails(Kind::Denied, &[&owner, "hint: stop the other daemon"]);
    assert_eq!(first.stop().await.code, Some(0));
}

#[tokio::test]
async fn switched_off_it_says_so_takes_nothing_and_stays_up() {
    let dir = tempfile::tempdir().unwrap();
    for config in [
        "services:\n  etcd:\n    snapshot: false\n",
        "backup_config:\n  enabled: false\n",
    ] {
        let file = dir.path().join("config.yml");
        fs::write(&file, config).unwrap();
        let snapshots = tempfile::tempdir().unwrap();
        let mut daemon = Program::new(["run", "--config"])
            .args([&file])
            .dir(snapshots.path())
            .start();
        let line = daemon.next_line().await;
        assert!(
            line.contains("msg=\"Backups are switched off; none is taken\""),
            "{line}"
        );
        assert!(field(&line, "by").contains("config.yml line "), "{line}");
        let end = daemon.stop().await;
        assert_eq!(end.count("Initializing"), 0);
        assert_nothing_written(snapshots.path());
    }
}
