//! The bank: an axum server with two kinds of accounts, and a network before it that can be slow.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router};
use murphy_core::Seed;
use murphy_fault::{Chaos, Plan, TimeLimit};
use murphy_lease::FencingToken;
use murphy_lease::fence::{FenceGuardLayer, FencedFileError, FencedStore, FileFenced, StoreError};
use tokio::sync::mpsc;

/// What everybody starts with.
const BALANCE: i64 = 100;

/// What the network does to writes of the first worker, once it is armed: longer than two leases.
const SLOW: &str = r#"
    version = 1
    [[fault]]
    site = "worker-1->bank"
    kind = "latency"
    leg = "request"
    delay = "2500ms"
    only = ["PUT /*"]
    probability = 1
"#;

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
    fenced: FileFenced,
}

impl Bank {
    /// A server on a port of its own; the fenced accounts are in this file.
    pub(crate) async fn serve(file: &FilePath) -> Result<Self> {
        let fenced = FileFenced::open(file)?;
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

    /// From now on writes of the first worker take their time.
    pub(crate) fn slow_down(&self) -> Result<()> {
        let minute = std::time::Duration::from_secs(60);
        // It ends with the process.
        std::mem::forget(
            self.network
                .arm(&Plan::from_toml(SLOW)?, TimeLimit::After(minute))?,
        );
        Ok(())
    }

    /// What is in the account that takes what it is sent.
    pub(crate) fn open(&self, account: &str) -> i64 {
        self.accounts.open(account)
    }

    /// What is in the fenced one: its owner may look without a token.
    pub(crate) async fn fenced(&self, account: &str, token: &FencingToken) -> Result<i64> {
        let sealed = self.accounts.fenced.seal(account, token).await?;
        Ok(balance(sealed.value.as_deref()))
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

/// A holder that reads here has sealed: nobody before it writes any more.
async fn read_fenced(
    State(accounts): State<Accounts>,
    Path(account): Path<String>,
    Extension(token): Extension<FencingToken>,
) -> (StatusCode, String) {
    match accounts.fenced.seal(&account, &token).await {
        Ok(sealed) => (StatusCode::OK, balance(sealed.value.as_deref()).to_string()),
        Err(e) => refused(&e),
    }
}

async fn write_fenced(
    State(accounts): State<Accounts>,
    Path(account): Path<String>,
    Extension(token): Extension<FencingToken>,
    body: String,
) -> (StatusCode, String) {
    // One transaction looks at the token and writes.
    match accounts
        .fenced
        .write(&account, &token, body.into_bytes())
        .await
    {
        Ok(_) => (StatusCode::OK, String::new()),
        Err(e) => refused(&e),
    }
}

fn refused(error: &StoreError<FencedFileError>) -> (StatusCode, String) {
    let status = match error.refused() {
        Some(_) => StatusCode::PRECONDITION_FAILED,
        None => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string())
}

fn balance(kept: Option<&[u8]>) -> i64 {
    let text = kept.and_then(|kept| std::str::from_utf8(kept).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(BALANCE)
}
