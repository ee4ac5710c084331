//! What fences say, and count, is what their docs list.
#![cfg(feature = "http")]

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use http::{Request, Response};
use murphy_lease::fence::{FENCING_TOKEN, FenceGuardLayer, FencedLayer};
use murphy_lease::{Locks, MemoryStore};
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt, service_fn};

#[expect(dead_code, reason = "others need the rest")]
#[path = "told/heard.rs"]
mod heard;

const FENCES: (&str, &str) = (include_str!("../src/fence.rs"), "# Events and counters");

#[test]
fn everything_that_is_listed_is_said_and_counted() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let is_fences = |name: &str| name.starts_with("fence.");
    heard::is_told(FENCES, is_fences, || runtime.block_on(everything()));
}

async fn everything() {
    let lease = Locks::new(MemoryStore::new())
        .acquire("orders")
        .await
        .unwrap();
    let silent = service_fn(|_: Request<()>| pending::<Result<(), Infallible>>());
    let client = FencedLayer::new(lease.held()).layer(silent);
    let call = tokio::spawn(client.oneshot(Request::new(())));
    sleep(Duration::from_secs(1)).await;
    let token = lease.token().unwrap().to_string();
    lease.release().await.unwrap();
    call.await.unwrap().unwrap_err();

    let slow = service_fn(|_: Request<()>| async {
        sleep(Duration::from_secs(10)).await;
        Ok::<_, Infallible>(Response::new(()))
    });
    let server = FenceGuardLayer::serialize(|_| "orders".into()).layer(slow);
    let bare = server.clone().oneshot(Request::new(())).await.unwrap();
    assert_eq!(bare.status(), 428);
    let request = Request::builder().header(FENCING_TOKEN, token);
    let leaves = server.oneshot(request.body(()).unwrap());
    timeout(Duration::from_secs(1), leaves).await.unwrap_err();
}
