//! What others put among the objects stays theirs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use bytes::Bytes;
use rollsnap_store::{ErrorKind, SpoolStore, Store, Terms};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::place::{Place, get, name, names, put};

/// A place with one object and one of everything that is none.
async fn planted() -> (Place, Vec<&'static str>) {
    let place = Place::new();
    put(&place.store, "object", b"content").await.unwrap();
    fs::write(place.path(".outside"), "secret").unwrap();
    symlink(place.path(".outside"), place.path("a symlink")).unwrap();
    symlink(place.path("object"), place.path("a symlink inside")).unwrap();
    symlink(place.path("nowhere"), place.path("a symlink to nothing")).unwrap();
    fs::create_dir(place.path("a directory")).unwrap();
    let fifo = place.path("a fifo");
    mknodat(CWD, fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    drop(UnixListener::bind(place.path("a socket")).unwrap());
    let foreign = vec![
        "a symlink",
        "a symlink inside",
        "a symlink to nothing",
        "a directory",
        "a fifo",
        "a socket",
    ];
    (place, foreign)
}

#[tokio::test]
async fn only_regular_files_with_proper_names_are_listed() {
    let (place, _) = planted().await;
    fs::write(place.path(".hidden"), "x").unwrap();
    fs::write(place.path(" space"), "x").unwrap();
    fs::write(place.path("line\nbreak"), "x").unwrap();
    fs::write(
        place.path("x".repeat(rollsnap_store::name::MAX_LEN + 1).as_str()),
        "x",
    )
    .unwrap();
    let latin1 = OsStr::from_bytes(b"caf\xe9");
    fs::write(place.dir.path().join(latin1), "x").unwrap();
    assert_eq!(names(&place.store).await, ["object"]);
}

#[tokio::test]
async fn foreign_things_are_not_read_replaced_or_deleted() {
    let (place, foreign) = planted().await;
    let store = &place.store;
    for text in foreign {
        let before = fs::symlink_metadata(place.path(text)).unwrap();
        let name = name(text);
        // A fifo that was opened would hold this test up for ever.
        let error = get(store, text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let error = store.delete(&name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        let error = store
            .begin(&name, Terms::replacing())
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        let error = store
            .spool(&name, Terms::default())
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        let after = fs::symlink_metadata(place.path(text)).unwrap();
        assert_eq!(before.file_type(), after.file_type(), "{text}");
    }
    assert_eq!(fs::read(place.path(".outside")).unwrap(), b"secret");
    assert!(place.parts().is_empty());
}

#[tokio::test]
async fn what_is_planted_under_the_final_name_in_the_meantime_is_not_replaced() {
    let place = Place::new();
    fs::write(place.path(".outside"), "secret").unwrap();
    let upload = place
        .store
        .begin(&name("begun"), Terms::replacing())
        .await
        .unwrap();
    let spool = place
        .store
        .spool(&name("spooled"), Terms::default())
        .await
        .unwrap();
    for text in ["begun", "spooled"] {
        symlink(place.path(".outside"), place.path(text)).unwrap();
    }
    for error in [
        upload.commit().await.unwrap_err(),
        spool.commit().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    }
    assert_eq!(fs::read(place.path(".outside")).unwrap(), b"secret");
    assert!(place.path("begun").is_symlink() && place.path("spooled").is_symlink());
    assert!(place.parts().is_empty());
}

#[tokio::test]
async fn the_file_behind_a_hard_link_stays_as_it_was() {
    let place = Place::new();
    fs::write(place.path(".outside"), "kept").unwrap();
    for text in ["replaced", "deleted"] {
        fs::hard_link(place.path(".outside"), place.path(text)).unwrap();
    }
    put(&place.store, "replaced", b"new").await.unwrap();
    place.store.delete(&name("deleted")).await.unwrap();
    assert_eq!(fs::read(place.path(".outside")).unwrap(), b"kept");
    assert_eq!(names(&place.store).await, ["replaced"]);
    assert_eq!(get(&place.store, "replaced").await.unwrap(), b"new");
}

#[tokio::test]
async fn a_file_that_becomes_shorter_while_it_is_read_is_corrupt() {
    use futures_util::StreamExt;
    let place = Place::new();
    let content = Bytes::from(vec![3; 2 << 20]);
    put(&place.store, "object", &content).await.unwrap();
    let mut pieces = place.store.read(&name("object"), None).await.unwrap();
    let first = pieces.next().await.unwrap().unwrap();
    assert!(content.starts_with(&first) && first.len() < content.len());
    let file = fs::OpenOptions::new()
        .write(true)
        .open(place.path("object"))
        .unwrap();
    file.set_len(first.len() as u64 + 1).unwrap();
    let error = pieces.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(pieces.next().await.is_none());
}
