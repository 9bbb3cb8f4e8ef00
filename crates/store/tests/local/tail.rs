//! Tails give what was written, whoever is faster.

use bytes::Bytes;
use futures_util::FutureExt;
use proptest::prelude::*;
use rollsnap_store::memory::Memory;
use rollsnap_store::{Spool, SpoolStore, Tail, Terms};

use crate::place::{Place, name};

/// Reads a tail to its end in the sizes given, over and over.
async fn read(mut tail: Box<dyn Tail>, sizes: &[usize]) -> Vec<u8> {
    let mut all = Vec::new();
    for size in sizes.iter().cycle() {
        let piece = tail.next(*size).await.unwrap();
        assert!(piece.len() <= *size);
        all.extend_from_slice(&piece);
        if piece.len() < *size {
            assert!(
                tail.next(1).await.unwrap().is_empty(),
                "bytes after the end"
            );
            break;
        }
    }
    all
}

async fn write(mut spool: Box<dyn Spool>, content: &[u8], cuts: &[usize]) -> Box<dyn Spool> {
    let mut rest = content;
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        spool.write(Bytes::copy_from_slice(piece)).await.unwrap();
        rest = after;
        tokio::task::yield_now().await;
    }
    spool.write(Bytes::copy_from_slice(rest)).await.unwrap();
    spool.seal().await.unwrap();
    spool
}

/// One tail from the start, beside the writer, and one after everything.
async fn follow(store: &dyn SpoolStore, content: &[u8], cuts: &[usize], sizes: &[usize]) {
    let spool = store
        .spool(&name("object"), Terms::default())
        .await
        .unwrap();
    let early = spool.tail();
    let (spool, beside) = futures_util::join!(write(spool, content, cuts), read(early, sizes));
    assert!(beside == content, "a tail beside its writer");
    let late = spool.tail();
    spool.abort().await.unwrap();
    assert!(read(late, sizes).await == content, "a tail after the end");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn a_tail_equals_what_was_written_however_both_are_cut(
        content in proptest::collection::vec(any::<u8>(), 0..2000)
            .prop_map(|seed| seed.repeat(500)),
        cuts in proptest::collection::vec(0_usize..300_000, 0..20),
        sizes in proptest::collection::vec(1_usize..400_000, 1..5),
    ) {
        let place = Place::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            follow(&place.store, &content, &cuts, &sizes).await;
            follow(&Memory::default(), &content, &cuts, &sizes).await;
        });
    }
}

#[tokio::test]
async fn a_tail_that_waits_hears_that_its_writer_gave_up() {
    let place = Place::new();
    let memory = Memory::default();
    let stores: [&dyn SpoolStore; 2] = [&place.store, &memory];
    for store in stores {
        let spool = store
            .spool(&name("object"), Terms::default())
            .await
            .unwrap();
        let mut tail = spool.tail();
        let waiting = tokio::spawn(async move { tail.next(1).await });
        // One thread: the task has run and waits before this one goes on.
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(spool);
        waiting.await.unwrap().unwrap_err();
    }
}

#[tokio::test]
async fn a_tail_gives_a_whole_piece_as_soon_as_it_is_written() {
    let place = Place::new();
    let mut spool = place
        .store
        .spool(&name("object"), Terms::default())
        .await
        .unwrap();
    let size = spool.part_size();
    let mut tail = spool.tail();
    spool.write(Bytes::from(vec![1; size])).await.unwrap();
    assert_eq!(tail.next(size).await.unwrap().len(), size);
    // A reader that gives up waiting loses nothing.
    assert!(tail.next(size).now_or_never().is_none());
    spool.write(Bytes::from(vec![2; size])).await.unwrap();
    assert_eq!(tail.next(size).await.unwrap(), vec![2; size]);
}
