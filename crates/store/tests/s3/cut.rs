//! Bodies that break off: gone on with where they stopped, or an error, and never a mix.

use std::ops::Range;

use futures_util::{StreamExt as _, TryStreamExt as _};
use rollsnap_store::{BoxRead, ErrorKind, ObjectInfo};
use rollsnap_testkit::s3_peer::{Fault, Rule};

use super::*;

const SIZE: usize = 300_000;

/// Another object's bytes, of the same size.
fn other() -> Vec<u8> {
    pattern(SIZE).into_iter().map(|byte| !byte).collect()
}

fn on_get(fault: Fault) -> Rule {
    Rule::on(Method::GET, fault)
}

async fn with_object() -> (S3Peer, S3Store) {
    let (peer, store) = peer().await;
    put(&store, "snapshot", &pattern(SIZE)).await.unwrap();
    peer.forget();
    (peer, store)
}

async fn listed(store: &S3Store) -> ObjectInfo {
    store.list("snapshot").await.unwrap().remove(0)
}

async fn part(store: &S3Store, object: &ObjectInfo, range: Range<u64>) -> BoxRead {
    store.read_part(object, range).await.unwrap()
}

async fn whole(pieces: BoxRead) -> Result<Vec<u8>, StoreError> {
    let pieces: Vec<_> = pieces.try_collect().await?;
    Ok(pieces.concat())
}

/// Reads until an error comes, and tells what came before.
async fn until_error(mut pieces: BoxRead) -> (Vec<u8>, StoreError) {
    let mut came = Vec::new();
    loop {
        match pieces.next().await {
            Some(Ok(piece)) => came.extend_from_slice(&piece),
            Some(Err(error)) => return (came, error),
            None => panic!("{} bytes ended as if whole", came.len()),
        }
    }
}

#[tokio::test]
async fn a_body_that_is_cut_anywhere_is_gone_on_with_from_there() {
    let (peer, store) = with_object().await;
    for place in [1, 2, 1000, 65_536, 150_000, SIZE - 1] {
        peer.forget();
        peer.script(on_get(Fault::CutBody(place)));
        assert!(
            get(&store, "snapshot").await.unwrap() == pattern(SIZE),
            "{place}"
        );
        assert_eq!(peer.count(&Method::GET, ""), 2, "{place}");
    }
}

#[tokio::test]
async fn a_part_that_is_cut_is_gone_on_with_inside_its_bounds() {
    let (peer, store) = with_object().await;
    let object = listed(&store).await;
    for cut in [1, 777, 99_999] {
        peer.script(on_get(Fault::CutBody(cut)));
        let read = part(&store, &object, 50_000..150_000).await;
        let same = whole(read).await.unwrap() == pattern(SIZE)[50_000..150_000];
        assert!(same, "{cut}");
    }
}

#[tokio::test]
async fn a_line_that_breaks_off_again_and_again_is_no_matter_while_bytes_come() {
    let (peer, store) = with_object().await;
    peer.script(on_get(Fault::CutBody(20_000)).times(14));
    assert!(get(&store, "snapshot").await.unwrap() == pattern(SIZE));
    // Far more than the tries of one request.
    assert_eq!(peer.count(&Method::GET, ""), 15);
}

#[tokio::test]
async fn a_line_that_brings_nothing_more_is_an_error_after_the_bytes_that_came() {
    let (peer, store) = with_object().await;
    peer.script(on_get(Fault::CutBody(400)));
    peer.script(on_get(Fault::CutBody(0)).times(99));
    let read = store.read(&name("snapshot"), None).await.unwrap();
    let (came, error) = until_error(read).await;
    assert!(came == pattern(400), "{} bytes", came.len());
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let tries = peer.count(&Method::GET, "");
    assert!(tries <= 25, "{tries} tries");
}

#[tokio::test]
async fn a_refusal_that_time_does_not_mend_ends_the_reading_at_once() {
    for (status, code, kind) in [
        (403, "AccessDenied", ErrorKind::Denied),
        (404, "NoSuchKey", ErrorKind::NotFound),
    ] {
        let (peer, store) = with_object().await;
        peer.script(on_get(Fault::CutBody(400)));
        peer.script(on_get(Fault::Refuse {
            status,
            code,
            retry_after: None,
        }));
        let read = store.read(&name("snapshot"), None).await.unwrap();
        let (_, error) = until_error(read).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(peer.count(&Method::GET, ""), 2);
    }
}

#[tokio::test]
async fn an_object_that_is_exchanged_while_the_line_is_down_is_an_error_and_never_a_mix() {
    let refusal = Fault::Refuse {
        status: 412,
        code: "PreconditionFailed",
        retry_after: None,
    };
    // The server keeps the condition, or does not know it and answers all the same.
    for answer in [Some(refusal), None] {
        let (peer, store) = with_object().await;
        peer.script(on_get(Fault::CutBody(400)));
        if let Some(refusal) = answer {
            peer.script(on_get(refusal));
        }
        let mut read = store.read(&name("snapshot"), None).await.unwrap();
        let first = read.next().await.unwrap().unwrap();
        put(&store, "snapshot", &other()).await.unwrap();
        let (rest, error) = until_error(read).await;
        assert!([&first[..], &rest[..]].concat() == pattern(400));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(
            error
                .to_string()
                .ends_with("snapshot: it is another object by now")
        );
        assert!(error.hint().unwrap().contains("exchanged"), "{error:?}");
    }
}

#[tokio::test]
async fn parts_of_two_objects_of_one_size_and_second_are_told_apart() {
    let (_peer, store) = with_object().await;
    let object = listed(&store).await;
    for range in [0..1000, 200_000..201_000] {
        whole(part(&store, &object, range).await).await.unwrap();
    }
    put(&store, "snapshot", &other()).await.unwrap();
    let read = store.read_part(&object, 1000..2000).await;
    let Err(error) = read else {
        panic!("a part of another object");
    };
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    // Who begins anew reads the new one.
    let anew = whole(part(&store, &object, 0..1000).await).await;
    assert!(anew.unwrap() == other()[..1000]);
}
