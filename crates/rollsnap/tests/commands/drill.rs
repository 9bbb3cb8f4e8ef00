//! `drill`: a restore rehearsed from here and from the bucket, and nothing left of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::program::{LIMIT, Program};
use crate::running::field;
use crate::world::{Bucket, a_verified_snapshot_stands, etcd_and_dir, names, snapshots};

fn etcd() -> PathBuf {
    EtcdVersion::V3_5.server()
}

fn manifest(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A program that says where it runs and then hangs.
fn hanging(dir: &Path) -> (PathBuf, PathBuf) {
    let (program, pid) = (dir.join("etcd"), dir.join("pid"));
    let text = format!("#!/bin/sh\necho $$ > {}\nexec sleep 1000\n", pid.display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (program, pid)
}

/// The number of the process, once it runs.
async fn started(pid: &Path) -> String {
    let deadline = Instant::now() + LIMIT;
    loop {
        match fs::read_to_string(pid) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => assert!(Instant::now() < deadline, "it does not start"),
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for the end of a process, however it is waited for by others.
async fn ends(pid: &str) {
    let deadline = Instant::now() + LIMIT;
    let is_there = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    while is_there() {
        assert!(Instant::now() < deadline, "{pid} lives");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_newest_is_drilled_and_its_manifest_tells_so() {
    let (member, dir) = etcd_and_dir().await;
    member.fill(1 << 20).await;
    for name in ["first", "second"] {
        let save = Program::new(["save", "--name", name]);
        save.etcd(&member).dir(dir.path()).run().await.ok();
    }
    let drill = Program::new(["drill", "-o", "json"]).arg_path("--boot", &etcd());
    let done = drill.dir(dir.path()).run().await.json();
    assert_eq!(
        (&done["name"], &done["result"]),
        (&"second".into(), &"held".into())
    );
    assert_eq!(done["boot"]["etcd_version"], "3.5.1");
    assert_eq!(done["recorded"], true);
    assert!(done["keys"].as_u64().unwrap() > 0, "{done}");

    let told = manifest(&dir.path().join("second.manifest.json"));
    assert_eq!(told["drill"]["result"], "held");
    assert_eq!(told["drill"]["boot"]["etcd_version"], "3.5.1");
    assert!(told["verification"].is_object(), "{told}");
    let list = Program::new(["list", "-o", "json"]).dir(dir.path());
    let list = list.run().await.json();
    assert_eq!(list["snapshots"][1]["drill_result"], "held");
    let list = Program::new(["list"]).dir(dir.path()).run().await;
    assert!(list.ok().contains("DRILLED"));
    let status = Program::new(["status", "second", "-o", "json"]);
    let status = status.dir(dir.path()).run().await.json();
    assert_eq!(status["drill"]["result"], "held");
    let status = Program::new(["status", "second"]).dir(dir.path());
    assert!(status.run().await.ok().contains("with etcd 3.5.1: held"));
    assert_eq!(snapshots(dir.path()), ["first", "second"]);
}

#[tokio::test]
async fn the_bucket_s_copy_is_drilled_without_any_directory() {
    let (member, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let save = Program::new(["save", "--name", "kept", "--compression", "zstd"]);
    save.etcd(&member)
        .dir(dir.path())
        .bucket(&bucket)
        .run()
        .await
        .ok();
    let scratch = tempfile::tempdir().unwrap();
    let drill = Program::new(["drill", "--from-s3"]).arg_path("--scratch", scratch.path());
    let drill = drill.bucket(&bucket).env("ROLLSNAP_DIR", "/nowhere");
    let said = drill.run().await.ok();
    assert!(said.contains("kept.zst: held"), "{said}");
    let told = manifest(&bucket.object("kept.manifest.json"));
    assert_eq!(told["drill"]["result"], "held");
    assert!(told["drill"]["boot"].is_null());
    // The other copy is another.
    let here = manifest(&dir.path().join("kept.manifest.json"));
    assert!(here["drill"].is_null());
    assert!(names(scratch.path()).is_empty());
}

#[tokio::test]
async fn a_drill_of_what_is_not_there_speaks_of_a_drill() {
    let (_member, dir) = etcd_and_dir().await;
    let drill = Program::new(["drill"]).dir(dir.path()).run().await;
    drill.fails(Kind::Usage, &["drill: there is no such snapshot in "]);
    let bucket = Bucket::up().await;
    let drill = Program::new(["drill", "gone", "--from-s3"]).dir(dir.path());
    let told = drill.bucket(&bucket).run().await;
    told.fails(Kind::Usage, &["drill gone: there is no such snapshot"]);
}

#[tokio::test]
async fn a_drill_that_fails_has_an_exit_code_and_is_written_down() {
    let (member, dir) = etcd_and_dir().await;
    let save = Program::new(["save", "--name", "kept"]);
    save.etcd(&member).dir(dir.path()).run().await.ok();
    // No etcd at all, but a program.
    let drill = Program::new(["drill", "kept", "--boot", "/bin/false"]).dir(dir.path());
    let failed = drill.run().await;
    failed.fails_with_result(Kind::Corrupt, &["drill ", "etcd ended before it answered"]);
    let path = dir.path().join("kept.manifest.json");
    assert_eq!(manifest(&path)["drill"]["result"], "failed");

    let file = dir.path().join("kept");
    let mut bytes = fs::read(&file).unwrap();
    bytes[9000] ^= 1;
    fs::write(&file, bytes).unwrap();
    let drill = Program::new(["drill", "kept"]).dir(dir.path());
    let failed = drill.run().await;
    failed.fails_with_result(Kind::Corrupt, &["the digest at its end does not fit it"]);
    assert_eq!(manifest(&path)["drill"]["result"], "corrupt");

    let drill = Program::new(["drill", "kept", "--boot", "/nowhere"]).dir(dir.path());
    drill.run().await.fails_with_result(Kind::Corrupt, &[]);
    let drill = Program::new(["drill", "kept", "--boot-timeout", "soon"]);
    let drill = drill.dir(dir.path()).run().await;
    drill.fails(Kind::Usage, &["--boot-timeout soon: is \"soon\""]);
    assert_eq!(names(dir.path()).len(), 3, "{:?}", names(dir.path()));
}

#[tokio::test]
async fn what_a_drill_found_broken_is_restored_by_its_name_alone() {
    let (member, dir) = etcd_and_dir().await;
    for name in ["first", "second"] {
        let save = Program::new(["save", "--name", name]);
        save.etcd(&member).dir(dir.path()).run().await.ok();
    }
    let second = dir.path().join("second");
    let mut bytes = fs::read(&second).unwrap();
    bytes[9000] ^= 1;
    fs::write(&second, bytes).unwrap();
    let target = dir.path().join("etcd");
    let plan = async || {
        let plan = Program::new(["restore", "latest", "--plan", "-o", "json"]);
        let plan = plan.arg_path("--data-dir", &target).dir(dir.path());
        plan.run().await
    };
    // Whoever leaves the digest out has not shown what is to be written down.
    let careless = Program::new(["drill", "second", "--skip-hash-check"]).dir(dir.path());
    careless.run().await;
    let told = manifest(&dir.path().join("second.manifest.json"));
    assert!(told["drill"].is_null(), "{told}");
    plan().await.fails(Kind::Corrupt, &[]);

    let drill = Program::new(["drill", "second"]).dir(dir.path());
    drill.run().await.fails_with_result(Kind::Corrupt, &[]);
    assert_eq!(plan().await.json()["plan"]["snapshot"]["name"], "first");
}

#[tokio::test]
async fn a_stop_leaves_nothing_and_a_kill_nothing_after_the_next() {
    let (member, dir) = etcd_and_dir().await;
    let save = Program::new(["save", "--name", "kept"]);
    save.etcd(&member).dir(dir.path()).run().await.ok();
    let before = names(dir.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let (program, pid) = hanging(elsewhere.path());
    let drill = || {
        let drill = Program::new(["drill"]).arg_path("--boot", &program);
        drill.dir(dir.path()).start()
    };
    let stopped = drill();
    let server = started(&pid).await;
    stopped.signal(Signal::TERM);
    let said = stopped.end().await;
    assert_eq!(
        said.code,
        Some(i32::from(Kind::Canceled.exit_code())),
        "{said:?}"
    );
    ends(&server).await;
    assert_eq!(names(dir.path()), before);

    fs::remove_file(&pid).unwrap();
    let killed = drill();
    let server = started(&pid).await;
    killed.signal(Signal::KILL);
    killed.end().await;
    // It left a server that nobody waits for, and a whole data directory.
    assert!(Path::new("/proc").join(&server).exists());
    assert_ne!(names(dir.path()), before);
    Program::new(["drill"]).dir(dir.path()).run().await.ok();
    ends(&server).await;
    assert_eq!(names(dir.path()), before);
}

#[tokio::test]
async fn the_daemon_drills_by_itself_and_leaves_nothing_when_it_stops() {
    let member = EtcdReal::builder().version(EtcdVersion::V3_4).start().await;
    let dir = tempfile::tempdir().unwrap();
    let daemon = || {
        let run = Program::new(["run", "--creation", "1h", "--drill", "7days"]);
        run.etcd(&member).dir(dir.path())
    };
    let mut running = daemon().arg_path("--drill-boot", &etcd()).start();
    let first = running.line("Restores are rehearsed").await;
    assert!(first.contains("every=168h0m0s"), "{first}");
    let line = running.line("Rehearsed a restore").await;
    assert_eq!(field(&line, "etcd"), "3.5.1");
    let name = field(&line, "name").to_owned();
    a_verified_snapshot_stands(dir.path(), &name).await;
    let told = manifest(&dir.path().join(format!("{name}.manifest.json")));
    assert_eq!(told["drill"]["result"], "held");
    assert_eq!(running.stop().await.code, Some(0));
    // The next knows of it.
    let mut running = daemon().start();
    let line = running.line("Restores are rehearsed").await;
    assert_eq!(field(&line, "last"), name);
    assert_eq!(running.stop().await.code, Some(0));

    // A stop in the middle of a drill.
    fs::remove_file(dir.path().join(format!("{name}.manifest.json"))).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (program, pid) = hanging(elsewhere.path());
    let running = daemon().arg_path("--drill-boot", &program).start();
    let server = started(&pid).await;
    assert_eq!(running.stop().await.code, Some(0));
    ends(&server).await;
    let names = names(dir.path());
    assert!(!names.iter().any(|name| name.starts_with('.')), "{names:?}");
}
