//! [`RedisStore`]: keys of many processes.

mod wire;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use murphy_core::{Key, Lane, Point, Seed, Stream};
use redis::Script;
use redis::aio::{ConnectionLike, ConnectionManager};

use self::wire::{HEAD, Record};
use super::store::{Begun, Store, StoreError, Ticket};
use super::{Fingerprint, Outcome};
use crate::BadKnob;

/// Remembers keys in Redis, for all processes that use one: for 24 hours, unless set.
///
/// Each key is one string of Redis, under a prefix. A handler that runs is a value that nobody else
/// has, set if there is none, which Redis forgets when its lease ends; it is exchanged for the reply,
/// or deleted, in a script that compares it first. So of two processes one runs the handler, and one
/// whose lease is over changes nothing. Time is Redis' own. Waiting repeats ask for the value's head
/// again and again, first after about 10 ms and then twice as long each time, up to half a second, each
/// with jitter of its own.
///
/// What it promises ends where Redis' does: a failover that loses a write, and an eviction policy
/// that takes what it was not to (`noeviction` or `volatile-ttl` is right), make a key as good as new.
/// How many keys there are at most is Redis' `maxmemory`; past it a key cannot begin, and gets 503.
/// Where Redis cannot be reached requests with a key get 503 as well: what cannot be checked is not
/// done. How long that takes to be found out is the connection's timeout. A caller who leaves while
/// its key is being set may leave it set until its lease ends.
///
/// Works with any connection that can be cloned; needs Redis 2.6.12 (scripts, `SET .. NX PX`).
#[derive(Clone)]
pub struct RedisStore<C = ConnectionManager> {
    connection: C,
    prefix: Cow<'static, str>,
    ttl: Duration,
    shared: Arc<Shared>,
}

struct Shared {
    begin: Script,
    finish: Script,
    release: Script,
    /// Who we are: no two processes have the same, also with one `MURPHY_SEED`.
    process: [Seed; 2],
    jitter: Stream,
    begun: AtomicU64,
    waits: AtomicU64,
}

/// Sets it if there is none, else says what there is.
const BEGIN: &str = r"
local was = redis.call('GET', KEYS[1])
if was then return was end
redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
return false";

/// Exchanges it, if it is still ours.
const FINISH: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Deletes it, if it is still ours.
const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

impl<C> RedisStore<C> {
    /// Over this connection.
    #[must_use]
    pub fn new(connection: C) -> Self {
        let process = [Seed::fresh(), Seed::fresh()];
        let shared = Shared {
            begin: Script::new(BEGIN),
            finish: Script::new(FINISH),
            release: Script::new(RELEASE),
            process,
            jitter: Stream::new(process[0], "redis", "idempotency", Lane::Jitter),
            begun: AtomicU64::new(0),
            waits: AtomicU64::new(0),
        };
        Self {
            connection,
            prefix: Cow::Borrowed("murphy:idempotency:"),
            ttl: Duration::from_secs(86_400),
            shared: Arc::new(shared),
        }
    }

    /// Keys are called so in Redis, and what they are; `murphy:idempotency:` unless set. Servers
    /// that do different things need prefixes that differ.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Cow<'static, str>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long replies are kept.
    ///
    /// # Errors
    ///
    /// [`BadKnob`]: less than a millisecond, which is as fine as Redis' clock, or more than a
    /// year.
    pub fn ttl(mut self, ttl: Duration) -> Result<Self, BadKnob> {
        if ttl < Duration::from_millis(1) || ttl > Duration::from_secs(86_400 * 366) {
            let remedy = "between 1ms and a year, longer than callers repeat for";
            return Err(BadKnob::new("ttl", format_args!("{ttl:?}"), remedy));
        }
        self.ttl = ttl;
        Ok(self)
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// A fence that nobody else has, and we had not before.
    fn fence(&self) -> u128 {
        let Shared { process, begun, .. } = &*self.shared;
        let point = Point::positional(begun.fetch_add(1, Relaxed));
        let [high, low] = process.map(|seed| {
            let stream = Stream::new(seed, "redis", "idempotency", Lane::Magnitude);
            u128::from(stream.at(point).bits())
        });
        high << 64 | low
    }
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Store for RedisStore<C> {
    async fn begin(
        &self,
        key: &Arc<str>,
        fingerprint: Fingerprint,
        lease: Duration,
    ) -> Result<Begun, StoreError> {
        let ticket = |fence| Ticket {
            key: Arc::clone(key),
            fingerprint,
            fence,
        };
        let ours = ticket(self.fence());
        let mut call = self.shared.begin.key(self.name(key));
        call.arg(&wire::running(&ours)[..]).arg(millis(lease));
        let mut connection = self.connection.clone();
        let was: Option<Vec<u8>> = call
            .invoke_async(&mut connection)
            .await
            .map_err(StoreError::new)?;
        let Some(was) = was else {
            return Ok(Begun::First(ours));
        };
        let Some(record) = wire::read(was) else {
            return Err(StoreError::new("a value that is none of ours"));
        };
        Ok(match record {
            Record { fingerprint: f, .. } if f != fingerprint => Begun::Mismatch,
            Record {
                outcome: None,
                fence,
                ..
            } => Begun::Running(ticket(fence)),
            Record {
                outcome: Some(outcome),
                ..
            } => Begun::Done(outcome),
        })
    }

    async fn finish(&self, ticket: &Ticket, outcome: Outcome) -> Result<bool, StoreError> {
        let mut call = self.shared.finish.key(self.name(&ticket.key));
        call.arg(&wire::running(ticket)[..])
            .arg(wire::done(ticket, &outcome))
            .arg(millis(self.ttl));
        let mut connection = self.connection.clone();
        call.invoke_async(&mut connection)
            .await
            .map_err(StoreError::new)
    }

    async fn release(&self, ticket: &Ticket) -> Result<bool, StoreError> {
        let mut call = self.shared.release.key(self.name(&ticket.key));
        call.arg(&wire::running(ticket)[..]);
        let mut connection = self.connection.clone();
        call.invoke_async(&mut connection)
            .await
            .map_err(StoreError::new)
    }

    async fn watch(&self, ticket: &Ticket) {
        let Shared { jitter, waits, .. } = &*self.shared;
        let waiter = Key::new(waits.fetch_add(1, Relaxed));
        let (name, ours) = (self.name(&ticket.key), wire::running(ticket));
        let mut connection = self.connection.clone();
        for n in 0.. {
            let draw = jitter.at(Point::keyed(waiter, n));
            tokio::time::sleep(pause(n, draw.unit())).await;
            let mut ask = redis::cmd("GETRANGE");
            ask.arg(&name).arg(0).arg(HEAD as isize - 1);
            let head: redis::RedisResult<Vec<u8>> = ask.query_async(&mut connection).await;
            // An answer that did not come tells nothing: whoever waits asks again, and sees.
            if head.is_ok_and(|head| head != ours) {
                return;
            }
        }
    }
}

/// The `n`-th pause: half of it for certain, the other half drawn.
fn pause(n: u64, unit: f64) -> Duration {
    let most = Duration::from_millis(10 << n.min(6)).min(Duration::from_millis(500));
    most.mul_f64(0.5 + unit / 2.0)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl<C> fmt::Debug for RedisStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_bounded() {
        for (n, unit, millis) in [
            (0, 0.0, 5.0),
            (0, 1.0, 10.0),
            (1, 0.0, 10.0),
            (5, 0.5, 240.0),
            (6, 1.0, 500.0),
            (u64::MAX, 1.0, 500.0),
        ] {
            assert_eq!(pause(n, unit).as_secs_f64() * 1e3, millis, "{n}, {unit}");
        }
    }
}
