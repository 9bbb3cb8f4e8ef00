//! Drills: real servers on what was restored, servers that are none, and nothing left of any.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::DateTime;
use flate2::read::GzDecoder;
use rollsnap_engine::Kind;
use rollsnap_engine::drill::{Boot, DrillError, Drilled, Ears, Order, Step, drill, sweep};
use rollsnap_engine::manifest::Outcome;
use rollsnap_testkit::etcd_real::EtcdVersion;
use rollsnap_testkit::mount::Mount;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::{block_in_place, spawn_blocking};

use crate::{names, order as restore_order, run as restore, snapshot};

const LIMIT: Duration = Duration::from_secs(60);

/// What a server of this version sent.
fn fixture(name: &str) -> Vec<u8> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../snapfile/testdata");
    let file = fs::File::open(Path::new(dir).join(format!("{name}.db.gz"))).unwrap();
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

fn order(scratch: &Path, boot: impl Into<Option<Boot>>) -> Order {
    Order {
        scratch: scratch.to_owned(),
        boot: boot.into(),
        skip_hash_check: false,
        at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
    }
}

fn with(program: impl Into<PathBuf>, limit: Duration) -> Boot {
    let program = program.into();
    Boot { program, limit }
}

/// Drills on a thread for blocking work.
async fn run(file: Vec<u8>, order: Order) -> Result<Drilled, DrillError> {
    run_until(file, order, |_| false).await
}

/// The same, ended as soon as it comes to a step that `ends` it.
async fn run_until(
    file: Vec<u8>,
    order: Order,
    ends: impl Fn(Step) -> bool + Send + Sync + 'static,
) -> Result<Drilled, DrillError> {
    let runtime = Handle::current();
    let stopped = AtomicBool::new(false);
    let work = spawn_blocking(move || {
        let ears = Ears {
            stop: &|| stopped.load(Ordering::Relaxed),
            tell: &|step, _, _| stopped.store(ends(step), Ordering::Relaxed),
        };
        drill(&&file[..], &order, &runtime, &ears)
    });
    work.await.unwrap()
}

/// A program that is a shell script.
fn script(dir: &TempDir, text: &str) -> PathBuf {
    let path = dir.path().join("etcd");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The process that wrote its number there, if it lives.
fn living(pid: &Path) -> Option<String> {
    let pid = fs::read_to_string(pid).unwrap().trim().to_owned();
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let is_zombie = state.contains(") Z ");
    (!is_zombie).then_some(pid)
}

async fn boots_of(version: EtcdVersion) {
    let scratch = TempDir::new().unwrap();
    for name in [
        "3.4.23",
        "3.4.23.auth",
        "3.5.1",
        "3.5.1.auth",
        "3.6.14",
        "3.7.1",
    ] {
        let boot = with(version.server(), LIMIT);
        let done = run(fixture(name), order(scratch.path(), boot)).await;
        let done = done.unwrap();
        assert_eq!(
            (done.result, &done.finding),
            (Outcome::Held, &None),
            "{name}"
        );
        let boot = done.boot.expect("a server answered");
        assert!(boot.etcd_version == version.number(), "{boot:?}");
        assert!(boot.took > Duration::ZERO && done.took > Duration::ZERO);
        assert!(done.keys.unwrap() > 0 && done.revision.unwrap() > 1);
        assert_eq!(names(scratch.path()), [""; 0], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_3_4_goes_on_with_snapshots_of_every_version() {
    boots_of(EtcdVersion::V3_4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_3_5_goes_on_with_snapshots_of_every_version() {
    boots_of(EtcdVersion::V3_5).await;
}

#[tokio::test]
async fn without_a_server_what_was_restored_is_compared() {
    let scratch = TempDir::new().unwrap();
    let done = run(snapshot(), order(scratch.path(), None)).await.unwrap();
    assert_eq!((done.result, done.boot), (Outcome::Held, None));
    assert_eq!(names(scratch.path()), [""; 0]);
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_restored_is_corrupt() {
    let scratch = TempDir::new().unwrap();
    let mut other_digest = snapshot();
    other_digest[9000] ^= 1;
    // As a member sends what is broken on its own disk: the digest fits.
    let mut broken_page = snapshot();
    let pages = broken_page.len() - 32;
    broken_page[3 * 4096 + 8] ^= 0x40;
    let digest = Sha256::digest(&broken_page[..pages]);
    broken_page[pages..].copy_from_slice(&digest);
    for (file, what) in [(other_digest, "digest"), (broken_page, "page 3")] {
        let done = run(file, order(scratch.path(), None)).await.unwrap();
        assert_eq!(done.result, Outcome::Corrupt);
        let finding = done.finding.unwrap();
        assert!(finding.contains(what), "{finding}");
        assert_eq!(names(scratch.path()), [""; 0]);
    }
    // Whether it needs a digest is not the snapshot's fault.
    let mut bare = snapshot();
    bare.truncate(pages);
    let error = run(bare.clone(), order(scratch.path(), None))
        .await
        .unwrap_err();
    assert!(error.hint().unwrap().contains("--skip-hash-check"));
    let skips = Order {
        skip_hash_check: true,
        ..order(scratch.path(), None)
    };
    assert_eq!(run(bare, skips).await.unwrap().result, Outcome::Held);
}

#[tokio::test]
async fn a_server_that_ends_is_told_with_its_last_words() {
    let (scratch, programs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let program = script(&programs, "echo first >&2; echo 'no such flag' >&2; exit 2");
    let done = run(snapshot(), order(scratch.path(), with(program, LIMIT))).await;
    let done = done.unwrap();
    assert_eq!((done.result, done.boot), (Outcome::Failed, None));
    let finding = done.finding.unwrap();
    assert!(finding.contains("exit status: 2"), "{finding}");
    assert!(finding.ends_with("first | no such flag"), "{finding}");
    assert_eq!(names(scratch.path()), [""; 0]);
}

#[tokio::test]
async fn a_server_that_hangs_has_so_long_and_is_killed() {
    let (scratch, programs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let pid = programs.path().join("pid");
    let program = script(
        &programs,
        &format!("echo $$ > {}; exec sleep 1000", pid.display()),
    );
    let boot = with(program, Duration::from_millis(700));
    let done = run(snapshot(), order(scratch.path(), boot)).await.unwrap();
    assert_eq!(done.result, Outcome::Failed);
    let finding = done.finding.unwrap();
    assert!(finding.contains("no answer for 700ms"), "{finding}");
    assert_eq!(living(&pid), None);
    assert_eq!(names(scratch.path()), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_other_keys_is_a_failed_drill() {
    let (scratch, programs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let real = EtcdVersion::V3_5.server();
    // It goes on with another database than the one that was restored.
    let other = programs.path().join("other");
    block_in_place(|| restore(&fixture("3.4.23"), &restore_order(&other)).unwrap());
    let swap = format!("cp {}/member/snap/db data/member/snap/db", other.display());
    let program = script(
        &programs,
        &format!("{swap}; exec {} \"$@\"", real.display()),
    );
    let done = run(snapshot(), order(scratch.path(), with(program, LIMIT))).await;
    let done = done.unwrap();
    assert_eq!(done.result, Outcome::Failed);
    let finding = done.finding.unwrap();
    assert!(finding.contains("keys hash to"), "{finding}");
    assert!(done.boot.is_some());
    assert_eq!(names(scratch.path()), [""; 0]);
}

#[tokio::test]
async fn a_program_that_is_not_there_says_nothing_of_the_snapshot() {
    let scratch = TempDir::new().unwrap();
    let boot = with("/nowhere/etcd", LIMIT);
    let error = run(snapshot(), order(scratch.path(), boot))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("/nowhere/etcd"), "{error}");
    assert_eq!(names(scratch.path()), [""; 0]);
}

#[tokio::test]
async fn a_drill_that_is_stopped_at_any_step_leaves_nothing() {
    let scratch = TempDir::new().unwrap();
    for last in [Step::Restore, Step::Compare, Step::Boot] {
        let boot = with(EtcdVersion::V3_5.server(), LIMIT);
        let order = order(scratch.path(), boot);
        let done = run_until(snapshot(), order, move |step| step == last).await;
        assert!(
            matches!(done, Err(DrillError::Stopped)),
            "{last:?}: {done:?}"
        );
        assert_eq!(names(scratch.path()), [""; 0]);
    }
}

#[tokio::test]
async fn a_disk_without_room_is_left_alone() {
    let disk = Mount::tmpfs("64m");
    let error = run(snapshot(), order(disk.path(), None)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Full);
    assert!(error.to_string().contains("needs"), "{error}");
    assert_eq!(names(disk.path()), [""; 0]);
}

#[test]
fn what_others_left_or_use_is_told_apart() {
    let scratch = TempDir::new().unwrap();
    let make = |name: &str| {
        let dir = scratch.path().join(name);
        fs::create_dir(&dir).unwrap();
        dir
    };
    let left = make(".rollsnap-drill-aaaaaa");
    fs::create_dir(left.join("data")).unwrap();
    fs::write(left.join("lock"), "").unwrap();
    make(".rollsnap-drill-bbbbbb");
    let used = make(".rollsnap-drill-cccccc");
    let lock = fs::File::create(used.join("lock")).unwrap();
    lock.lock().unwrap();
    // Not even begun, or somebody's own.
    let strange = make(".rollsnap-drill-dddddd");
    fs::write(strange.join("notes"), "").unwrap();
    make("data");
    fs::write(scratch.path().join(".rollsnap-drill-file"), "").unwrap();

    let swept = sweep(scratch.path()).unwrap();
    assert_eq!(swept, [".rollsnap-drill-aaaaaa", ".rollsnap-drill-bbbbbb"]);
    let stay = [
        ".rollsnap-drill-cccccc",
        ".rollsnap-drill-dddddd",
        ".rollsnap-drill-file",
        "data",
    ];
    assert_eq!(names(scratch.path()), stay);
    drop(lock);
    assert_eq!(sweep(scratch.path()).unwrap(), [".rollsnap-drill-cccccc"]);
    assert_eq!(sweep(&scratch.path().join("nowhere")).unwrap(), [""; 0]);
}
