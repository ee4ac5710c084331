//! [`RedisLink`]: a connection to Redis that is dialled anew when it is of no use.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisFuture, RedisResult, Value};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::replica;
use crate::store::event;
use crate::store::silence::Silence;

/// A connection to Redis that is dialled anew when it is of no use: not only where it broke, as the driver's own
/// [`ConnectionManager`](redis::aio::ConnectionManager) does, but also where nothing is answered on it any more, and where
/// the server that it leads to has become a replica while its name leads to another. All clones are one connection.
#[derive(Clone)]
pub struct RedisLink(Arc<Shared>);

/// Whom to dial, asked at each dial.
pub(super) type Address =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = RedisResult<Client>> + Send>> + Send + Sync>;

struct Shared {
    address: Address,
    config: AsyncConnectionConfig,
    timeout: Duration,
    line: Mutex<Line>,
    answers: AtomicU64,
}

struct Line {
    /// None: whoever asks next dials.
    way: Option<Way>,
    /// Which dial, and what came of it: a call that failed on an old connection does not end a new one.
    number: u64,
    /// When it was dialled, or came up.
    since: Instant,
    /// It is not dialled before then.
    next: Instant,
    silence: Silence,
}

#[derive(Clone)]
enum Way {
    Dialled(Dial),
    Up(MultiplexedConnection),
}

/// A server that refuses is not dialled for each request, for thousands may wait for it: who asks within this time waits for the end of
/// it, and for one dial with all others.
const PAUSE: Duration = Duration::from_millis(100);

/// What becomes of a dial. It has a task of its own: so it gets there also where each who asks gives up sooner than it
/// takes, and nobody in another runtime touches what ends with that one.
type Dial = futures_util::future::Shared<oneshot::Receiver<RedisResult<MultiplexedConnection>>>;

impl RedisLink {
    /// The first call dials. `timeout`: how long whoever asks waits for an answer.
    pub(super) fn new(address: Address, timeout: Duration) -> Self {
        let config = AsyncConnectionConfig::new()
            // The store waits no longer than that: a second timer for each request would measure the same.
            .set_response_timeout(None)
            // The address has to be found in that time as well.
            .set_connection_timeout(None);
        let line = Line {
            way: None,
            number: 0,
            since: Instant::now(),
            next: Instant::now(),
            silence: Silence::default(),
        };
        Self(Arc::new(Shared {
            address,
            config,
            timeout,
            line: Mutex::new(line),
            answers: AtomicU64::new(0),
        }))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In a runtime: it may dial.
    fn begin(&self) -> (Asked<'_>, Way) {
        let mut line = self.line();
        let at = Instant::now();
        let way = line.way.clone().unwrap_or_else(|| {
            line.number += 1;
            line.since = at.max(line.next);
            let dial = self.dial(line.since);
            line.way.insert(Way::Dialled(dial)).clone()
        });
        let asked = Asked {
            link: self,
            number: line.number,
            answers: self.0.answers.load(Relaxed),
            at,
            is_answered: false,
        };
        (asked, way)
    }

    fn dial(&self, at: Instant) -> Dial {
        let (tell, told) = oneshot::channel();
        let shared = Arc::clone(&self.0);
        drop(tokio::spawn(async move {
            sleep_until(at).await;
            let dial = async {
                let client = (shared.address)().await?;
                let config = &shared.config;
                client
                    .get_multiplexed_async_connection_with_config(config)
                    .await
            };
            let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
            let dialled = timeout(shared.timeout, dial).await;
            // Who asked may have left; another asks for it.
            let _ = tell.send(dialled.unwrap_or_else(late));
        }));
        told.shared()
    }

    /// A dial came to that, and the next has to wait so long: whoever waited for it says so, and the first is heard.
    fn dialled(&self, number: u64, way: Option<Way>, pause: Duration) {
        let mut line = self.line();
        if line.number == number && matches!(line.way, Some(Way::Dialled(_))) {
            line.since = Instant::now();
            line.next = line.since + pause;
            line.way = way;
        }
    }

    fn redial(&self, number: u64) {
        let mut line = self.line();
        if line.number == number && line.way.take().is_some() {
            drop(line);
            event::redialled("redis");
        }
    }

    /// Whether that it was given up says that the connection is dead.
    fn is_dead(&self, given_up: &Asked<'_>) -> bool {
        let (now, timeout) = (Instant::now(), self.0.timeout);
        let mut line = self.line();
        if line.number != given_up.number {
            return false;
        }
        let Line {
            way,
            since,
            silence,
            ..
        } = &mut *line;
        if !matches!(way, Some(Way::Up(_))) {
            // ## It would have ended by itself: nobody runs the runtime that it is in.
            return now.saturating_duration_since(*since) >= timeout;
        }
        silence.heard(self.0.answers.load(Relaxed));
        let at = given_up.at.max(*since);
        silence.in_vain(given_up.answers, at, now, timeout / 2)
    }
}

/// A call on its way. The connection is dead where such were dropped without an answer that together waited for half the
/// timeout, during which no other call was answered either; a dial, where it was not done when its timeout had passed.
struct Asked<'a> {
    link: &'a RedisLink,
    number: u64,
    answers: u64,
    at: Instant,
    is_answered: bool,
}

impl Asked<'_> {
    async fn connection(&mut self, way: Way) -> RedisResult<MultiplexedConnection> {
        let dial = match way {
            Way::Up(connection) => return Ok(connection),
            Way::Dialled(dial) => dial,
        };
        let (dialled, pause) = match dial.await {
            Ok(Ok(up)) => (Ok(up), Duration::ZERO),
            Ok(Err(e)) => (Err(e), PAUSE),
            Err(_) => {
                let gone = "the runtime in which it was dialled has ended";
                (Err(io::Error::other(gone).into()), Duration::ZERO)
            }
        };
        self.is_answered = dialled.is_err();
        let way = dialled.as_ref().ok().cloned().map(Way::Up);
        self.link.dialled(self.number, way, pause);
        dialled
    }

    /// `values`: what the answer consists of.
    fn answered<T>(
        mut self,
        result: RedisResult<T>,
        values: impl FnOnce(&T) -> &[Value],
    ) -> RedisResult<T> {
        let is_of_no_use = match &result {
            Err(e) => replica::has_failed(e) || e.is_unrecoverable_error(),
            Ok(answer) => values(answer).iter().any(replica::has_answered),
        };
        self.is_answered = true;
        self.link.0.answers.fetch_add(1, Relaxed);
        if is_of_no_use {
            self.link.redial(self.number);
        }
        result
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.is_answered && self.link.is_dead(self) {
            self.link.redial(self.number);
        }
    }
}

impl ConnectionLike for RedisLink {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let (mut asked, way) = self.begin();
            let mut connection = asked.connection(way).await?;
            let result = connection.send_packed_command(cmd).await;
            asked.answered(result, std::slice::from_ref)
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let (mut asked, way) = self.begin();
            let mut connection = asked.connection(way).await?;
            let result = connection.send_packed_commands(cmd, offset, count).await;
            asked.answered(result, Vec::as_slice)
        })
    }

    fn get_db(&self) -> i64 {
        match &self.line().way {
            Some(Way::Up(connection)) => connection.get_db(),
            _ => 0,
        }
    }
}

impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
