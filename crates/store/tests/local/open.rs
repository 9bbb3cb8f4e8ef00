//! What opening makes, keeps, and refuses.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rollsnap_store::local::LocalDir;
use rollsnap_store::{ErrorKind, SpoolStore, Store, Terms};

use crate::place::{Place, name, names, put};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn what_is_made_is_for_the_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("snapshots");
    let store = LocalDir::open(&root).unwrap();
    put(&store, "object", b"x").await.unwrap();
    let spool = store
        .spool(&name("spooled"), Terms::default())
        .await
        .unwrap();
    for dir in ["", ".rollsnap", ".rollsnap/spool", ".rollsnap/pending"] {
        assert_eq!(mode(&root.join(dir)), 0o700, "{dir:?}");
    }
    assert_eq!(mode(&root.join("object")), 0o600);
    for entry in fs::read_dir(root.join(".rollsnap/spool")).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    drop(spool);
}

#[test]
fn a_directory_that_is_there_keeps_its_mode() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    LocalDir::open(dir.path()).unwrap();
    LocalDir::open(dir.path()).unwrap();
    assert_eq!(mode(dir.path()), 0o755);
}

#[tokio::test]
async fn the_directory_itself_may_be_a_symlink() {
    let place = Place::new();
    symlink(place.dir.path(), place.path(".link")).unwrap();
    let store = LocalDir::open(place.path(".link")).unwrap();
    put(&store, "object", b"x").await.unwrap();
    assert_eq!(names(&place.store).await, ["object"]);
}

#[test]
fn one_directory_has_one_location_however_it_is_written() {
    let place = Place::new();
    let plain = place.store.location().to_string();
    let odd = format!("{plain}//./");
    assert_eq!(LocalDir::open(odd).unwrap().location().to_string(), plain);
}

#[test]
fn what_cannot_be_a_store_is_refused_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::write(at("file"), "x").unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    for (path, words) in [
        ("file", "is no directory"),
        ("file/below", "is no directory"),
        ("missing/below", "no such directory"),
        ("dangling", "no such directory"),
    ] {
        let error = LocalDir::open(at(path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{path}: {error}");
        let expected = format!("open {}: {words}", at(path).display());
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().is_some(), "{path}");
    }
    LocalDir::open(at("loop")).unwrap_err();
    assert!(!at("nowhere").exists());
}

#[test]
fn a_planted_private_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), dir.path().join(".rollsnap")).unwrap();
    let error = LocalDir::open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(".rollsnap"), "{error}");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn looking_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    LocalDir::open_existing(dir.path()).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let error = LocalDir::open_existing(dir.path().join("missing")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_directory_that_vanishes_is_an_error_and_its_return_needs_no_restart() {
    let place = Place::new();
    put(&place.store, "object", b"x").await.unwrap();
    fs::remove_dir_all(place.dir.path()).unwrap();
    let (store, object) = (&place.store, name("object"));
    for result in [
        store.list("").await.map(drop),
        store.delete(&object).await,
        store.read(&object, None).await.map(drop),
        store.spool(&name("new"), Terms::default()).await.map(drop),
        store.private().put(&object, "x".into()).await,
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        let words = format!("{}: the directory is gone", place.dir.path().display());
        assert!(error.to_string().ends_with(&words), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("mount")));
    }

    fs::create_dir(place.dir.path()).unwrap();
    put(&place.store, "new", b"x").await.unwrap();
    assert_eq!(names(&place.store).await, ["new"]);
}
