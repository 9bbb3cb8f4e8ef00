//! A state that RKE laid beside a one-off.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rollsnap_engine::SnapshotName;
use rollsnap_rke::state_file::{Origin, remove_placed};

use super::told::{NAME, fetch};

#[tokio::test]
async fn it_is_taken_as_it_is_and_goes_once_the_archive_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("{NAME}.rkestate"));
    fs::write(&path, "{ \"as\":\"RKE wrote it\" }\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();

    let (enclosed, told) = fetch(Origin::Placed(dir.path().to_owned())).await;
    let enclosed = enclosed.unwrap();
    assert_eq!(enclosed.bytes.as_slice(), b"{ \"as\":\"RKE wrote it\" }\n");
    assert_eq!(enclosed.mode, 0o400);
    let entry = format!("/etc/kubernetes/{NAME}.rkestate");
    assert_eq!(enclosed.path, entry);
    assert_eq!(told, [format!("found {entry}")]);

    let name = SnapshotName::new(NAME).unwrap();
    remove_placed(dir.path(), &name).unwrap();
    assert!(!path.exists());
    remove_placed(dir.path(), &name).unwrap();
}

#[tokio::test]
async fn where_there_is_none_nothing_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for place in [dir.path().to_owned(), dir.path().join("missing")] {
        let (enclosed, told) = fetch(Origin::Placed(place)).await;
        assert!(enclosed.is_none());
        assert_eq!(told, [""; 0]);
    }
}

#[tokio::test]
async fn what_is_no_file_of_its_size_is_told_and_left_out() {
    for is_directory in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("{NAME}.rkestate"));
        if is_directory {
            fs::create_dir(&path).unwrap();
        } else {
            fs::File::create(&path).unwrap().set_len(17 << 20).unwrap();
        }
        let (enclosed, told) = fetch(Origin::Placed(dir.path().to_owned())).await;
        assert!(enclosed.is_none());
        let words = "is no file of at most 16777216 bytes";
        assert_eq!(told, [format!("without: read {}: {words}", path.display())]);
    }
}
