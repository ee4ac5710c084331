//! The conformance suite on our locks, over the stores that need no server.

use std::time::Duration;

use murphy_lease::conformance::Promise;
use tests::conformance::{File, Memory, Quorum, keeps_all};

const TTL: Duration = Duration::from_millis(1500);

/// What is in memory ends with its process.
const BUT: &[Promise] = &[Promise::Recovers];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_all_promises_are_kept() {
    keeps_all(Memory::new(TTL), BUT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_file_all_promises_are_kept() {
    keeps_all(File::open(TTL), &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_quorum_all_promises_are_kept() {
    keeps_all(Quorum::new(TTL), BUT).await;
}
