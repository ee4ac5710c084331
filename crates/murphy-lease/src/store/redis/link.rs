//! [`RedisLink`]: a connection to Redis that is dialled anew when it is of no use.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisFuture, RedisResult, Value};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::replica;
use crate::store::event;
use crate::store::silence::Silence;

/// A connection to Redis that is dialled anew when it is of no use: not only where it broke, as the driver's own
/// [`ConnectionManager`](redis::aio::ConnectionManager) does, but also where nothing is answered on it any more, and where
/// the server that it leads to has become a replica while its name leads to another. All clones are one connection.
#[derive(Clone)]
pub struct RedisLink(Arc<Shared>);

struct Shared {
    client: Client,
    config: AsyncConnectionConfig,
    timeout: Duration,
    line: Mutex<Line>,
    answers: AtomicU64,
}

struct Line {
    /// None: whoever asks next dials.
    way: Option<Way>,
    /// Which connection: a call that failed on an old one does not end a new one.
    number: u64,
    /// When it was dialled, or came up.
    since: Instant,
    silence: Silence,
}

#[derive(Clone)]
enum Way {
    Dialled(Dial),
    Up(MultiplexedConnection),
}

/// What becomes of a dial. It has a task of its own: so it gets there also where each who asks gives up sooner than it
/// takes, and nobody in another runtime touches what ends with that one.
type Dial = futures_util::future::Shared<oneshot::Receiver<RedisResult<MultiplexedConnection>>>;

impl RedisLink {
    /// The first call dials. `timeout`: how long whoever asks waits for an answer.
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        let config = AsyncConnectionConfig::new()
            // The store waits no longer than that: a second timer for each request would measure the same.
            .set_response_timeout(None)
            .set_connection_timeout(Some(timeout));
        let line = Line {
            way: None,
            number: 0,
            since: Instant::now(),
            silence: Silence::default(),
        };
        Self(Arc::new(Shared {
            client,
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
        let Line { way, since, .. } = &mut *line;
        let way = way.get_or_insert_with(|| {
            *since = at;
            Way::Dialled(self.dial())
        });
        let way = way.clone();
        let asked = Asked {
            link: self,
            number: line.number,
            answers: self.0.answers.load(Relaxed),
            at,
            is_answered: false,
        };
        (asked, way)
    }

    fn dial(&self) -> Dial {
        let (client, config) = (self.0.client.clone(), self.0.config.clone());
        let (tell, told) = oneshot::channel();
        let dial = async move {
            let dial = client.get_multiplexed_async_connection_with_config(&config);
            // Who asked may have left; another asks for it.
            let _ = tell.send(dial.await);
        };
        drop(tokio::spawn(dial));
        told.shared()
    }

    /// Of the connection of that number, if it is still that one.
    fn set(&self, number: u64, way: Option<Way>) -> bool {
        let mut line = self.line();
        let is_it = line.number == number;
        if is_it {
            line.number += u64::from(way.is_none());
            line.since = Instant::now();
            line.way = way;
        }
        is_it
    }

    fn redial(&self, number: u64) {
        if self.set(number, None) {
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
        let gone = || io::Error::other("the runtime in which it was dialled has ended").into();
        let dialled = dial.await.unwrap_or_else(|_| Err(gone()));
        let way = dialled.as_ref().ok().cloned().map(Way::Up);
        // Where nobody was reached, whoever asks next tries: what an old dial said is no answer to him.
        self.is_answered = way.is_none();
        self.link.set(self.number, way);
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
        self.0.client.get_connection_info().redis_settings().db()
    }
}

impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_connection_of_no_use_is_told() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let told = |name: &str| name == "lease.redialled";
        crate::heard::is_told(crate::heard::STORES, told, || {
            runtime.block_on(async {
                let client = Client::open("redis://127.0.0.1:1").unwrap();
                let link = RedisLink::new(client, Duration::from_millis(2));
                let asked = link.begin();
                tokio::time::sleep(Duration::from_millis(2)).await;
                drop(asked);
            });
        });
    }

    #[tokio::test]
    async fn a_dial_outlives_whoever_asked_for_it() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", server.local_addr().unwrap());
        let mut link = RedisLink::new(Client::open(url).unwrap(), Duration::from_secs(60));
        let ping = redis::cmd("PING");
        assert!(link.req_packed_command(&ping).now_or_never().is_none());
        let (mut dialled, _) = server.accept().await.unwrap();
        // What a client says of itself: nobody waits for the connection any more.
        assert!(dialled.read_u8().await.is_ok());
    }

    #[test]
    fn a_dial_that_ends_with_its_runtime_is_begun_again_in_another() {
        let runtime = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap()
        };
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", server.local_addr().unwrap());
        let mut link = RedisLink::new(Client::open(url).unwrap(), Duration::from_secs(60));
        let ping = redis::cmd("PING");
        runtime().block_on(async {
            assert!(link.req_packed_command(&ping).now_or_never().is_none());
            // It is under way.
            tokio::task::yield_now().await;
        });
        runtime().block_on(async {
            let gone = link.req_packed_command(&ping).await.unwrap_err();
            assert!(gone.is_io_error(), "{gone}");
            assert!(link.req_packed_command(&ping).now_or_never().is_none());
            assert!(matches!(link.line().way, Some(Way::Dialled(_))));
        });
    }

    #[tokio::test]
    async fn whoever_hangs_up_is_dialled_anew() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", server.local_addr().unwrap());
        let mut link = RedisLink::new(Client::open(url).unwrap(), Duration::from_secs(60));
        let ping = redis::cmd("PING");
        let hangs_up = async { drop(server.accept().await.unwrap()) };
        let (hung_up, ()) = tokio::join!(link.req_packed_command(&ping), hangs_up);
        assert!(hung_up.is_err_and(|e| e.is_io_error()));
        assert!(link.req_packed_command(&ping).now_or_never().is_none());
        assert!(server.accept().await.is_ok());
    }

    /// One that is up, and answers nothing.
    async fn silent() -> MultiplexedConnection {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let client = Client::open("redis://127.0.0.1:1").unwrap();
        tokio::spawn(async move {
            let _ = theirs.read_u8().await;
            // What it says when it comes up.
            theirs.write_all(b"+OK\r\n+OK\r\n").await.unwrap();
            std::future::pending::<()>().await;
        });
        let (info, config) = (client.get_connection_info(), AsyncConnectionConfig::new());
        let config = config.set_response_timeout(None);
        let info = info.redis_settings();
        let up = MultiplexedConnection::new_with_config(info, ours, config);
        let (connection, driver) = up.await.unwrap();
        tokio::spawn(driver);
        connection
    }

    fn is_up(link: &RedisLink) -> bool {
        matches!(link.line().way, Some(Way::Up(_)))
    }

    const LIMIT: Duration = Duration::from_secs(1);

    fn nobody() -> RedisLink {
        RedisLink::new(Client::open("redis://127.0.0.1:1").unwrap(), LIMIT)
    }

    /// Whoever asks, and gives up after so many milliseconds.
    async fn waits_in_vain(link: &RedisLink, millis: u64) {
        let (ping, mut link) = (redis::cmd("PING"), link.clone());
        let patience = Duration::from_millis(millis);
        let reply = tokio::time::timeout(patience, link.req_packed_command(&ping)).await;
        assert!(reply.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_left_however_short_each_waits() {
        let link = nobody();
        link.set(0, Some(Way::Up(silent().await)));
        for _ in 0..5 {
            assert!(is_up(&link));
            waits_in_vain(&link, 101).await;
        }
        assert!(!is_up(&link));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dial_is_not_begun_again_while_it_is_under_way() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", server.local_addr().unwrap());
        let link = RedisLink::new(Client::open(url).unwrap(), LIMIT);
        for left_early in [600, 300] {
            waits_in_vain(&link, left_early).await;
            assert_eq!(link.line().number, 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_dial_took_is_no_silence_of_the_connection() {
        let link = nobody();
        let (tell, told) = oneshot::channel();
        link.set(0, Some(Way::Dialled(told.shared())));
        let up = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let _ = tell.send(Ok(silent().await));
        };
        tokio::join!(up, waits_in_vain(&link, 1000));
        assert!(is_up(&link));
    }

    /// A runtime that nobody runs ends nothing.
    #[test]
    fn a_dial_that_gets_nowhere_is_begun_again() {
        let runtime = |is_paused| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().start_paused(is_paused);
            runtime.build().unwrap()
        };
        let (link, ping) = (nobody(), redis::cmd("PING"));
        let stands_still = runtime(false);
        stands_still.block_on(async {
            let mut link = link.clone();
            assert!(link.req_packed_command(&ping).now_or_never().is_none());
        });
        runtime(true).block_on(async {
            for _ in 0..11 {
                if link.line().number == 0 {
                    waits_in_vain(&link, 100).await;
                }
            }
            assert_eq!(link.line().number, 1);
        });
    }
}
