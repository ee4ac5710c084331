//! The bank: an axum server with two kinds of accounts, and a network before it that can be slow.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router};
use murphy_core::Seed;
use murphy_fault::{Chaos, Plan, TimeLimit};
use murphy_lease::FencingToken;
use murphy_lease::fence::FenceGuardLayer;
use tokio::sync::mpsc;

use crate::accounts::{Denied, Fenced};

/// What everybody starts with.
pub(crate) const BALANCE: i64 = 100;

/// What the network does to writes of the first worker, once it is armed.
fn slow(delay: Duration) -> String {
    format!(
        r#"
        version = 1
        [[fault]]
        site = "worker-1->bank"
        kind = "latency"
        place = "wire"
        delay = "{}ms"
        only = ["PUT /*"]
        probability = 1
        "#,
        delay.as_millis()
    )
}

/// The bank, as the one who runs it sees it.
pub(crate) struct Bank {
    pub(crate) address: SocketAddr,
    accounts: Accounts,
    network: Chaos,
    /// Writes of the first worker that are on their way.
    pub(crate) sent: mpsc::Receiver<()>,
}

#[derive(Clone)]
struct Accounts {
    /// These take what they are sent.
    open: Arc<Mutex<BTreeMap<String, i64>>>,
    /// These take it from the latest holder that they have heard of.
    fenced: Fenced,
}

impl Bank {
    /// A server on a port of its own; the fenced accounts are beside the leases, or in this file.
    pub(crate) async fn serve(store: &str, file: &FilePath) -> Result<Self> {
        let fenced = Fenced::open(store, file).await?;
        let accounts = Accounts {
            open: Arc::default(),
            fenced,
        };
        let network = Chaos::new(Seed::new(7));
        let (departs, sent) = mpsc::channel(16);
        let first = network.site("worker-1->bank").layer().http();
        let first = routes(accounts.clone())
            .layer(first)
            .layer(from_fn_with_state(departs, note));
        let router = Router::new()
            .nest("/worker-1", first)
            .nest("/worker-2", routes(accounts.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            address,
            accounts,
            network,
            sent,
        })
    }

    /// From now on writes of the first worker take that long.
    pub(crate) fn slow_down(&self, delay: Duration) -> Result<()> {
        let minute = Duration::from_secs(60);
        // It ends with the process.
        std::mem::forget(
            self.network
                .arm(&Plan::from_toml(&slow(delay))?, TimeLimit::After(minute))?,
        );
        Ok(())
    }

    /// What is in the account that takes what it is sent.
    pub(crate) fn open(&self, account: &str) -> i64 {
        self.accounts.open(account)
    }

    /// Opens a fenced account with what everybody starts with: its owner has to hold the lock.
    pub(crate) async fn begin(&self, account: &str, token: &FencingToken) -> Result<()> {
        let written = self.accounts.fenced.write(account, token, BALANCE).await;
        written.map_err(|denied| anyhow!("{account}: {denied}"))
    }

    /// What is in the fenced one: its owner has to hold the lock for that, too.
    pub(crate) async fn fenced(&self, account: &str, token: &FencingToken) -> Result<i64> {
        let read = self.accounts.fenced.read(account, token).await;
        read.map_err(|denied| anyhow!("{account}: {denied}"))
    }
}

fn routes(accounts: Accounts) -> Router {
    let fenced = Router::new()
        .route("/fenced/{account}", get(read_fenced).put(write_fenced))
        .route_layer(FenceGuardLayer::pass_through());
    Router::new()
        .route("/open/{account}", get(read_open).put(write_open))
        .merge(fenced)
        .with_state(accounts)
}

async fn note(
    State(departs): State<mpsc::Sender<()>>,
    request: Request,
    next: Next,
) -> impl IntoResponse {
    if request.method() == Method::PUT {
        let _ = departs.try_send(());
    }
    next.run(request).await
}

impl Accounts {
    fn open(&self, account: &str) -> i64 {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(account).copied().unwrap_or(BALANCE)
    }
}

async fn read_open(State(accounts): State<Accounts>, Path(account): Path<String>) -> String {
    accounts.open(&account).to_string()
}

async fn write_open(
    State(accounts): State<Accounts>,
    Path(account): Path<String>,
    body: String,
) -> StatusCode {
    let Ok(amount) = body.parse() else {
        return StatusCode::BAD_REQUEST;
    };
    let mut open = accounts.open.lock().unwrap_or_else(PoisonError::into_inner);
    open.insert(account, amount);
    StatusCode::OK
}

async fn read_fenced(
    State(accounts): State<Accounts>,
    Path(account): Path<String>,
    Extension(token): Extension<FencingToken>,
) -> Result<String, Denied> {
    let balance = accounts.fenced.read(&account, &token).await?;
    Ok(balance.to_string())
}

async fn write_fenced(
    State(accounts): State<Accounts>,
    Path(account): Path<String>,
    Extension(token): Extension<FencingToken>,
    body: String,
) -> Result<(), Denied> {
    let amount = body.parse();
    let bad = |_| Denied::Failed(StatusCode::BAD_REQUEST, format!("no amount: {body:?}"));
    let amount = amount.map_err(bad)?;
    accounts.fenced.write(&account, &token, amount).await
}
