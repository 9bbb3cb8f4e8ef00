//! One suite for both near stores.

use rollsnap_store::contract;
use rollsnap_store::local::LocalDir;
use rollsnap_store::memory::Memory;

#[tokio::test]
async fn memory_keeps_the_contract() {
    let store = Memory::default();
    contract::run(&store).await;
    contract::run_spool(&store).await;
}

#[tokio::test]
async fn memory_goes_on_with_uploads_like_a_bucket_and_keeps_nothing_of_them() {
    let store = Memory::default();
    contract::run_tickets(&store).await;
    assert_eq!(store.unfinished(), []);
}

#[tokio::test]
async fn a_directory_keeps_the_contract_and_is_left_clean() {
    let place = tempfile::tempdir().unwrap();
    let store = LocalDir::open(place.path()).unwrap();
    contract::run(&store).await;
    contract::run_spool(&store).await;
    let left = std::fs::read_dir(place.path().join(".rollsnap/spool")).unwrap();
    assert_eq!(left.count(), 0);
}
