//! [`RedisStore`]: leases in Redis.

mod link;
mod replica;
mod wire;

use std::fmt;
use std::future::{Future, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::BadKnob;
use redis::aio::ConnectionLike;
use redis::{Client, ErrorKind, RedisError, ServerErrorKind};
use tower_service::Service;

use self::link::Address;
pub use self::link::RedisLink;
use self::wire::{Answer, Scripts};
use super::error::{ConnectError, Patience, StoreError};
use super::event;
use crate::{LeaseReply, LeaseRequest};

/// Leases in one Redis, or whatever speaks like it. All clones share a connection.
///
/// Each lock is one string, and each request one script, so that a cluster can keep locks apart; time is the server's own.
/// The number of a grant is one above the last, or the server's clock in microseconds where that is more: so it rises
/// through a row that was deleted, evicted or flushed, a restart without persistence, and a failover to a replica that
/// lacks the last writes, unless the new server's clock is behind the old one's by more than the time between the two
/// grants. Then a resource refuses the new holder, not the old one, until he acquires above what it has seen.
///
/// What a failover, an eviction or a restart that does not bring its row back loses is the *lease*: for the rest of its time two
/// believe that they hold it. That is what the token is for, and why [`Claim::Exactly`](crate::Claim::Exactly), whose number no clock gives, needs a
/// server that forgets nothing: `maxmemory-policy noeviction` and `appendfsync always`. Rows numbered by the clock are
/// forgotten a week after their lease; all others are kept, and those of an era above the store's. Where the clock is set back,
/// a lease that runs ends at most its own length after somebody next asks.
///
/// There is no queue: a request is answered at once, whatever its `wait`, and who waits asks again: of a lock that is hardly ever free one
/// may be unlucky until any deadline. Releases are not published
/// (`PUBLISH`): who releases does not know whether anybody waits, so that each would be, in a cluster to all its nodes; and a
/// message is lost with its connection, so that who waits would have to ask again all the same. Redis 5 or later. A script takes the server some
/// 5 µs longer than a plain `SET`, which is what the token costs.
///
/// # Connection
///
/// Whatever became of it, it is dialled anew by who asks next; a server that refuses, ten times a second at most, and whoever asks
/// meanwhile waits for the next dial. It lives in the runtime of whoever dialled it. When that ends, whoever asks next in another is told that
/// it failed, and the call after that dials: [`acquire`](crate::Locks::acquire) asks again by itself,
/// [`try_acquire`](crate::Locks::try_acquire) does not.
///
/// Name and password are those of the URL that [`connect`](RedisStore::connect) was given: when the server has others, every call fails
/// ([`StoreError::Failed`]) until they are right again. [`connect_with`](RedisStore::connect_with) asks for them at each dial.
///
/// # Cancel safety
///
/// A call that is dropped may have been carried out: ask again under its nonce, or release by it.
pub struct RedisStore<C = RedisLink> {
    shared: Arc<Shared<C>>,
}

#[derive(Clone)]
struct Shared<C> {
    connection: C,
    scripts: Arc<Scripts>,
    prefix: Arc<str>,
    era: u32,
    keep: Duration,
    patience: Patience,
    /// The longest that it can be.
    most: Patience,
}

/// After which time without an answer a connection of ours is given up.
const DEAD: Duration = Duration::from_secs(1);

impl RedisStore {
    /// The Redis at `url`: `redis://[[user]:password@]host[:port][/database]`, or `unix:///path`. In a password
    /// `@`, `/`, `#`, `?` and `%` are percent-encoded.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] where that is no address, where who is there refuses, where nobody answers (a second for the connection, five for
    /// all that is asked), and where who does is older than Redis 5, or a replica. A server that evicts leases when it is full (any
    /// `maxmemory-policy` but `noeviction`) is used, with a warning.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let client = Client::open(url).map_err(no_address)?;
        Self::over(Box::new(move || Box::pin(ready(Ok(client.clone()))))).await
    }

    /// The Redis whose URL `address` gives, as [`connect`](Self::connect) takes it. It is asked at each dial, so that the store goes on, and
    /// leases stay held, where a password is changed or a server moves.
    ///
    /// It is asked in a task of its own, ten times a second at most, and has a second for its answer and the dial together.
    ///
    /// ```no_run
    /// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
    /// use murphy_lease::RedisStore;
    /// use std::io;
    ///
    /// let store = RedisStore::connect_with(|| async {
    ///     let password = std::fs::read_to_string("/run/secrets/redis")?;
    ///     io::Result::Ok(format!("redis://:{}@127.0.0.1:6379", password.trim()))
    /// });
    /// let store = store.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect); `address` that fails is [`ConnectError::Unreachable`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time.
    pub async fn connect_with<F, A, E>(address: F) -> Result<Self, ConnectError>
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let address = move || {
            let address = address();
            let client = async { Client::open(address.await.map_err(io::Error::other)?) };
            Box::pin(client) as _
        };
        Self::over(Box::new(address)).await
    }

    async fn over(address: Address) -> Result<Self, ConnectError> {
        let unreachable = |source| ConnectError::Unreachable {
            server: "redis",
            source,
        };
        let mut link = RedisLink::new(address, DEAD);
        let info = async {
            redis::cmd("PING").exec_async(&mut link).await?;
            // A user may lack the right to ask: then it is taken on trust.
            let info = redis::cmd("INFO").query_async(&mut link).await;
            redis::RedisResult::Ok(info.unwrap_or_default())
        };
        let info = tokio::time::timeout(Duration::from_secs(5), info).await;
        let info = info.map_err(|e| unreachable(e.into()))?;
        let info: String = info.map_err(|e| match e.kind() {
            ErrorKind::InvalidClientConfig => no_address(e),
            _ => unreachable(e.into()),
        })?;
        check(&info)?;
        let mut store = Self::new(link);
        let shared = Arc::make_mut(&mut store.shared);
        shared.most = Patience::of(DEAD);
        shared.patience = shared.most;
        Ok(store)
    }
}

impl<C: Clone> RedisStore<C> {
    /// Over a connection of your own: to a cluster, say, or over TLS. It has to connect anew by itself.
    ///
    /// The driver's `ConnectionManager` does, and asks a credentials provider for the password (`set_credentials_provider`, its feature
    /// `token-based-authentication`). But a password that is refused until its retries are used up is its answer from then on.
    #[must_use]
    pub fn new(connection: C) -> Self {
        let shared = Arc::new(Shared {
            connection,
            scripts: Arc::new(Scripts::new()),
            prefix: "murphy:lease:".into(),
            era: 0,
            keep: Duration::from_secs(7 * 24 * 60 * 60),
            patience: Patience::DEFAULT,
            most: Patience::of(Duration::from_secs(3600)),
        });
        Self { shared }
    }

    /// What the names of its keys begin with; `murphy:lease:` unless set.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        Arc::make_mut(&mut self.shared).prefix = prefix.into();
        self
    }

    /// The era of what it grants; 0 unless set. Raise it, for all that use this Redis, when numbers could fall: after a
    /// restore on a machine whose clock is behind. Where a row has a higher one, that is kept.
    #[must_use]
    pub fn era(mut self, era: u32) -> Self {
        Arc::make_mut(&mut self.shared).era = era;
        self
    }

    /// For how long an answer is waited for; 2 s unless set. Over a connection that [`connect`](RedisStore::connect) made it
    /// is a second at most, whatever is set: then that is taken for dead, and dialled anew.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] below 1 ms or above an hour.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, BadKnob> {
        let shared = Arc::make_mut(&mut self.shared);
        shared.patience = Patience::try_new(timeout)?.min(shared.most);
        Ok(self)
    }
}

impl<C: ConnectionLike + Clone> Shared<C> {
    async fn ask(&self, request: &LeaseRequest) -> Result<LeaseReply, StoreError> {
        let key = [&*self.prefix, request.lock().as_str()].concat();
        let (script, call) = self.scripts.call(request, &key, self.era, self.keep);
        let verb = request.verb();
        let mut connection = self.connection.clone();
        let answer = async {
            let answer: Result<Answer, _> = match call.query_async(&mut connection).await {
                Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    // It was restarted, or told to forget.
                    match script.prepare_invoke().load_async(&mut connection).await {
                        Ok(_) => call.query_async(&mut connection).await,
                        Err(e) => Err(e),
                    }
                }
                answered => answered,
            };
            let answer = answer.map_err(|e| StoreError::failed(verb, e))?;
            wire::reply(request, &answer)
        };
        self.patience.bound(verb, answer).await
    }
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Service<LeaseRequest> for RedisStore<C> {
    type Response = LeaseReply;
    type Error = StoreError;
    type Future = Pin<Box<dyn Future<Output = Result<LeaseReply, StoreError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.ask(&request).await })
    }
}

fn no_address(e: RedisError) -> ConnectError {
    ConnectError::BadAddress {
        server: "redis",
        source: e.into(),
        example: "redis://127.0.0.1:6379/0",
    }
}

/// What `INFO` says that matters to leases.
fn check(info: &str) -> Result<(), ConnectError> {
    let field = |name: &str| {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(n, _)| *n == name).map(|(_, value)| value)
    };
    let unfit = |what: String, remedy| {
        Err(ConnectError::Unfit {
            server: "redis",
            what,
            remedy,
        })
    };
    let version = field("redis_version").unwrap_or_default();
    let major = version.split('.').next().and_then(|n| n.parse().ok());
    if major.is_some_and(|major: u32| major < 5) {
        return unfit(format!("it is version {version}"), "use Redis 5 or later");
    }
    if field("role") == Some("slave") {
        let remedy = "give the address that leads to the primary";
        return unfit("it is a replica".into(), remedy);
    }
    if let Some(policy) = evicts(info) {
        event::evictable(policy);
    }
    Ok(())
}

/// By which policy it takes leases to make room, if it does: also by `volatile-*`, for most rows have a time to live.
fn evicts(info: &str) -> Option<&str> {
    let mut lines = info.lines();
    let policy = lines.find_map(|line| line.strip_prefix("maxmemory_policy:"))?;
    (policy != "noeviction").then_some(policy)
}

impl<C> Clone for RedisStore<C> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Self { shared }
    }
}

impl<C> fmt::Debug for RedisStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.shared.prefix)
            .field("era", &self.shared.era)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_keep_leases_is_named() {
        for (info, says) in [
            ("redis_version:7.0.15\r\nrole:master\r\n", ""),
            ("", ""),
            (
                "redis_version:4.0.9\r\n",
                "redis cannot keep leases: it is version 4.0.9: use Redis 5 or later",
            ),
            (
                "redis_version:7.2.0\r\nrole:slave\r\n",
                "redis cannot keep leases: it is a replica: give the address that leads to the primary",
            ),
        ] {
            let said = check(info).map_or_else(|e| e.to_string(), |()| String::new());
            assert_eq!(said, says);
        }
    }

    #[test]
    fn whatever_evicts_is_warned_of() {
        for (policy, warned) in [
            ("noeviction", None),
            ("allkeys-lru", Some("allkeys-lru")),
            ("volatile-ttl", Some("volatile-ttl")),
        ] {
            let info = format!("role:master\r\nmaxmemory_policy:{policy}\r\n");
            assert_eq!(evicts(&info), warned);
        }
        assert_eq!(evicts(""), None, "who may not ask is not warned");
    }

    #[test]
    fn that_it_evicts_is_told() {
        let told = |name: &str| name == "lease.evictable";
        crate::heard::is_told(crate::heard::STORES, told, || {
            check("maxmemory_policy:allkeys-lru\r\n").unwrap();
        });
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        let error = RedisStore::connect("http://here").await.unwrap_err();
        assert!(matches!(error, ConnectError::BadAddress { .. }), "{error}");
    }
}
