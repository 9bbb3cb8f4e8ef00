//! The numbering of faults, and what each way of failing leaves.

use super::*;
use crate::Terms;
use crate::memory::Memory;

/// Spools one object, lists, and deletes what was there before.
async fn save(store: &dyn SpoolStore) -> Result<(), StoreError> {
    let mut spool = store
        .spool(&ObjectName::new("new")?, Terms::default())
        .await?;
    spool.write(Bytes::from_static(b"one")).await?;
    spool.write(Bytes::from_static(b"two")).await?;
    spool.seal().await?;
    spool.commit().await?;
    for info in store.list("old").await? {
        store.delete(&info.name).await?;
    }
    Ok(())
}

async fn with_old() -> Memory {
    let memory = Memory::default();
    let old = ObjectName::new("old").unwrap();
    memory
        .begin(&old, Terms::replacing())
        .await
        .unwrap()
        .commit()
        .await
        .unwrap();
    memory
}

async fn names(store: &Memory) -> Vec<String> {
    let list = store.list("").await.unwrap();
    list.into_iter().map(|info| info.name.to_string()).collect()
}

#[tokio::test]
async fn a_good_run_numbers_its_effects() {
    use Effect::{Begin, Commit, Delete, List, Seal, Write};
    let store = Faulty::new(with_old().await, Faults::none());
    save(&store).await.unwrap();
    let expected = [Begin, Write, Write, Seal, Commit, List, Delete];
    assert_eq!(store.faults.effects(), expected);
    assert_eq!(names(store.inner()).await, ["new"]);
}

#[tokio::test]
async fn each_effect_fails_in_each_way_and_only_a_lost_answer_leaves_it_done() {
    let (before, both, after) = (vec!["old"], vec!["new", "old"], vec!["new"]);
    for (number, undone, done) in [
        (1, &before, &before),
        (4, &before, &before),
        (5, &before, &both),
        (6, &both, &both),
        (7, &both, &after),
    ] {
        for (fault, left) in [
            (Fault::Fail, undone),
            (Fault::Crash, undone),
            (Fault::Lost, done),
        ] {
            let faults = Faults::at(number, fault, ErrorKind::Unavailable);
            let store = Faulty::new(with_old().await, faults.clone());
            let error = save(&store).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert_eq!(faults.count(), number, "{fault:?}");
            assert_eq!(&names(store.inner()).await, left, "{fault:?} at {number}");
            // The dead stay dead, the others go on.
            let later = store.list("").await;
            assert_eq!(later.is_err(), fault == Fault::Crash);
        }
    }
}

#[tokio::test]
async fn a_wrapper_without_faults_keeps_the_contract() {
    let store = Faulty::new(Memory::default(), Faults::none());
    crate::contract::run(&store).await;
    crate::contract::run_spool(&store).await;
}

#[tokio::test]
async fn a_tail_dies_with_the_process() {
    let faults = Faults::at(3, Fault::Crash, ErrorKind::Unavailable);
    let store = Faulty::new(Memory::default(), faults);
    let name = ObjectName::new("new").unwrap();
    let mut spool = store.spool(&name, Terms::default()).await.unwrap();
    spool.write(Bytes::from_static(b"some")).await.unwrap();
    let mut tail = spool.tail();
    assert_eq!(tail.next(2).await.unwrap(), "so");
    spool.write(Bytes::from_static(b"more")).await.unwrap_err();
    tail.next(1).await.unwrap_err();
}
