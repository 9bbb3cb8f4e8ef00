//! What is moved aside is there, whole, and in no listing.

use rollsnap_store::local::LocalDir;
use rollsnap_store::{ErrorKind, ObjectInfo, Store, contract};

use crate::place::{Place, get, name, names, put};

async fn moved(store: &LocalDir) -> Vec<String> {
    let list: Vec<ObjectInfo> = store.quarantine().list("").await.unwrap();
    list.into_iter().map(|info| info.name.to_string()).collect()
}

#[tokio::test]
async fn a_quarantine_keeps_the_contract_of_a_store() {
    let place = Place::new();
    contract::run(&place.store.quarantine()).await;
    assert!(place.parts().is_empty());
}

#[tokio::test]
async fn what_is_moved_aside_leaves_the_listing_and_keeps_its_bytes() {
    let place = Place::new();
    let aside = place.store.quarantine();
    for content in [&b"first"[..], b"second"] {
        put(&place.store, "a", content).await.unwrap();
        put(&place.store, "b", b"stays").await.unwrap();
        aside.take(&name("a")).await.unwrap();
        assert_eq!(names(&place.store).await, ["b"]);
        assert_eq!(moved(&place.store).await, ["a"]);
        let file = place.dir.path().join(".rollsnap/quarantine/a");
        assert_eq!(std::fs::read(file).unwrap(), content);
    }
    assert_eq!(get(&place.store, "b").await.unwrap(), b"stays");
    // Another process finds it, and may delete it.
    let again = LocalDir::open_existing(place.dir.path()).unwrap();
    again.quarantine().delete(&name("a")).await.unwrap();
    assert!(moved(&place.store).await.is_empty());
}

#[tokio::test]
async fn a_directory_without_a_quarantine_has_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let aside = LocalDir::open_existing(dir.path()).unwrap().quarantine();
    assert_eq!(aside.list("").await.unwrap(), []);
    aside.delete(&name("a")).await.unwrap();
    let error = aside.read(&name("a"), None).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = aside.take(&name("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!dir.path().join(".rollsnap").exists());
}

#[tokio::test]
async fn only_a_file_is_moved_and_only_into_a_real_directory() {
    let place = Place::new();
    let aside = place.store.quarantine();
    std::os::unix::fs::symlink("/etc/hostname", place.dir.path().join("link")).unwrap();
    let error = aside.take(&name("link")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);

    let elsewhere = tempfile::tempdir().unwrap();
    put(&place.store, "a", b"mine").await.unwrap();
    let room = place.dir.path().join(".rollsnap/quarantine");
    std::os::unix::fs::symlink(elsewhere.path(), room).unwrap();
    let error = aside.take(&name("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(get(&place.store, "a").await.unwrap(), b"mine");
    assert_eq!(elsewhere.path().read_dir().unwrap().count(), 0);
}
