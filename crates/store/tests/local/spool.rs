//! The write path of a directory beyond the contract.

use bytes::Bytes;
use rollsnap_store::{ErrorKind, SpoolStore, Terms};

use crate::place::{Place, get, name, names};

/// The `number`th piece of a long stream, no two alike.
fn piece(number: u32) -> Bytes {
    let mut bytes = vec![0; 32 << 10];
    for (word, slot) in (0_u32..).zip(bytes.chunks_exact_mut(4)) {
        slot.copy_from_slice(&(number.rotate_left(16) ^ word).to_be_bytes());
    }
    bytes.into()
}

#[tokio::test]
async fn a_stream_that_is_synced_on_the_way_arrives_whole() {
    // Past two of the marks at which a sync starts beside the writes.
    let count = 70 * 32;
    let place = Place::new();
    let mut spool = place
        .store
        .spool(&name("object"), Terms::default())
        .await
        .unwrap();
    for number in 0..count {
        spool.write(piece(number)).await.unwrap();
    }
    spool.seal().await.unwrap();
    let size = spool.reader().unwrap().size().unwrap();
    assert_eq!(size, u64::from(count) * (32 << 10));
    let info = spool.commit().await.unwrap();
    assert_eq!(info.size, size);
    let content = get(&place.store, "object").await.unwrap();
    let differs = (0..count)
        .zip(content.chunks(32 << 10))
        .find(|(number, found)| piece(*number) != *found);
    assert_eq!(differs.map(|(number, _)| number), None);
}

#[tokio::test]
async fn nothing_follows_a_seal_and_a_second_seal_changes_nothing() {
    let place = Place::new();
    let mut spool = place
        .store
        .spool(&name("object"), Terms::default())
        .await
        .unwrap();
    spool.write(Bytes::from_static(b"all")).await.unwrap();
    spool.seal().await.unwrap();
    spool.seal().await.unwrap();
    let error = spool.write(Bytes::from_static(b"more")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    spool.commit().await.unwrap();
    assert_eq!(get(&place.store, "object").await.unwrap(), b"all");
}

#[tokio::test]
async fn a_file_changed_behind_the_writer_is_not_committed() {
    let place = Place::new();
    let mut spool = place
        .store
        .spool(&name("object"), Terms::default())
        .await
        .unwrap();
    spool.write(Bytes::from_static(b"all")).await.unwrap();
    spool.seal().await.unwrap();
    let part = place.path(".rollsnap/spool").join(&place.parts()[0]);
    std::fs::write(part, "all and more").unwrap();
    let error = spool.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(names(&place.store).await.is_empty());
    assert!(place.parts().is_empty());
}

#[tokio::test]
async fn an_abort_tells_when_the_part_cannot_be_removed() {
    let place = Place::new();
    let spool = place
        .store
        .spool(&name("object"), Terms::default())
        .await
        .unwrap();
    let part = place.path(".rollsnap/spool").join(&place.parts()[0]);
    std::fs::remove_file(part).unwrap();
    spool.abort().await.unwrap_err();
}

#[tokio::test]
async fn the_longest_name_has_room_for_its_part() {
    let place = Place::new();
    let longest = "x".repeat(rollsnap_store::name::MAX_LEN);
    let spool = place
        .store
        .spool(&name(&longest), Terms::default())
        .await
        .unwrap();
    spool.commit().await.unwrap();
    assert_eq!(names(&place.store).await, [longest]);
}
