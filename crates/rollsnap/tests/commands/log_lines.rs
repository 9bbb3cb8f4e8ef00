//! The lines that people's dashboards and greps have known for ten years, and the other formats.

use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::tls::Certificates;
use serde_json::Value;

use crate::program::Program;
use crate::running::{field, fields};
use crate::world::assert_nothing_half_made;

#[tokio::test]
async fn the_first_lines_have_the_shape_of_the_documentation() {
    let (etcd, dir) = (EtcdReal::builder().start().await, dir());
    let mut daemon = Program::new(["run", "--creation", "1m", "--retention", "24h"])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    let first = daemon.next_line().await;
    let second = daemon.next_line().await;
    let end = daemon.stop().await;
    assert_eq!(end.count("Created backup"), 1);

    let (time, rest) = first.split_at(28);
    assert!(
        time.starts_with("time=\"20") && time.ends_with("Z\" "),
        "{first}"
    );
    assert_eq!(
        rest,
        "level=info msg=\"Initializing Rolling Backups\" creation=1m0s retention=24h0m0s"
    );
    let keys: Vec<_> = fields(&second).into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        [
            "time", "level", "msg", "name", "runtime", "size", "revision", "member", "digest"
        ]
    );
    let name = field(&second, "name");
    assert!(second.contains(&format!(
        " level=info msg=\"Created backup\" name=\"{name}\" runtime="
    )));
    let time = name.strip_suffix("_etcd").expect("a name of old");
    assert_eq!(time.len(), "2018-05-04T18:40:16Z".len(), "{name}");
    let runtime = field(&second, "runtime").trim_end_matches(['m', 's']);
    assert!(
        runtime.parse::<f64>().is_ok_and(|took| took > 0.0),
        "{second}"
    );
    assert!(dir.path().join(name).exists());
    assert_nothing_half_made(dir.path());
}

#[tokio::test]
async fn an_etcd_3_4_behind_mutual_tls_is_saved_the_same() {
    let (ssl, dir) = (self::dir(), dir());
    let certificates = Certificates::issue(ssl.path(), &[]);
    let etcd = EtcdReal::builder().version(EtcdVersion::V3_4);
    let etcd = etcd.tls(&certificates).start().await;
    let mut daemon = Program::new(["run", "--creation", "1h"])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    let line = daemon.line("Created backup").await;
    assert_eq!(field(&line, "member"), etcd.name());
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn json_lines_have_the_same_keys_in_the_same_order() {
    let (etcd, dir) = (EtcdReal::builder().start().await, dir());
    let mut daemon = Program::new(["run", "--log-format", "json", "--creation", "1h"])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    let first = daemon.next_line().await;
    let second = daemon.next_line().await;
    daemon.stop().await;
    assert!(first.starts_with("{\"time\":\"20"), "{first}");
    assert!(
        first.contains(
            "\"level\":\"info\",\"msg\":\"Initializing Rolling Backups\",\"creation\":\"1h0m0s\""
        ),
        "{first}"
    );
    let line: Value = serde_json::from_str(&second).unwrap();
    assert_eq!(line["msg"], "Created backup");
    assert!(line["name"].as_str().unwrap().ends_with("_etcd"));
    assert!(
        line["size"].is_u64() && line["revision"].is_u64(),
        "numbers stay numbers"
    );
}

#[tokio::test]
async fn rust_log_rules_what_is_said() {
    let (etcd, dir) = (EtcdReal::builder().start().await, dir());
    let run = |directives: &str| {
        Program::new(["save"])
            .etcd(&etcd)
            .dir(dir.path())
            .env("RUST_LOG", directives)
            .run()
    };
    run("off").await.ok();
    let wrong = run("rollsnap=shout").await;
    wrong.fails(
        rollsnap_engine::Kind::Config,
        &["RUST_LOG", "rollsnap=debug"],
    );

    let mut quiet = Program::new(["run", "--creation", "1s"])
        .etcd(&etcd)
        .dir(dir.path())
        .env("RUST_LOG", "rollsnap=error")
        .env("ROLLSNAP_ENDPOINTS", "127.0.0.1:1")
        .start();
    let first = quiet.next_line().await;
    assert!(
        first.contains("level=error msg=\"Backup failed\""),
        "{first}"
    );
    quiet.stop().await;
}

#[tokio::test]
async fn debug_is_taken_as_a_flag_and_from_the_old_variable() {
    let dir = dir();
    for program in [
        Program::new(["config", "show", "--debug", "-o", "json"]),
        Program::new(["config", "show", "-o", "json"]).env("RANCHER_DEBUG", "true"),
    ] {
        let shown = program.dir(dir.path()).run().await.json();
        let rows = shown["settings"].as_array().unwrap();
        let debug = rows.iter().find(|row| row["name"] == "debug").unwrap();
        assert_eq!(debug["value"], "true");
    }
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}
