//! A full disk, on a small file system in memory.

use bytes::Bytes;
use rollsnap_store::local::LocalDir;
use rollsnap_store::{ErrorKind, Spool, SpoolStore, Terms};
use rollsnap_testkit::mount::Mount;

use crate::place::{get, name, names, parts, put};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn too_little_room_is_known_before_the_first_byte() {
    let disk = Mount::tmpfs("4m");
    let store = LocalDir::open(disk.path()).unwrap();
    let result = store.spool(&name("object"), Terms::new_of(5 << 30)).await;
    let error = result.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    let words = error.to_string();
    assert!(words.contains("needs 5.0 GiB, free are "), "{words}");
    assert!(words.ends_with("MiB"), "{words}");
    assert!(error.hint().is_some());
    assert!(parts(disk.path()).is_empty());

    let fits = store.spool(&name("object"), Terms::new_of(3 << 20)).await;
    fits.unwrap().abort().await.unwrap();
}

/// Writes until the disk is full and gives the error.
async fn fill(spool: &mut dyn Spool) -> rollsnap_store::StoreError {
    for _ in 0..16 {
        if let Err(error) = spool.write(Bytes::from(vec![7; MIB])).await {
            return error;
        }
    }
    panic!("16 MiB fit on a disk of 4");
}

#[tokio::test]
async fn a_disk_that_fills_up_costs_the_new_file_and_no_other() {
    let disk = Mount::tmpfs("4m");
    let store = LocalDir::open(disk.path()).unwrap();
    put(&store, "old", &vec![1; MIB]).await.unwrap();
    let mut spool = store.spool(&name("new"), Terms::default()).await.unwrap();
    let mut tail = spool.tail();
    let error = fill(&mut *spool).await;
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(
        error.to_string().ends_with("no space left on device"),
        "{error}"
    );
    assert!(error.hint().is_some());

    // At once, not when the spool is dropped: nobody may hold what others need.
    assert!(parts(disk.path()).is_empty());
    tail.next(1).await.unwrap_err();
    drop(tail);
    spool.write(Bytes::from_static(b"more")).await.unwrap_err();
    spool.seal().await.unwrap_err();
    spool.reader().map(drop).unwrap_err();
    spool.tail().next(1).await.unwrap_err();
    spool.commit().await.unwrap_err();

    assert_eq!(names(&store).await, ["old"]);
    assert_eq!(get(&store, "old").await.unwrap(), vec![1; MIB]);
    put(&store, "new", &vec![2; 2 * MIB]).await.unwrap();
}

#[tokio::test]
async fn a_replacement_that_finds_no_room_leaves_the_old_object() {
    let disk = Mount::tmpfs("1m");
    let store = LocalDir::open(disk.path()).unwrap();
    put(&store, "object", b"old").await.unwrap();
    let files = store.private();
    files
        .put(&name("file"), Bytes::from_static(b"old"))
        .await
        .unwrap();
    let large = vec![9; MIB];
    let error = put(&store, "object", &large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    let error = files
        .put(&name("file"), Bytes::from(large))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(get(&store, "object").await.unwrap(), b"old");
    assert_eq!(files.get(&name("file")).await.unwrap().unwrap(), "old");
    assert!(parts(disk.path()).is_empty());
}

#[tokio::test]
async fn a_private_file_is_published_on_a_disk_without_a_free_block() {
    let disk = Mount::tmpfs("1m");
    let store = LocalDir::open(disk.path()).unwrap();
    let files = store.private();
    let content = Bytes::from_static(b"draft");
    files.put(&name("object"), content).await.unwrap();
    disk.fill();
    put(&store, "another", b"x").await.unwrap_err();
    files.publish(&name("object")).await.unwrap();
    assert_eq!(get(&store, "object").await.unwrap(), b"draft");
    assert_eq!(files.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_spool_begins_only_with_room_for_what_is_written_beside_it() {
    let disk = Mount::tmpfs("1m");
    let store = LocalDir::open(disk.path()).unwrap();
    let free = rustix::fs::statvfs(disk.path()).unwrap();
    let free = free.f_bavail * free.f_frsize;
    for (expected, fits) in [(free - (64 << 10), true), (free - (64 << 10) + 1, false)] {
        let spool = store.spool(&name("object"), Terms::new_of(expected)).await;
        assert_eq!(spool.is_ok(), fits, "{expected} of {free}");
    }

    let small = Mount::tmpfs("40k");
    let store = LocalDir::open(small.path()).unwrap();
    let error = store
        .spool(&name("object"), Terms::default())
        .await
        .map(drop);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Full);
}
