//! Whoever waits for pings hears of each attempt, and can hold up none. The address is a secret:
//! `program` and `running` search all that a program says.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::listener::{Heard, Listener, Mood};
use rollsnap_testkit::plain_http::ask;
use rollsnap_testkit::tls::Certificates;
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::program::{LIMIT, Program};
use crate::running::field;
use crate::world::{Bucket, etcd_and_dir};

/// A daemon that saves once an hour.
fn daemon(etcd: &EtcdReal, dir: &Path) -> Program {
    Program::new(["run", "--creation", "1h"])
        .etcd(etcd)
        .dir(dir)
        .env("RUST_LOG", "trace")
}

/// A daemon that pings there.
fn pinging(etcd: &EtcdReal, dir: &Path, listener: &Listener) -> Program {
    let url = format!("{}/ping/canary?create=1", listener.origin());
    daemon(etcd, dir).env("ROLLSNAP_PING_URL", url)
}

/// Every request, as its method and what is asked for.
fn words(heard: &[Heard]) -> Vec<String> {
    heard
        .iter()
        .map(|heard| format!("{} {}", heard.method, heard.uri))
        .collect()
}

const START: &str = "GET /ping/canary/start?create=1";
const SUCCESS: &str = "GET /ping/canary?create=1";
const FAIL: &str = "POST /ping/canary/fail?create=1";

#[tokio::test]
async fn an_attempt_is_pinged_at_its_begin_and_at_its_end() {
    let (etcd, dir) = etcd_and_dir().await;
    let listener = Listener::plain().await;
    let mut daemon = pinging(&etcd, dir.path(), &listener).start();
    daemon.line("Verified snapshot").await;
    assert_eq!(words(&listener.hears(2).await), [START, SUCCESS]);
    assert_eq!(daemon.stop().await.count("Cannot ping"), 0);
}

#[tokio::test]
async fn a_failed_attempt_is_pinged_with_the_words_of_the_log_and_so_is_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut etcd = EtcdReal::builder().start().await;
    etcd.stop().await;
    let listener = Listener::plain().await;
    let mut daemon = pinging(&etcd, dir.path(), &listener).start();
    let line = daemon.line("Backup failed").await;
    let heard = listener.hears(2).await;
    assert_eq!(words(&heard[..2]), [START, FAIL]);
    let told = &heard[1].body;
    let wanted = format!("Backup failed: {}\nhint: ", field(&line, "error"));
    assert!(told.starts_with(&wanted), "{told}");
    assert!(told.ends_with("attempt 1, tried again in 1s"), "{told}");
    etcd.restart().await;
    let is_success = |heard: &Heard| heard.uri == "/ping/canary?create=1";
    listener.hears_one(is_success).await;
    assert_eq!(daemon.stop().await.code, Some(0));
    let last = words(&listener.heard());
    assert_eq!(last[last.len() - 2..], [START, SUCCESS]);
}

/// The secret is in a file, which is read anew for each ping.
#[tokio::test]
async fn the_address_comes_from_a_file_over_tls_and_a_renewed_one_is_taken() {
    let (etcd, dir) = etcd_and_dir().await;
    let aside = tempfile::tempdir().unwrap();
    let files = Certificates::issue(aside.path(), &[]);
    let listener = Listener::tls(files.server_config()).await;
    let file = aside.path().join("url");
    let write = |word: &str| {
        let url = format!("{}/canary-{word}\n", listener.origin());
        fs::write(&file, url).unwrap();
    };
    write("old");
    let mut daemon = Program::new(["run", "--creation", "1s"])
        .etcd(&etcd)
        .dir(dir.path())
        .arg_path("--ping-url-file", &file)
        .env("SSL_CERT_FILE", files.ca())
        .start();
    daemon.line("Verified snapshot").await;
    let first = words(&listener.hears(2).await);
    assert_eq!(first[..2], ["GET /canary-old/start", "GET /canary-old"]);
    write("new");
    let deadline = Instant::now() + LIMIT;
    while !words(&listener.heard()).contains(&"GET /canary-new".to_owned()) {
        assert!(Instant::now() < deadline, "{:?}", words(&listener.heard()));
        daemon.next_line().await;
    }
    assert_eq!(daemon.stop().await.count("Cannot ping"), 0);
}

#[tokio::test]
async fn with_a_bucket_an_attempt_has_succeeded_once_its_copy_is_there() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut bucket = Bucket::down().await;
    let listener = Listener::plain().await;
    let mut daemon = pinging(&etcd, dir.path(), &listener)
        .bucket(&bucket)
        .start();
    let line = daemon.line("Uploads fail").await;
    let heard = listener.hears(2).await;
    assert_eq!(words(&heard), [START, FAIL]);
    let wanted = format!("Backup was not uploaded: {}", field(&line, "error"));
    assert!(heard[1].body.starts_with(&wanted), "{}", heard[1].body);
    bucket.start().await;
    daemon.line("Uploaded backup").await;
    assert_eq!(words(&listener.hears(3).await), [START, FAIL, SUCCESS]);
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn one_who_never_answers_holds_up_nothing_and_costs_no_stop() {
    let (etcd, dir) = etcd_and_dir().await;
    let listener = Listener::plain().await;
    listener.set(Mood::Silent);
    let mut daemon = Program::new(["run", "--creation", "1s"])
        .etcd(&etcd)
        .dir(dir.path())
        .env("ROLLSNAP_PING_URL", format!("{}/canary", listener.origin()))
        .start();
    let begun = Instant::now();
    daemon.lines(3, "Verified snapshot").await;
    assert!(
        begun.elapsed() < Duration::from_secs(9),
        "a ping is waited for"
    );
    assert_eq!(listener.heard().len(), 1, "one at a time");
    let stopping = Instant::now();
    assert_eq!(daemon.stop().await.code, Some(0));
    assert!(stopping.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn one_who_is_not_there_is_told_once_and_counted_until_he_is() {
    let (etcd, dir) = etcd_and_dir().await;
    let listener = Listener::plain().await;
    listener.set(Mood::Words(200, "OK (not found)"));
    let mut daemon = Program::new(["run", "--creation", "1s"])
        .etcd(&etcd)
        .dir(dir.path())
        .env("ROLLSNAP_HTTP", "127.0.0.1:0")
        .env("ROLLSNAP_PING_URL", format!("{}/canary", listener.origin()))
        .start();
    let door = daemon.line("Answering over HTTP").await;
    let door = field(&door, "location")
        .trim_start_matches("http://")
        .to_owned();
    let line = daemon.line("Cannot ping; backups go on without").await;
    assert!(line.contains(" level=warning "), "{line}");
    assert_eq!(field(&line, "error"), "ping: nobody there has this address");
    assert_eq!(field(&line, "kind"), "config");
    listener.hears(3).await;
    let metrics = ask(
        TcpStream::connect(door).await.unwrap(),
        "GET",
        "/metrics",
        &[],
        "",
    );
    let metrics = metrics.await.body;
    let counted = metrics
        .lines()
        .find_map(|line| line.strip_prefix(r#"rollsnap_notices_total{result="failed",to="ping"} "#))
        .unwrap_or_else(|| panic!("{metrics}"));
    assert!(counted.parse::<u32>().unwrap() >= 1, "{metrics}");
    listener.set(Mood::Says(200));
    daemon.line("Pings work again").await;
    assert_eq!(daemon.stop().await.count("Cannot ping"), 1);
}

#[tokio::test]
async fn a_reload_changes_who_is_pinged() {
    let (etcd, dir) = etcd_and_dir().await;
    let (one, other) = (Listener::plain().await, Listener::plain().await);
    let config = dir.path().join(".config.yml");
    let write = |listener: &Listener| {
        let text = format!(
            "creation: 1s\nretention: 1h\nping_url: {}/canary\n",
            listener.origin()
        );
        fs::write(&config, text).unwrap();
    };
    write(&one);
    let mut daemon = Program::new(["run"])
        .etcd(&etcd)
        .dir(dir.path())
        .arg_path("--config", &config)
        .start();
    one.hears(2).await;
    write(&other);
    daemon.signal(Signal::HUP);
    daemon.line("Initializing Rolling Backups").await;
    other.hears(2).await;
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn an_address_is_shown_nowhere_and_a_wrong_one_is_refused_without_its_words() {
    let config = |word: &str| Program::new(["config", word]).args(["--bucket-name", "b"]);
    let right = config("show").env("ROLLSNAP_PING_URL", "https://hc-ping.com/canary");
    let shown = right.run().await.ok();
    let row = shown.lines().find(|line| line.starts_with("ping-url"));
    let row = row.unwrap_or_else(|| panic!("{shown}"));
    assert!(
        row.contains("***") && row.contains("ROLLSNAP_PING_URL"),
        "{row}"
    );
    let wrong = config("check").env("ROLLSNAP_PING_URL", "hc-ping.com/canary");
    let words = ["ROLLSNAP_PING_URL: is no address"];
    wrong.run().await.fails_with_result(Kind::Config, &words);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    fs::write(&file, "ftp://canary\n").unwrap();
    let wrong = config("check").arg_path("--ping-url-file", &file);
    let words = ["is no http:// or https:// address"];
    wrong.run().await.fails_with_result(Kind::Config, &words);
}
