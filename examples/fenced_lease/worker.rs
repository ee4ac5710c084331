//! A worker: pays in under a lock, and says what it does. Where it is told to, it stops and waits for a word.

use anyhow::{Context, Result, bail};
use axum::body::Body;
use examples::process::{orders, say};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use murphy_lease::fence::{AttachToken, Headers};
use murphy_lease::{FencingToken, Lease, Locks, Rank, Ttl};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::stores::{self, Store};

/// How long a lease is.
pub(crate) const TTL: Ttl = Ttl::from_secs(1);

/// What a worker is told: to pay in, and where to wait for a word.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) account: String,
    pub(crate) amount: i64,
    pub(crate) wait: Option<Place>,
}

/// Where a worker can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    BeforeCheck,
    AfterCheck,
    /// It waits for nobody: the network does.
    OnTheWay,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    Holds(Rank),
    Read {
        open: i64,
        fenced: i64,
    },
    Waits(Place),
    /// Its own check: it still holds the lock, or through what it lost it.
    Checked(Result<(), String>),
    Wrote {
        fenced: bool,
        amount: i64,
        refused: Option<String>,
    },
    Done,
}

struct Worker {
    locks: Locks<Store>,
    bank: String,
    client: Client<HttpConnector, Body>,
    orders: mpsc::Receiver<String>,
}

/// Until its parent is gone.
pub(crate) async fn run(store: &str, bank: &str) -> Result<()> {
    let orders = orders();
    let locks = Locks::new(stores::connect(store).await?).ttl(TTL);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut worker = Worker {
        locks,
        bank: bank.into(),
        client,
        orders,
    };
    while let Some(line) = worker.orders.recv().await {
        worker.pay(&serde_json::from_str(&line)?).await?;
        say(&Said::Done)?;
    }
    Ok(())
}

impl Worker {
    async fn pay(&mut self, order: &Order) -> Result<()> {
        let lease = self.acquire().await?;
        let token = lease.token()?.clone();
        let open = self.read("open", &order.account, &token).await?;
        let fenced = self.read("fenced", &order.account, &token).await?;
        say(&Said::Read { open, fenced })?;
        self.wait_at(Place::BeforeCheck, order).await?;

        let checked = lease.token().map(|_| ()).map_err(|lost| lost.to_string());
        let holds = checked.is_ok();
        say(&Said::Checked(checked))?;
        if !holds {
            return Ok(());
        }
        self.wait_at(Place::AfterCheck, order).await?;

        let (amount, account) = (order.amount, &order.account);
        let writes = (
            self.write("open", account, open + amount, &token),
            self.write("fenced", account, fenced + amount, &token),
        );
        let (open, fenced) = tokio::join!(writes.0, writes.1);
        open?;
        drop(lease);
        if !fenced? {
            // What a refused worker does: it begins again, as whoever holds the lock then.
            self.again(order).await?;
        }
        Ok(())
    }

    async fn again(
        &self,
        Order {
            account, amount, ..
        }: &Order,
    ) -> Result<()> {
        let lease = self.acquire().await?;
        let token = lease.token()?.clone();
        let balance = self.read("fenced", account, &token).await?;
        self.write("fenced", account, balance + amount, &token)
            .await?;
        lease.release().await?;
        Ok(())
    }

    async fn acquire(&self) -> Result<Lease> {
        let lease = self.locks.acquire("accounts").await?;
        say(&Said::Holds(lease.token()?.rank()))?;
        Ok(lease)
    }

    async fn wait_at(&mut self, place: Place, order: &Order) -> Result<()> {
        if order.wait == Some(place) {
            say(&Said::Waits(place))?;
            self.orders.recv().await.context("nobody gives the word")?;
        }
        Ok(())
    }

    async fn read(&self, kind: &str, account: &str, token: &FencingToken) -> Result<i64> {
        match self
            .send(Method::GET, kind, account, String::new(), token)
            .await?
        {
            (StatusCode::OK, balance) => Ok(balance.parse()?),
            (status, said) => bail!("{status}: {said}"),
        }
    }

    /// Whether it was taken.
    async fn write(
        &self,
        kind: &str,
        account: &str,
        amount: i64,
        token: &FencingToken,
    ) -> Result<bool> {
        let (status, said) = self
            .send(Method::PUT, kind, account, amount.to_string(), token)
            .await?;
        let refused = match status {
            StatusCode::OK => None,
            StatusCode::PRECONDITION_FAILED => Some(said),
            status => bail!("{status}: {said}"),
        };
        let taken = refused.is_none();
        say(&Said::Wrote {
            fenced: kind == "fenced",
            amount,
            refused,
        })?;
        Ok(taken)
    }

    /// With the token that it was granted, whatever has become of the lease since: this worker shows what a resource is up
    /// against. `FencedLayer` would look once more, and end a call with the lease.
    async fn send(
        &self,
        method: Method,
        kind: &str,
        account: &str,
        body: String,
        token: &FencingToken,
    ) -> Result<(StatusCode, String)> {
        let uri = format!("{}/{kind}/{account}", self.bank);
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Body::from(body))?;
        Headers::new().attach(token, &mut request);
        let reply = self.client.request(request).await?;
        let status = reply.status();
        let said = reply.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&said).into_owned()))
    }
}
