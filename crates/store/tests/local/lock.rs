//! Two daemons on one directory.

use std::fs;

use rollsnap_store::ErrorKind;
use rollsnap_store::local::{LocalDir, Owner};
use rollsnap_testkit::mount::Mount;

use crate::place::Place;

fn owner(host: &str) -> Owner {
    Owner {
        host: host.to_owned(),
        pid: 42,
        since: String::from("2026-05-01T12:00:00Z"),
    }
}

#[test]
fn the_second_daemon_is_told_whose_the_directory_is() {
    let place = Place::new();
    let again = LocalDir::open(place.dir.path()).unwrap();
    let lock = place.store.lock_daemon(&owner("first")).unwrap();
    let error = again.lock_daemon(&owner("second")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let path = place.path(".rollsnap/daemon.lock");
    let expected = format!(
        "lock {}: the directory belongs to process 42 on first since 2026-05-01T12:00:00Z",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().is_some());

    drop(lock);
    let _second = again.lock_daemon(&owner("second")).unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text, "process 42 on second since 2026-05-01T12:00:00Z\n");
}

#[test]
fn a_lock_file_that_was_left_behind_means_nothing() {
    let place = Place::new();
    let path = place.path(".rollsnap/daemon.lock");
    fs::write(
        &path,
        "a very long story about a daemon that died\n".repeat(9),
    )
    .unwrap();
    let _lock = place.store.lock_daemon(&owner("new")).unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text, "process 42 on new since 2026-05-01T12:00:00Z\n");
}

#[test]
fn a_planted_lock_file_is_refused() {
    let place = Place::new();
    fs::write(place.path("victim"), "content").unwrap();
    let lock = place.path(".rollsnap/daemon.lock");
    std::os::unix::fs::symlink(place.path("victim"), lock).unwrap();
    place.store.lock_daemon(&owner("any")).unwrap_err();
    assert_eq!(fs::read(place.path("victim")).unwrap(), b"content");
}

#[test]
fn a_daemon_starts_on_a_full_disk_and_has_the_directory() {
    let disk = Mount::tmpfs("1m");
    let store = LocalDir::open(disk.path()).unwrap();
    drop(store.lock_daemon(&owner("earlier")).unwrap());
    disk.fill();
    let store = LocalDir::open(disk.path()).unwrap();
    let _lock = store.lock_daemon(&owner("first")).unwrap();
    let error = store.lock_daemon(&owner("second")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let words = error.to_string();
    assert!(words.ends_with("has not named itself yet"), "{words}");
}
