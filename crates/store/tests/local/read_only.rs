//! A directory that can be read and not written.

use rollsnap_store::local::LocalDir;
use rollsnap_store::{ErrorKind, SpoolStore, Store, Terms};
use rollsnap_testkit::mount::Mount;

use crate::place::{Place, get, name, names, put};

#[tokio::test]
async fn a_read_only_file_system_is_refused_at_the_start_and_can_still_be_read() {
    let place = Place::new();
    put(&place.store, "object", b"content").await.unwrap();
    let view = Mount::read_only(place.dir.path());

    let error = LocalDir::open(view.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(
        error.to_string().ends_with("read-only file system"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("mount"));

    let store = LocalDir::open_existing(view.path()).unwrap();
    assert_eq!(names(&store).await, ["object"]);
    assert_eq!(get(&store, "object").await.unwrap(), b"content");
    let kinds = [
        store.spool(&name("new"), Terms::default()).await.map(drop),
        store
            .begin(&name("new"), Terms::replacing())
            .await
            .map(drop),
        store.delete(&name("object")).await,
    ];
    for result in kinds {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Denied);
    }
    assert_eq!(get(&place.store, "object").await.unwrap(), b"content");
}

#[test]
fn a_directory_is_not_made_on_a_read_only_file_system() {
    let place = Place::new();
    let view = Mount::read_only(place.dir.path());
    let error = LocalDir::open(view.path().join("new")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}
