//! The payments service: it charges, and counts what it applied.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use murphy_policy::IdempotencyLayer;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// How long a charge takes to apply.
const WORK: Duration = Duration::from_millis(3);

/// What was charged: for each order, when. More than one is a mistake that somebody pays for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts(Arc<Mutex<BTreeMap<u64, Vec<Instant>>>>);

impl Accounts {
    /// When `order` was charged.
    pub(crate) fn charges(&self, order: u64) -> Vec<Instant> {
        self.locked().get(&order).cloned().unwrap_or_default()
    }

    /// How many orders were charged more than once.
    pub(crate) fn doubled(&self) -> usize {
        self.locked()
            .values()
            .filter(|charges| charges.len() > 1)
            .count()
    }

    fn charge(&self, order: u64) {
        self.locked().entry(order).or_default().push(Instant::now());
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Vec<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it answers.
pub(crate) fn router(accounts: Accounts) -> Router {
    Router::new()
        .route("/charge/{order}", post(charge))
        .with_state(accounts)
        // A charge that has a key is made once, however often it arrives.
        .layer(IdempotencyLayer::new())
}

/// Serves on a free port of loopback until the runtime ends.
pub(crate) async fn serve(accounts: Accounts) -> Result<SocketAddr> {
    let app = router(accounts);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn charge(State(accounts): State<Accounts>, Path(order): Path<u64>) -> &'static str {
    tokio::time::sleep(WORK).await;
    accounts.charge(order);
    "charged"
}
