//! 9. A new holder that reads before it has shown its token: what it read is not what it writes over.
//!
//! Twins differ by three lines: what is read is sealed first.

use std::collections::BTreeSet;
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
use crate::kit::{Answer, Memory, send};

pub(crate) const BUG: Bug = Bug {
    name: "lost-update",
    source: include_str!("lost_update.rs"),
    run,
    menu: || Menu::default().outages([Duration::from_secs(10)]).steps([]),
    runs: 450,
    breaks: "no update is lost",
    takes: Takes::One,
};

const TTL: Ttl = Ttl::from_secs(8);
/// How long a holder works on what it has read.
const WORK: Duration = Duration::from_secs(4);

#[derive(Debug, Default)]
struct Stock {
    fence: Fence,
    value: u64,
    /// Whose writes were admitted: each adds one.
    writers: BTreeSet<Rank>,
}

type Shared = Memory<Stock>;

fn token(headers: &HeaderMap) -> Option<FencingToken> {
    headers.get(FENCING_TOKEN)?.to_str().ok()?.parse().ok()
}

/// Reads and writes; who writes with a token that is not the newest is refused.
fn store(stock: Shared) -> Router {
    let read = async |State(stock): State<Shared>| stock.lock().value.to_string();
    let seal = async |State(stock): State<Shared>, headers: HeaderMap| {
        let mut stock = stock.lock();
        let admitted = token(&headers).map(|token| stock.fence.admit(&token, None));
        match admitted {
            Some(Ok(_)) => (StatusCode::OK, stock.value.to_string()),
            _ => (StatusCode::PRECONDITION_FAILED, String::new()),
        }
    };
    let write = async |State(stock): State<Shared>, headers: HeaderMap, value: String| {
        let mut stock = stock.lock();
        let (Some(token), Ok(value)) = (token(&headers), value.parse()) else {
            return StatusCode::BAD_REQUEST;
        };
        if stock.fence.admit(&token, None).is_err() {
            return StatusCode::PRECONDITION_FAILED;
        }
        stock.writers.insert(token.rank());
        stock.value = value;
        StatusCode::OK
    };
    Router::new()
        .route("/read", post(read))
        .route("/seal", post(seal))
        .route("/write", post(write))
        .with_state(stock)
}

/// Adds one, under a lease.
async fn add(name: &'static str, store: Client, locks: Locks<MemoryStore>, twin: Twin) {
    let Ok(lease) = locks.acquire("stock").renewing(Renewal::Never).await else {
        return;
    };
    let Ok(token) = lease.token() else { return };
    let ask = async |path: &str, body: String| -> Option<Answer> {
        let request = Request::post(path).header(FENCING_TOKEN, token.to_string());
        let request = request.body(body).expect("a request");
        send(&store, name, Duration::from_secs(30), request).await
    };
    let mut path = "/read";
    // Twins part.
    if twin.is_fixed() {
        path = "/seal";
    }
    // Twins meet.
    if let Some((StatusCode::OK, value)) = ask(path, String::new()).await {
        sleep(WORK).await;
        let value: u64 = value.parse().expect("a number");
        let written = ask("/write", (value + 1).to_string()).await;
        sometimes!(written.is_some(), "a holder writes");
    }
    lease.lost().await;
}

fn run(w: World, twin: Twin) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        let stock = Shared::default();
        w.serve("store", store(stock.clone()));
        let leases = MemoryStore::new().counting();
        let adder = |name: &'static str| {
            // Of one seed they would draw one nonce: one claim, and so one grant.
            let locks = Locks::new(leases.clone())
                .seed(Seed::new(w.draw(name, 0).bits()))
                .ttl(TTL);
            w.node(name)
                .run(add(name, w.client_from(name, "store"), locks, twin))
        };
        let (a, b) = (adder("a"), adder("b"));
        let later = async {
            sleep(Duration::from_secs(1)).await;
            b.await
        };
        let both = async { tokio::join!(biased; a, later) };
        let _ = timeout(Duration::from_secs(300), both).await;
        let stock = stock.lock();
        let (value, writers) = (stock.value, stock.writers.len());
        always!(
            value == writers as u64,
            "no update is lost",
            "{value} of {writers}"
        );
    })
}
