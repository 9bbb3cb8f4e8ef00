//! Ahead and back in time: `schedule preview`, `coverage`, and a daemon that goes by the clock.

use std::fs;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdReal;
use serde_json::Value;

use crate::json::assert_documented;
use crate::program::Program;
use crate::running::field;
use crate::world::{Bucket, etcd_and_dir};

fn preview(words: &[&str]) -> Program {
    let dir = "/nonexist/snapshots";
    Program::new(["schedule", "preview"])
        .args(words)
        .env("ROLLSNAP_DIR", dir)
}

#[tokio::test]
async fn what_schedule_and_retention_come_to_is_shown_before_there_is_anything() {
    let words = [
        "--cron=0 */6 * * *",
        "--zone=Europe/Berlin",
        "--retention-tiers=daily=7,weekly=4",
    ];
    let shown = preview(&words).run().await.ok();
    for line in [
        "Schedule   0 */6 * * * (Europe/Berlin)",
        "Retention  the newest 6, daily=7,weekly=4",
        "6 newest, ",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(shown.lines().all(|line| line.len() <= 80), "{}", shown);
    let json = preview(&words).args(["-o", "json"]).run().await.json();
    assert_eq!(json["next"].as_array().map(Vec::len), Some(8));
    assert_eq!(json["stages"].as_array().map(Vec::len), Some(3));

    let few = preview(&["--interval-hours=1", "--days=1", "-o", "json"])
        .run()
        .await;
    few.fails_with_result(
        Kind::Config,
        &[
            "schedule and retention keep too little: they go back 6h at most",
            "hint: keep more",
        ],
    );
    let few: Value = serde_json::from_str(&few.out).unwrap();
    assert_documented("schedule preview", &[json, few]);
    let one = preview(&["--retention=1"]).run().await;
    one.fails_with_result(Kind::Config, &["there is never more than one snapshot"]);
}

#[tokio::test]
async fn what_could_be_restored_is_shown_hour_by_hour() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let save = |name| {
        Program::new(["save", "--name", name])
            .etcd(&etcd)
            .dir(dir.path())
    };
    save("here").run().await.ok();
    let coverage = |words: &[&str]| {
        Program::new(["coverage", "--days=2"])
            .args(words)
            .dir(dir.path())
    };
    let here = coverage(&[]).run().await.ok();
    assert!(here.contains(" L"), "{}", here);
    assert!(
        here.contains("Gaps longer than the schedule wants:"),
        "{}",
        here
    );
    save("both").bucket(&bucket).run().await.ok();
    let both = coverage(&[]).bucket(&bucket).run().await.ok();
    assert!(both.contains(" B"), "{}", both);
    assert!(both.lines().all(|line| line.len() <= 80), "{}", both);

    let json = coverage(&["-o", "json"]).bucket(&bucket).run().await.json();
    let hours = json["hours"].as_array().unwrap();
    assert_eq!(hours[hours.len() - 1]["remote"], "proved");
    let down = coverage(&["-o", "json"])
        .bucket(&Bucket::down().await)
        .run()
        .await;
    let unseen = serde_json::from_str(&down.out).unwrap();
    assert_documented("coverage", &[json, unseen]);
}

fn by_the_clock(etcd: &EtcdReal) -> Program {
    Program::new(["run", "--cron", "0 3 1 1 *", "--zone", "Europe/Berlin"]).etcd(etcd)
}

#[tokio::test]
async fn a_daemon_that_goes_by_the_clock_says_so_and_waits_for_it() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut daemon = by_the_clock(&etcd).dir(dir.path()).start();
    let line = daemon.next_line().await;
    assert!(line.contains("Initializing Rolling Backups"), "{line}");
    assert_eq!(field(&line, "cron"), "0 3 1 1 *");
    assert_eq!(field(&line, "zone"), "Europe/Berlin");
    daemon.line("Created backup").await;
    daemon.stop().await;
    let mut daemon = by_the_clock(&etcd).dir(dir.path()).start();
    daemon.line("Next backup is not due yet").await;
    assert_eq!(daemon.stop().await.count("Created backup"), 0);
}

#[tokio::test]
async fn a_plan_with_tiers_says_which_of_them_keeps_what() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut daemon = Program::new(["run", "--creation", "1s", "--retention", "2"])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    for _ in 0..2 {
        daemon.line("Verified snapshot").await;
    }
    daemon.stop().await;
    let manifests = fs::read_dir(dir.path()).unwrap().count();
    assert!(manifests >= 4, "{manifests}");
    let plan = Program::new(["prune", "--dry-run", "--retention-tiers=monthly=12"])
        .args(["--retention=1"])
        .dir(dir.path())
        .run()
        .await
        .ok();
    assert!(plan.contains("newest proved snapshot"), "{}", plan);
    assert!(
        plan.contains("not among the newest 1, nor the last of an hour"),
        "{}",
        plan
    );
}
