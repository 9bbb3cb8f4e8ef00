//! Private files: whole, replaced in one step, seen by nobody else.

use bytes::Bytes;
use rollsnap_store::local::LocalDir;
use rollsnap_store::{ErrorKind, ObjectName};

use crate::place::{Place, get, name, names, put};

#[tokio::test]
async fn private_files_are_kept_replaced_listed_and_removed() {
    let place = Place::new();
    let files = place.store.private();
    let put = |text: &'static str, content: &'static str| {
        let files = files.clone();
        async move { files.put(&name(text), Bytes::from(content)).await.unwrap() }
    };
    put("b", "one").await;
    put("a", "two").await;
    put("b", "three").await;
    assert_eq!(files.get(&name("b")).await.unwrap().unwrap(), "three");
    assert_eq!(files.get(&name("c")).await.unwrap(), None);
    assert_eq!(files.list().await.unwrap(), [name("a"), name("b")]);
    files.remove(&name("b")).await.unwrap();
    files.remove(&name("b")).await.unwrap();
    assert_eq!(files.list().await.unwrap(), [name("a")]);
    assert!(names(&place.store).await.is_empty(), "seen as objects");
    assert!(place.parts().is_empty());

    // Another process finds them.
    let again = LocalDir::open(place.dir.path()).unwrap().private();
    assert_eq!(again.get(&name("a")).await.unwrap().unwrap(), "two");
}

#[tokio::test]
async fn a_place_that_has_no_private_files_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let files = LocalDir::open_existing(dir.path()).unwrap().private();
    assert_eq!(files.list().await.unwrap(), Vec::<ObjectName>::new());
    assert_eq!(files.get(&name("a")).await.unwrap(), None);
    files.remove(&name("a")).await.unwrap();
    assert!(!dir.path().join(".rollsnap").exists());
}

#[tokio::test]
async fn a_published_file_becomes_an_object_and_replaces_an_older_one() {
    let place = Place::new();
    let files = place.store.private();
    put(&place.store, "a", b"old").await.unwrap();
    for text in ["a", "b"] {
        let content = Bytes::from_static(b"new");
        files.put(&name(text), content).await.unwrap();
        files.publish(&name(text)).await.unwrap();
        assert_eq!(get(&place.store, text).await.unwrap(), b"new");
    }
    assert_eq!(files.list().await.unwrap(), []);
    assert_eq!(names(&place.store).await, ["a", "b"]);
}

#[tokio::test]
async fn only_a_file_that_is_there_is_published_and_only_over_a_file() {
    let place = Place::new();
    let files = place.store.private();
    put(&place.store, "a", b"old").await.unwrap();
    let error = files.publish(&name("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(get(&place.store, "a").await.unwrap(), b"old");

    std::os::unix::fs::symlink(place.path("a"), place.path("b")).unwrap();
    let content = Bytes::from_static(b"new");
    files.put(&name("b"), content).await.unwrap();
    let error = files.publish(&name("b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("a symlink"), "{error}");
    assert_eq!(files.list().await.unwrap(), [name("b")]);
    assert_eq!(get(&place.store, "a").await.unwrap(), b"old");
}

#[tokio::test]
async fn a_private_file_is_small() {
    let place = Place::new();
    let files = place.store.private();
    let large = Bytes::from(vec![0; (1 << 20) + 1]);
    let error = files.put(&name("large"), large.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    std::fs::write(place.path(".rollsnap/pending/large"), &large).unwrap();
    let error = files.get(&name("large")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
