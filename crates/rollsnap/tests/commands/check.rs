//! `check`: the set-up tried out, part by part; and the daemon's own look at its start.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::mount::Mount;
use rollsnap_testkit::s3_real::Rclone;
use rollsnap_testkit::tls::Certificates;
use serde_json::Value;

use crate::json::assert_documented;
use crate::program::{Outcome, Program};
use crate::world::{Bucket, a_verified_snapshot_stands, etcd_and_dir, names, snapshots};

fn check(dir: &Path) -> Program {
    Program::new(["check", "-o", "json"]).dir(dir)
}

/// The document of a check, whatever its exit code.
fn document(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.out).unwrap()
}

/// The row of a check.
fn row<'a>(document: &'a Value, part: &str, what: &str) -> &'a Value {
    let rows = document["checks"].as_array().unwrap();
    let found = rows
        .iter()
        .find(|row| row["part"] == part && row["check"] == what);
    found.unwrap_or_else(|| panic!("{part} {what} is not told: {document:#}"))
}

#[tokio::test]
async fn a_set_up_that_is_well_holds_from_end_to_end_and_nothing_is_left_behind() {
    for version in EtcdVersion::ALL {
        let keys = tempfile::tempdir().unwrap();
        let certificates = Certificates::issue(keys.path(), &[]);
        let builder = EtcdReal::builder().version(version).tls(&certificates);
        let etcd = builder.start().await;
        let (dir, bucket) = (tempfile::tempdir().unwrap(), Bucket::up().await);
        let told = check(dir.path())
            .etcd(&etcd)
            .bucket(&bucket)
            .run()
            .await
            .json();
        assert_eq!(told["failed"], 0, "{told:#}");
        for (part, what) in [
            ("etcd", "answers"),
            ("etcd", "version"),
            ("etcd", "leader"),
            ("etcd", "health"),
            ("etcd", "alarms"),
            ("etcd", "certificate"),
            ("etcd", "client certificate"),
            ("etcd", "snapshot"),
            ("directory", "write"),
            ("directory", "free space"),
            ("directory", "room"),
            ("directory", "clock"),
            ("bucket", "credentials"),
            ("bucket", "list"),
            ("bucket", "put"),
            ("bucket", "multipart upload"),
            ("bucket", "delete"),
        ] {
            assert_eq!(row(&told, part, what)["result"], "held", "{told:#}");
        }
        let rows = told["checks"].as_array().unwrap();
        let places = rows
            .iter()
            .map(|row| format!("{} {}", row["location"], row["check"]));
        let different: BTreeSet<_> = places.collect();
        assert_eq!(
            different.len(),
            rows.len(),
            "something is told twice: {told:#}"
        );
        assert_eq!(row(&told, "etcd", "version")["message"], version.number());
        assert!(snapshots(dir.path()).is_empty() && bucket.names().is_empty());
        assert!(names(&dir.path().join(".rollsnap/spool")).is_empty());

        let text = Program::new(["check"])
            .dir(dir.path())
            .etcd(&etcd)
            .bucket(&bucket);
        let text = text.run().await.ok();
        assert!(text.contains("\n  ✓ put "), "{text}");
        let location = format!("\nbucket s3://{}/{}\n", Bucket::NAME, Bucket::FOLDER);
        assert!(text.contains(&location), "{text}");
    }
}

#[tokio::test]
async fn each_part_is_told_whatever_is_wrong_with_the_others() {
    let (dir, bucket) = (Mount::tmpfs("1m"), Bucket::up().await);
    fs::create_dir(dir.path().join(".rollsnap")).unwrap();
    dir.fill();
    let down = check(dir.path()).bucket(&bucket);
    let down = down.args(["--endpoints", "http://127.0.0.1:1"]).run().await;
    down.fails_with_result(Kind::Source, &["check: ", " failed", "hint: "]);
    let told = document(&down);
    let answers = row(&told, "etcd", "answers");
    assert_eq!(answers["kind"], "source");
    assert!(
        answers["message"]
            .as_str()
            .unwrap()
            .contains("connection refused")
    );
    assert!(
        answers["hint"]
            .as_str()
            .unwrap()
            .contains("is etcd running")
    );
    assert_eq!(row(&told, "directory", "write")["kind"], "full");
    assert_eq!(row(&told, "directory", "file system")["result"], "weak");
    assert_eq!(row(&told, "bucket", "list")["result"], "held");

    let (etcd, whole) = etcd_and_dir().await;
    let without = check(whole.path()).etcd(&etcd).run().await.json();
    assert_eq!(row(&without, "bucket", "bucket")["result"], "untried");
    assert_documented("check", &[told, without]);
}

#[tokio::test]
async fn the_exit_code_is_that_of_the_first_that_failed() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let check = || check(dir.path()).etcd(&etcd).bucket(&bucket);
    let none = check().args(["--bucket-name", "nonesuch"]).run().await;
    none.fails_with_result(Kind::Config, &["check: 1 of "]);
    let missing = document(&none);
    let list = row(&missing, "bucket", "list");
    assert_eq!(list["result"], "failed");
    assert!(
        list["message"]
            .as_str()
            .unwrap()
            .contains("bucket nonesuch does not exist")
    );

    let wrong = check().env("ROLLSNAP_SECRET_KEY", "wrong").run().await;
    wrong.fails_with_result(Kind::Denied, &["check: 1 of "]);
    let config = check().args(["--upload-rate", "5Mb"]).run().await;
    config.fails(
        Kind::Config,
        &["--upload-rate: is \"5Mb\"; bits are no unit here"],
    );
    let gone = Program::new(["check", "--dir", "/nope/nope"])
        .etcd(&etcd)
        .run()
        .await;
    gone.fails_with_result(Kind::Config, &["check: 1 of "]);
    assert!(gone.out.contains("✗ open"), "{}", gone.out);
}

#[tokio::test]
async fn one_of_two_members_that_is_down_is_a_weakness() {
    let (etcd, dir) = etcd_and_dir().await;
    let endpoints = format!("http://127.0.0.1:1,{}", etcd.endpoint());
    let told = check(dir.path())
        .args(["--endpoints", &endpoints])
        .run()
        .await
        .json();
    let answers = row(&told, "etcd", "answers");
    assert_eq!(answers["result"], "weak");
    let message = answers["message"].as_str().unwrap();
    assert!(message.ends_with("another member is well"), "{message}");
    assert_eq!(row(&told, "etcd", "snapshot")["result"], "held");
}

#[tokio::test]
async fn the_harmless_half_writes_nothing_anywhere() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let harmless = check(dir.path())
        .args(["--harmless"])
        .etcd(&etcd)
        .bucket(&bucket);
    let told = harmless.run().await.json();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(row(&told, "bucket", "list")["result"], "held");
    let rows = told["checks"].as_array().unwrap();
    let tried = |what| rows.iter().any(|row| row["check"] == what);
    assert!(
        !tried("write") && !tried("put") && !tried("snapshot"),
        "{told:#}"
    );
}

#[tokio::test]
async fn the_daemon_looks_after_its_first_save_and_tells_in_a_line_what_held() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let run = || {
        Program::new(["run", "--creation", "1h"])
            .etcd(&etcd)
            .dir(dir.path())
    };
    let mut daemon = run().bucket(&bucket).start();
    let line = daemon.line("Checked the set-up").await;
    assert!(
        line.contains("level=info") && line.contains(" failed=0"),
        "{line}"
    );
    let before = daemon
        .seen
        .iter()
        .filter(|line| line.contains("Created backup"));
    assert_eq!(before.count(), 1, "{:?}", daemon.seen);
    let name = snapshots(dir.path()).remove(0);
    a_verified_snapshot_stands(dir.path(), &name).await;
    assert_eq!(daemon.stop().await.count("does not hold"), 0);

    // Nothing is due now: it looks at once.
    let mut again = run().bucket_at("http://127.0.0.1:1").start();
    let line = again.line("The set-up does not hold").await;
    assert!(
        line.contains("level=warning") && line.contains(" part=bucket "),
        "{line}"
    );
    assert!(
        line.contains("check=connection") && line.contains("kind=store"),
        "{line}"
    );
    again.line("Checked the set-up").await;
    assert_eq!(again.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_bucket_that_answers_nobody_holds_up_neither_save_nor_stop() {
    let (etcd, dir) = etcd_and_dir().await;
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", deaf.local_addr().unwrap());
    let mut daemon = Program::new(["run", "--creation", "1s"])
        .etcd(&etcd)
        .dir(dir.path());
    daemon = daemon.bucket_at(&endpoint);
    let mut daemon = daemon.start();
    daemon.lines(3, "Created backup").await;
    assert_eq!(daemon.stop().await.count("Checked the set-up"), 0);
}

#[tokio::test]
async fn whoever_trusts_any_server_is_warned_at_each_start() {
    let ssl = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(ssl.path(), &[]);
    let server = Rclone::start(Some(&certificates)).await;
    let (etcd, dir) = etcd_and_dir().await;
    let words = "The bucket's certificate is not checked";
    let insecure = |verb: &[&str]| {
        let program = Program::new(verb).args(["--s3-insecure-skip-verify"]);
        program.dir(dir.path()).bucket_at(server.endpoint())
    };
    let list = insecure(&["list"]).run().await;
    assert!(
        list.err.contains(words) && list.err.contains("by=\"flag --s3-insecure"),
        "{}",
        list.err
    );
    assert_eq!(list.err.matches(words).count(), 1);
    list.ok();
    let mut daemon = insecure(&["run", "--creation", "1h"]).etcd(&etcd).start();
    let line = daemon.line(words).await;
    assert!(line.contains("level=warning"), "{line}");
    daemon.line("Uploaded backup").await;
    assert_eq!(daemon.stop().await.count(words), 1);
}

#[tokio::test]
async fn a_full_check_beside_a_daemon_names_it_and_disturbs_nothing() {
    let (etcd, dir) = etcd_and_dir().await;
    let run = Program::new(["run", "--creation", "1h"]).etcd(&etcd);
    let mut daemon = run.dir(dir.path()).start();
    daemon.line("Created backup").await;
    let told = check(dir.path()).etcd(&etcd).run().await.json();
    let owner = row(&told, "directory", "owner")["message"]
        .as_str()
        .unwrap();
    let words = format!("the daemon here is process {} on ", daemon.pid());
    assert!(owner.starts_with(&words), "{owner}");
    assert_eq!(daemon.stop().await.code, Some(0));
}
