//! [`RedisLink`]: a connection to Redis that is dialled anew when it is of no use.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, ErrorKind, Pipeline, RedisFuture, RedisResult, ServerErrorKind, Value};
use tokio::time::Instant;

use crate::store::event;

/// A connection to Redis that is dialled anew when it is of no use: not only where it broke, as the driver's own
/// [`ConnectionManager`] does, but also where nothing is answered on it any more, and where the server that it leads to
/// has become a replica while its name leads to another. All clones are one connection.
#[derive(Clone)]
pub struct RedisLink(Arc<Shared>);

struct Shared {
    client: Client,
    timeout: Duration,
    dialled: Mutex<Dialled>,
    answers: AtomicU64,
}

#[derive(Clone)]
struct Dialled {
    manager: ConnectionManager,
    /// Which connection: a call that failed on an old one does not end a new one.
    number: u64,
}

impl RedisLink {
    /// The first call dials. `timeout`: how long whoever asks waits for an answer.
    pub(super) fn new(client: Client, timeout: Duration) -> RedisResult<Self> {
        let manager = dial(&client, timeout)?;
        let dialled = Mutex::new(Dialled { manager, number: 0 });
        Ok(Self(Arc::new(Shared {
            client,
            timeout,
            dialled,
            answers: AtomicU64::new(0),
        })))
    }

    fn begin(&self) -> Asked {
        let dialled = self.0.dialled.lock();
        let Dialled { manager, number } = dialled.unwrap_or_else(PoisonError::into_inner).clone();
        Asked {
            link: self.clone(),
            manager,
            number,
            answers: self.0.answers.load(Relaxed),
            at: Instant::now(),
            is_answered: false,
        }
    }

    fn redial(&self, number: u64) {
        let mut dialled = self
            .0
            .dialled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // What was dialled once can be dialled again: only a bad configuration fails.
        if dialled.number == number
            && let Ok(manager) = dial(&self.0.client, self.0.timeout)
        {
            event::redialled("redis");
            *dialled = Dialled {
                manager,
                number: number + 1,
            };
        }
    }
}

fn dial(client: &Client, timeout: Duration) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        // The store waits no longer than that: a second timer for each request would measure the same.
        .set_response_timeout(None)
        .set_connection_timeout(Some(timeout))
        // Whoever asks, asks again: a short patience here, for his is not known.
        .set_min_delay(Duration::from_millis(20))
        .set_max_delay(Duration::from_millis(200))
        .set_number_of_retries(2);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// A call on its way. Dropped without an answer after half the timeout, during which no other call was answered either,
/// it takes the connection for dead.
struct Asked {
    link: RedisLink,
    manager: ConnectionManager,
    number: u64,
    answers: u64,
    at: Instant,
    is_answered: bool,
}

impl Asked {
    /// `values`: what the answer consists of.
    fn answered<T>(
        mut self,
        result: RedisResult<T>,
        values: impl FnOnce(&T) -> &[Value],
    ) -> RedisResult<T> {
        let leads_to_replica = match &result {
            // Nobody was there: that is found out when this is dropped.
            Err(e) if e.is_timeout() => return result,
            Err(e) => e.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly),
            Ok(answer) => values(answer).iter().any(is_read_only),
        };
        self.is_answered = true;
        self.link.0.answers.fetch_add(1, Relaxed);
        if leads_to_replica {
            self.link.redial(self.number);
        }
        result
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let is_dead = || {
            self.link.0.answers.load(Relaxed) == self.answers
                && self.at.elapsed() >= self.link.0.timeout / 2
        };
        if !self.is_answered && is_dead() {
            self.link.redial(self.number);
        }
    }
}

/// The server has become a replica.
fn is_read_only(value: &Value) -> bool {
    matches!(value, Value::ServerError(e) if e.kind() == Some(ServerErrorKind::ReadOnly))
}

impl ConnectionLike for RedisLink {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let mut asked = self.begin();
        Box::pin(async move {
            let result = asked.manager.send_packed_command(cmd).await;
            asked.answered(result, std::slice::from_ref)
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let mut asked = self.begin();
        Box::pin(async move {
            let result = asked.manager.send_packed_commands(cmd, offset, count).await;
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
    use super::*;

    #[test]
    fn a_connection_of_no_use_is_told() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let told = |name: &str| name == "lease.redialled";
        crate::heard::is_told(crate::heard::STORES, told, || {
            runtime.block_on(async {
                let client = Client::open("redis://127.0.0.1:1").unwrap();
                let link = RedisLink::new(client, Duration::from_millis(2)).unwrap();
                let asked = link.begin();
                tokio::time::sleep(Duration::from_millis(2)).await;
                drop(asked);
            });
        });
    }
}
