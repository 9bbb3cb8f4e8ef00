//! Secrets are given in three ways and shown in none: `program` and `running` search all that a
//! program says.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::s3_peer::{ACCESS_KEY, Fault, Rule, S3Peer, SECRET_KEY};
use tokio::time::Instant;

use crate::program::{LIMIT, Program};
use crate::world::{Bucket, etcd_and_dir};

const PASSWORD: &str = "canary-of-etcd";

fn save(etcd: &EtcdReal, dir: &Path, bucket: &Bucket, name: &str) -> Program {
    Program::new(["save", "--name", name])
        .args([
            "--s3-endpoint",
            &bucket.endpoint(),
            "--bucket-name",
            Bucket::NAME,
        ])
        .etcd(etcd)
        .dir(dir)
        .env("RUST_LOG", "trace")
}

#[tokio::test]
async fn a_secret_key_is_never_printed_however_it_is_given_and_however_much_is_logged() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let file = dir.path().join(".secret");
    fs::write(&file, format!("{SECRET_KEY}\n")).unwrap();
    let config = dir.path().join(".config.yml");
    let keys = format!("{{access_key: {ACCESS_KEY}, secret_key: {SECRET_KEY}}}");
    fs::write(
        &config,
        format!("backup_config: {{s3backupconfig: {keys}}}\n"),
    )
    .unwrap();
    let ways = [
        save(&etcd, dir.path(), &bucket, "flag").args([
            "--access-key",
            ACCESS_KEY,
            "--secret-key",
            SECRET_KEY,
        ]),
        save(&etcd, dir.path(), &bucket, "env")
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        save(&etcd, dir.path(), &bucket, "file")
            .args(["--access-key", ACCESS_KEY])
            .arg_path("--secret-key-file", &file),
        save(&etcd, dir.path(), &bucket, "config").arg_path("--config", &config),
    ];
    for way in ways {
        let outcome = way.run().await;
        assert!(
            outcome
                .err
                .contains("level=debug msg=Setting name=secret-key"),
            "there is something to see"
        );
        assert!(outcome.ok().contains("copied to s3://"));
    }
}

#[tokio::test]
async fn a_refused_secret_is_not_named_either() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    for wrong in ["canary-but-wrong", "canary but wrong"] {
        let outcome = save(&etcd, dir.path(), &bucket, "n")
            .args(["--access-key", ACCESS_KEY, "--secret-key", wrong])
            .run()
            .await;
        assert_ne!(outcome.code, Some(0));
    }
    let show = Program::new([
        "config",
        "show",
        "--secret-key",
        SECRET_KEY,
        "--access-key",
        ACCESS_KEY,
    ])
    .args([
        "--bucket-name",
        Bucket::NAME,
        "--user",
        "root:canary-of-etcd",
    ]);
    let shown = show.run().await;
    shown.ok();
}

#[tokio::test]
async fn an_etcd_password_is_taken_three_ways_and_never_printed() {
    let dir = tempfile::tempdir().unwrap();
    let mut etcd = EtcdReal::builder().start().await;
    etcd.enable_auth(PASSWORD).await;
    let file = dir.path().join(".password");
    fs::write(&file, PASSWORD).unwrap();
    let save = |name: &str| {
        let save = Program::new(["save", "--name", name])
            .etcd(&etcd)
            .dir(dir.path());
        save.env("RUST_LOG", "trace")
    };
    for way in [
        save("flag").args(["--user", &format!("root:{PASSWORD}")]),
        save("env").env("ETCDCTL_USER", format!("root:{PASSWORD}")),
        save("file")
            .args(["--user", "root"])
            .arg_path("--password-file", &file),
    ] {
        let outcome = way.run().await;
        outcome.ok();
    }
    let wrong = save("wrong")
        .args(["--user", "root:canary-but-wrong"])
        .run()
        .await;
    wrong.fails_with_result(Kind::Denied, &["save wrong: ", "hint: "]);
}

#[tokio::test]
async fn a_secret_of_the_command_line_leaves_the_process_list() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let mut daemon = Program::new(["run", "--secret-key", SECRET_KEY, "--creation", "1h"])
        .args(["--access-key", ACCESS_KEY, "--bucket-name", Bucket::NAME])
        .args(["--s3-endpoint", &bucket.endpoint()])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    let path = format!("/proc/{}/cmdline", daemon.pid());
    let deadline = Instant::now() + LIMIT;
    loop {
        let line = fs::read_to_string(&path).unwrap().replace('\0', " ");
        if line.contains("run") && !line.contains(SECRET_KEY) {
            assert!(
                !line.contains(ACCESS_KEY) && line.contains("--creation 1h"),
                "{line}"
            );
            break;
        }
        assert!(Instant::now() < deadline, "the secret stays in {line:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    daemon.line("Uploaded backup").await;
    assert_eq!(daemon.stop().await.code, Some(0));
}

/// Every file below a directory, whole.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found
}

/// Tickets of uploads among them: the daemon is stopped while one is under way.
#[tokio::test]
async fn no_file_that_is_written_holds_a_secret_here_or_in_the_bucket() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.fill(18 << 20).await;
    let peer = S3Peer::start(Bucket::NAME).await;
    let stall = Rule::on(Method::PUT, Fault::Stall).with_query("partNumber=2");
    peer.script(stall.times(usize::MAX));
    let mut daemon = Program::new(["run", "--creation", "1h"])
        .etcd(&etcd)
        .dir(dir.path())
        .bucket_at(&peer.endpoint())
        .start();
    daemon.line("Created backup").await;
    peer.comes(&Method::PUT, "partNumber=2").await;
    assert_eq!(daemon.stop().await.code, Some(0));
    let written = [files(dir.path()), files(peer.dir())].concat();
    let is_ticket = |(path, _): &(PathBuf, _)| path.extension().is_some_and(|it| it == "upload");
    assert!(written.iter().any(is_ticket), "there is something to see");
    for (path, bytes) in written {
        let holds = bytes.windows(6).any(|window| window == b"canary");
        assert!(!holds, "{} holds a secret", path.display());
    }
}
