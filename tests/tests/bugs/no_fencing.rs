//! 1. A store that does not look at fencing tokens: a holder whose lease is over writes beside its successor.
//!
//! Twins differ by three lines: the store asks its fence.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::post;
use futures_util::future::LocalBoxFuture;
use murphy_chaos::core::Seed;
use murphy_chaos::{Client, Menu, World, always, sometimes};
use murphy_lease::fence::{FENCING_TOKEN, Fence};
use murphy_lease::{FencingToken, Locks, MemoryStore, Rank, Renewal, Ttl};
use tokio::time::{sleep, timeout};

use crate::harness::{Bug, Takes, Twin};
use crate::kit::{Memory, send};

pub(crate) const BUG: Bug = Bug {
    name: "no-fencing",
    source: include_str!("no_fencing.rs"),
    run,
    menu: || Menu::default().outages([Duration::from_secs(30)]).steps([]),
    runs: 600,
    breaks: "no stale write is admitted",
    takes: Takes::One,
};

const TTL: Ttl = Ttl::from_secs(8);

#[derive(Debug, Default)]
struct Orders {
    fence: Fence,
    newest: Option<Rank>,
}

fn store(orders: Memory<Orders>, twin: Twin) -> Router {
    let write = move |State(orders): State<Memory<Orders>>, headers: HeaderMap| async move {
        let token = headers.get(FENCING_TOKEN).and_then(|v| v.to_str().ok());
        let Some(Ok(token)) = token.map(str::parse::<FencingToken>) else {
            return StatusCode::BAD_REQUEST;
        };
        let mut orders = orders.lock();
        // Twins part.
        if twin.is_fixed() && orders.fence.admit(&token, None).is_err() {
            return StatusCode::PRECONDITION_FAILED;
        }
        // Twins meet.
        always!(
            orders.newest <= Some(token.rank()),
            "no stale write is admitted"
        );
        orders.newest = Some(token.rank());
        StatusCode::OK
    };
    Router::new()
        .route("/orders", post(write))
        .with_state(orders)
}

fn run(w: World, twin: Twin) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        w.serve("store", store(Memory::default(), twin));
        let leases = MemoryStore::new().counting();
        let holder = |name: &'static str| {
            // Of one seed they would draw one nonce: one claim, and so one grant.
            let locks = Locks::new(leases.clone()).seed(Seed::new(w.draw(name, 0).bits()));
            let store = w.client_from(name, "store");
            w.node(name).run(hold(name, store, locks.ttl(TTL)))
        };
        let (a, b) = (holder("a"), holder("b"));
        let later = async {
            sleep(Duration::from_secs(1)).await;
            b.await
        };
        let both = async { tokio::join!(biased; a, later) };
        let _ = timeout(Duration::from_secs(300), both).await;
    })
}

/// Looks whether it still holds the lease, and writes.
async fn hold(name: &'static str, store: Client, locks: Locks<MemoryStore>) {
    let Ok(lease) = locks.acquire("orders").renewing(Renewal::Never).await else {
        return;
    };
    let Ok(token) = lease.token() else { return };
    let write = Request::post("/orders").header(FENCING_TOKEN, token.to_string());
    let write = write.body(String::new()).expect("a request");
    let written = send(&store, name, Duration::from_secs(60), write).await;
    sometimes!(written.is_some(), "a holder writes");
    lease.lost().await;
}
