//! A directory tried out: what is told of one that is well, full, read-only, gone, and in use.

use std::fs;

use rollsnap_store::local::{LocalDir, Owner};
use rollsnap_store::{Effort, ErrorKind, Outcome, Probe, Store};
use rollsnap_testkit::mount::Mount;

fn told<'a>(probes: &'a [Probe], what: &str) -> &'a Outcome {
    let probe = probes.iter().find(|probe| probe.what == what);
    &probe
        .unwrap_or_else(|| panic!("nothing is told of {what}"))
        .outcome
}

fn held<'a>(probes: &'a [Probe], what: &str) -> &'a str {
    match told(probes, what) {
        Outcome::Held(text) => text,
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test]
async fn a_directory_that_is_well_is_tried_and_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalDir::open(dir.path()).unwrap();
    let probes = store.probe(Effort::Full).await;
    assert_eq!(
        held(&probes, "write"),
        "written, synced, renamed, read, deleted"
    );
    assert!(held(&probes, "free space").ends_with("B free"));
    assert_eq!(held(&probes, "owner"), "no daemon runs here");
    let left = |path| fs::read_dir(path).unwrap().count();
    assert_eq!(left(dir.path().to_path_buf()), 1, "its private directory");
    assert_eq!(left(dir.path().join(".rollsnap/spool")), 0);
    assert!(store.free().unwrap().is_some());
}

#[tokio::test]
async fn the_harmless_half_changes_nothing_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalDir::open_existing(dir.path()).unwrap();
    let probes = store.probe(Effort::Harmless).await;
    let told: Vec<_> = probes.iter().map(|probe| probe.what).collect();
    assert_eq!(told, ["file system", "free space"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn memory_is_no_place_to_keep_and_a_full_one_is_told() {
    let mount = Mount::tmpfs("1m");
    let store = LocalDir::open(mount.path()).unwrap();
    let probes = store.probe(Effort::Full).await;
    assert!(matches!(told(&probes, "file system"),
        Outcome::Weak { message, .. } if message.starts_with("tmpfs")));
    mount.fill();
    let probes = store.probe(Effort::Full).await;
    for what in ["write", "free space"] {
        let Outcome::Failed(error) = told(&probes, what) else {
            panic!("{what} held")
        };
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("free space")));
    }
}

#[tokio::test]
async fn one_that_nobody_may_write_to_is_told_with_the_cure() {
    let dir = tempfile::tempdir().unwrap();
    LocalDir::open(dir.path()).unwrap();
    let view = Mount::read_only(dir.path());
    let store = LocalDir::open_existing(view.path()).unwrap();
    let probes = store.probe(Effort::Full).await;
    let Outcome::Failed(error) = told(&probes, "write") else {
        panic!("it was written to")
    };
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.hint().is_some_and(|hint| hint.contains("mount")));
}

#[tokio::test]
async fn the_daemon_of_a_directory_is_named_and_not_disturbed() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalDir::open(dir.path()).unwrap();
    let owner = Owner {
        host: "node1".to_owned(),
        pid: 7,
        since: "2026-05-01T12:00:00Z".to_owned(),
    };
    let lock = store.lock_daemon(&owner).unwrap();
    let probes = store.probe(Effort::Full).await;
    let words = "the daemon here is process 7 on node1 since 2026-05-01T12:00:00Z";
    assert_eq!(held(&probes, "owner"), words);
    drop(lock);
    let probes = store.probe(Effort::Full).await;
    assert_eq!(held(&probes, "owner"), "no daemon runs here");
    store.lock_daemon(&owner).unwrap();
}
