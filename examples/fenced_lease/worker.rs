//! A worker: pays in under a lock, and says what it does. Where it is told to, it stops and waits for a word.

use anyhow::{Context, Result, bail};
use axum::body::Body;
use examples::process::{orders, say};
use http::response::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use murphy_lease::fence::{AttachToken, Headers, current_rank};
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
    HoldsUnfenced,
    /// A lease of so many seconds: some stores grant more than was asked for.
    Holds {
        rank: Rank,
        secs: u64,
    },
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

/// A write that was not taken, for the account has seen a later holder: of this rank.
struct Refused {
    seen: Option<Rank>,
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
        // The open account's lock proves nothing to it; the fenced one's has a token.
        let unfenced = self.locks.unfenced("accounts/open").await?;
        say(&Said::HoldsUnfenced)?;
        let lease = self.acquire(None).await?;
        let token = lease.token()?.clone();
        let open = self.read("open", &order.account, None).await?;
        let fenced = self.read("fenced", &order.account, Some(&token)).await?;
        say(&Said::Read { open, fenced })?;
        self.wait_at(Place::BeforeCheck, order).await?;

        let checked = match lease.token() {
            Err(lost) => Err(lost.to_string()),
            Ok(_) if !unfenced.is_valid() => Err("the lock of the open account is lost".into()),
            Ok(_) => Ok(()),
        };
        let holds = checked.is_ok();
        say(&Said::Checked(checked))?;
        if !holds {
            return Ok(());
        }
        self.wait_at(Place::AfterCheck, order).await?;

        let (amount, account) = (order.amount, &order.account);
        let writes = (
            self.write("open", account, open + amount, None),
            self.write("fenced", account, fenced + amount, Some(&token)),
        );
        let (open, fenced) = tokio::join!(writes.0, writes.1);
        let (_, fenced) = (open?, fenced?);
        drop((unfenced, lease));
        if let Err(refused) = fenced {
            // What a refused worker does: it begins again, as whoever holds the lock then.
            self.again(order, refused.seen).await?;
        }
        Ok(())
    }

    /// Above the rank that the account has seen: it takes nothing that is lower.
    async fn again(&self, order: &Order, seen: Option<Rank>) -> Result<()> {
        let Order {
            account, amount, ..
        } = order;
        let lease = self.acquire(seen).await?;
        let token = lease.token()?.clone();
        let balance = self.read("fenced", account, Some(&token)).await?;
        let written = self.write("fenced", account, balance + amount, Some(&token));
        if let Err(Refused { seen }) = written.await? {
            bail!("refused once more: {seen:?} was seen");
        }
        lease.release().await?;
        Ok(())
    }

    async fn acquire(&self, above: Option<Rank>) -> Result<Lease> {
        let mut asking = self.locks.acquire("accounts");
        if let Some(above) = above {
            asking = asking.above(above);
        }
        let lease = asking.await?;
        // What is off it for drift and margin is less than a second.
        let secs = lease.remaining().as_millis().div_ceil(1000);
        say(&Said::Holds {
            rank: lease.token()?.rank(),
            secs: u64::try_from(secs)?,
        })?;
        Ok(lease)
    }

    async fn wait_at(&mut self, place: Place, order: &Order) -> Result<()> {
        if order.wait == Some(place) {
            say(&Said::Waits(place))?;
            self.orders.recv().await.context("nobody gives the word")?;
        }
        Ok(())
    }

    async fn read(&self, kind: &str, account: &str, token: Option<&FencingToken>) -> Result<i64> {
        let reply = self.send(Method::GET, kind, account, String::new(), token);
        let (head, said) = reply.await?;
        match head.status {
            StatusCode::OK => Ok(said.parse()?),
            status => bail!("{status}: {said}"),
        }
    }

    async fn write(
        &self,
        kind: &str,
        account: &str,
        amount: i64,
        token: Option<&FencingToken>,
    ) -> Result<Result<(), Refused>> {
        let reply = self.send(Method::PUT, kind, account, amount.to_string(), token);
        let (head, said) = reply.await?;
        let (written, refused) = match head.status {
            StatusCode::OK => (Ok(()), None),
            StatusCode::PRECONDITION_FAILED => {
                let seen = current_rank(&head.headers)?;
                (Err(Refused { seen }), Some(said))
            }
            status => bail!("{status}: {said}"),
        };
        say(&Said::Wrote {
            fenced: kind == "fenced",
            amount,
            refused,
        })?;
        Ok(written)
    }

    /// With the token that it was granted, whatever has become of the lease since: this worker shows what a resource is up
    /// against. `FencedLayer` would look once more, and end a call with the lease.
    async fn send(
        &self,
        method: Method,
        kind: &str,
        account: &str,
        body: String,
        token: Option<&FencingToken>,
    ) -> Result<(Parts, String)> {
        let uri = format!("{}/{kind}/{account}", self.bank);
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Body::from(body))?;
        if let Some(token) = token {
            Headers::new().attach(token, &mut request);
        }
        let (head, body) = self.client.request(request).await?.into_parts();
        let said = body.collect().await?.to_bytes();
        Ok((head, String::from_utf8_lossy(&said).into_owned()))
    }
}
