//! Fenced stores that need no server: each keeps the one contract.

use murphy_lease::fence::{FileFenced, MemoryFenced};
use tests::fenced::{keeps_order_among_many, keeps_the_contract};

#[tokio::test]
async fn the_one_in_memory_keeps_the_contract() {
    let store = MemoryFenced::new();
    keeps_the_contract(store, |store, horizon, clock| {
        store.horizon(horizon).clock(clock)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_in_memory_keeps_order_among_many() {
    keeps_order_among_many(MemoryFenced::new()).await;
}

#[tokio::test]
async fn the_one_in_a_file_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileFenced::open(folder.path().join("fenced")).unwrap();
    keeps_the_contract(store, |store, horizon, clock| {
        store.horizon(horizon).clock(clock)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_in_a_file_keeps_order_among_many() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileFenced::open(folder.path().join("fenced")).unwrap();
    keeps_order_among_many(store).await;
}
