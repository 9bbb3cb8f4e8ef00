//! Directories that cannot be used.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdReal;
use tempfile::TempDir;

use crate::program::Program;
use crate::world::assert_nothing_written;

/// A file system in memory, unmounted when dropped. Needs root, as containers in CI have it.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(size: &str) -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        let options = format!("size={size}");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], disk.0.path());
        disk
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn mount(words: &[&str], at: &Path) {
    let status = Command::new("mount").args(words).arg(at).status().unwrap();
    assert!(status.success(), "mount {words:?} needs root");
}

#[tokio::test]
async fn a_directory_whose_parent_is_missing_is_not_made() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("missing/below");
    for verb in ["run", "save", "list", "prune"] {
        let words = format!(
            "open {}: no such directory\nhint: make it, or mount it",
            dir.display()
        );
        Program::new([verb])
            .dir(&dir)
            .run()
            .await
            .fails(Kind::Config, &[&words]);
    }
    assert!(!place.path().join("missing").exists());
}

#[tokio::test]
async fn a_file_in_the_place_of_the_directory_stays_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "mine").unwrap();
    for verb in ["run", "save", "list"] {
        let run = Program::new([verb]).dir(&file).run().await;
        run.fails(Kind::Config, &["/file: is no directory", "hint: "]);
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_told_apart_from_a_missing_one() {
    let etcd = EtcdReal::builder().start().await;
    let disk = SmallDisk::new("1m");
    mount(&["-o", "remount,ro"], disk.0.path());
    for verb in ["run", "save"] {
        let run = Program::new([verb])
            .etcd(&etcd)
            .dir(disk.0.path())
            .run()
            .await;
        run.fails(Kind::Denied, &["read-only file system", "hint: "]);
    }
    assert_nothing_written(disk.0.path());
}

#[tokio::test]
async fn somebody_without_rights_is_told_so() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let dir = place.path().join("snapshots");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    let program = place.path().join("rollsnap");
    fs::copy(env!("CARGO_BIN_EXE_rollsnap"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let nobody = Command::new("setpriv")
        .args(["--reuid", "65534", "--clear-groups"])
        .arg(&program)
        .args(["save", "--endpoints", "127.0.0.1:1", "--dir"])
        .arg(&dir)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&nobody.stderr);
    assert_eq!(
        nobody.status.code(),
        Some(Kind::Denied.exit_code().into()),
        "{words}"
    );
    assert!(
        words.contains("snapshots: permission denied")
            || words.contains(".rollsnap: permission denied"),
        "{words}"
    );
    assert!(words.contains("hint: let the user"), "{words}");
    assert_nothing_written(&dir);
}

#[tokio::test]
async fn a_full_disk_is_known_before_the_first_byte_and_costs_nothing() {
    let etcd = EtcdReal::builder().start().await;
    etcd.fill(4 << 20).await;
    let disk = SmallDisk::new("2m");
    let save = Program::new(["save", "--name", "n"])
        .etcd(&etcd)
        .dir(disk.0.path());
    save.run().await.fails(
        Kind::Full,
        &["save n: ", "needs 4.", " free are ", "hint: "],
    );
    assert_nothing_written(disk.0.path());

    // What it will come to is not known beforehand when it is compressed.
    let save = Program::new(["save", "--name", "n", "--compression", "zstd"]);
    let save = save.etcd(&etcd).dir(disk.0.path()).run().await;
    save.fails(
        Kind::Full,
        &["save n: ", "no space left on device", "hint: "],
    );
    assert_nothing_written(disk.0.path());

    let mut daemon = Program::new(["run"]).etcd(&etcd).dir(disk.0.path()).start();
    let line = daemon.line("Backup failed").await;
    assert!(
        line.contains(" kind=full ") && line.contains(" retry_in=30s"),
        "{line}"
    );
    assert_eq!(daemon.stop().await.code, Some(0));
}
