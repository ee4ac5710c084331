//! The conformance suite on our locks, over the stores that need no server.

use std::time::Duration;

use murphy_lease::conformance::Promise;
#[cfg(unix)]
use tests::conformance::Socket;
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

/// It caught a client that gave back what it had been granted when it asked once more.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_the_socket_of_a_file_all_that_can_be_tried_is_kept() {
    let server_stays = [
        Promise::TellsOfRevocation,
        Promise::Recovers,
        Promise::TokensSurviveWipe,
    ];
    keeps_all(Socket::serve(Duration::from_secs(2)).await, &server_stays).await;
}
