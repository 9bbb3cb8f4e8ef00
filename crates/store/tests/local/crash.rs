//! A writer that is killed, in a process of its own.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use rollsnap_store::local::{LocalDir, Owner};
use rollsnap_store::{ErrorKind, SpoolStore, Terms};

use crate::place::{Place, get, name, names, parts, put};

/// Tells the child where to work.
const DIR: &str = "ROLLSNAP_TEST_CHILD_DIR";

/// A process that holds a spool and the daemon's lock, killed when dropped.
struct Writer(Child);

impl Writer {
    /// Returns when the child holds both.
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("crash::child_that_holds_a_spool_until_it_is_killed")
            .env(DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.any(|line| line.unwrap().ends_with("holding"));
        assert!(ready, "the child ended before it held anything");
        Self(child)
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
#[ignore = "the other process of the tests below, which start it"]
async fn child_that_holds_a_spool_until_it_is_killed() {
    let dir = env::var_os(DIR).expect("started by the tests below");
    let store = LocalDir::open(dir).unwrap();
    let owner = Owner {
        host: String::from("elsewhere"),
        pid: std::process::id(),
        since: String::from("2026-05-01T12:00:00Z"),
    };
    let _lock = store.lock_daemon(&owner).unwrap();
    let mut spool = store
        .spool(&name("object"), Terms::default())
        .await
        .unwrap();
    spool.write(Bytes::from(vec![1; 300 << 10])).await.unwrap();
    writeln!(io::stdout(), "holding").unwrap();
    // Ends without a trace when the parent does.
    let _ = io::stdin().read(&mut [0]);
}

#[tokio::test]
async fn a_killed_writer_leaves_nothing_visible_and_the_sweep_takes_its_part() {
    let place = Place::new();
    put(&place.store, "old", b"old").await.unwrap();
    let writer = Writer::start(place.dir.path());
    assert_eq!(place.parts().len(), 1);
    assert!(place.store.sweep().await.unwrap().is_empty(), "it lives");
    assert_eq!(place.parts().len(), 1);

    writer.kill();
    assert_eq!(names(&place.store).await, ["old"]);
    let left = place.parts();
    let mine = place
        .store
        .spool(&name("mine"), Terms::default())
        .await
        .unwrap();
    let swept = place.store.sweep().await.unwrap();
    assert_eq!(swept.len(), 1);
    assert_eq!(swept[0].name, left[0]);
    assert!(swept[0].name.starts_with("object."), "{swept:?}");
    assert_eq!(swept[0].size, 300 << 10);
    mine.commit().await.unwrap();
    assert!(place.parts().is_empty());
    assert_eq!(names(&place.store).await, ["mine", "old"]);
    assert_eq!(get(&place.store, "old").await.unwrap(), b"old");
}

#[tokio::test]
async fn a_killed_daemon_gives_its_directory_back() {
    let place = Place::new();
    let owner = Owner {
        host: String::from("here"),
        pid: 1,
        since: String::from("now"),
    };
    let writer = Writer::start(place.dir.path());
    let error = place.store.lock_daemon(&owner).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let expected = format!("process {} on elsewhere since", writer.0.id());
    assert!(error.to_string().contains(&expected), "{error}");
    writer.kill();
    place.store.lock_daemon(&owner).unwrap();
}

#[tokio::test]
async fn the_sweep_touches_nothing_but_parts() {
    let place = Place::new();
    let spool = place.path(".rollsnap/spool");
    fs::write(spool.join("orphan.1-1.part"), "x").unwrap();
    fs::write(spool.join("note.txt"), "x").unwrap();
    fs::create_dir(spool.join("directory.part")).unwrap();
    std::os::unix::fs::symlink("note.txt", spool.join("link.part")).unwrap();
    let swept = place.store.sweep().await.unwrap();
    assert_eq!(swept.len(), 1);
    let mut left = parts(place.dir.path());
    left.sort();
    assert_eq!(left, ["directory.part", "link.part", "note.txt"]);

    let untouched = tempfile::tempdir().unwrap();
    let store = LocalDir::open_existing(untouched.path()).unwrap();
    assert!(store.sweep().await.unwrap().is_empty());
}

#[test]
fn a_commit_that_nobody_waits_for_leaves_the_object_whole_or_not_at_all() {
    use futures_util::FutureExt;
    let place = Place::new();
    for sealed in ["sealed", "open"] {
        // Dropping the runtime waits for the calls that have begun.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut spool = place
                .store
                .spool(&name(sealed), Terms::default())
                .await
                .unwrap();
            spool.write(Bytes::from(vec![5; 1 << 20])).await.unwrap();
            if sealed == "sealed" {
                spool.seal().await.unwrap();
            }
            assert!(spool.commit().now_or_never().is_none());
        });
        drop(runtime);
        assert!(place.parts().is_empty(), "{sealed}");
        let there = place.path(sealed);
        assert!(!there.exists() || fs::read(there).unwrap() == vec![5; 1 << 20]);
    }
}
