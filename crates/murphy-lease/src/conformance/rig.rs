//! [`Rig`] and [`Client`]: what is put to the test.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::Wire;

/// Any error.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a lock says, if it has a way to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer<T> {
    /// It says so.
    Says(T),
    /// It has no way to say it.
    Nothing,
}

/// The rig cannot do that, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unable(pub &'static str);

/// What a program holds of a lock: a client, and the guards that it is given. Used on one thread alone, so that its futures
/// need not be `Send`.
///
/// # How signs of a loss are judged
///
/// [`believes`](Self::believes), [`lost`](Self::lost) and a [`token`](Self::token) that is refused are the signs of a loss. Each one
/// that is offered has to tell, by itself: a `believes` that is right is no excuse for a `lost` that never ends, for somebody waits for
/// that. The verdict names the sign that did not.
///
/// `believes` and `token` are judged by what they say at once. `lost`, which nobody asks, may end late by [`Rig::slack`] (and where
/// it is about answers that are late, by half of how late they are, if that is less). Where nothing happened, one sign of a loss is
/// enough to break a promise. Offer what the lock has, and nothing else: a sign that the rig makes up is judged, too.
pub trait Client: 'static {
    /// A lock that is held.
    type Held: 'static;

    /// Waits for the lock, until `patience` is over.
    ///
    /// With a client that has no deadline of its own, end the wait as one of its users would.
    fn acquire(
        &self,
        lock: &str,
        ttl: Duration,
        patience: Duration,
    ) -> impl Future<Output = Result<Self::Held, BoxError>>;

    /// Gives it back, in good order.
    fn release(&self, held: Self::Held) -> impl Future<Output = Result<(), BoxError>>;

    /// Its fencing token, as a number that is to rise; `Err` if the lock says that it is lost. One that is lost with the lock
    /// is also something to [believe](Self::believes) by; that there is one is not.
    fn token(&self, held: &Self::Held) -> Offer<Result<u128, BoxError>>;

    /// Whether, by all that a program can ask without a request, the lock is still held. Right whenever it is asked.
    fn believes(&self, held: &Self::Held) -> Offer<bool>;

    /// Ends when the lock says by itself that it is lost, and not before: by [`Rig::slack`] after that at the latest. `None` if it has
    /// no such thing. Polled from the grant on, also after the lock was released or dropped: then it is asked for nothing.
    fn lost(&self, held: &Self::Held) -> Option<Pin<Box<dyn Future<Output = ()>>>>;
}

/// How a client is made, and what can be done to its store.
pub trait Rig: Send + Sync + 'static {
    /// What it makes.
    type Client: Client;

    /// What is put to the test, with its version.
    fn name(&self) -> String;

    /// A client whose connection to the store goes through `wire`, and that knows nothing of any other. Made on the thread
    /// that will use it.
    fn connect(&self, wire: Wire) -> impl Future<Output = Result<Self::Client, BoxError>>;

    /// The same, but by a clock that runs slow: as slow as the lock says that it bears, for one that says so and whose clock can be
    /// set. The plainer the better: of half the rate.
    ///
    /// # Errors
    ///
    /// [`Unable`], as by default, if that cannot be done.
    fn connect_slow(&self, wire: Wire) -> impl Future<Output = Result<Self::Client, BoxError>> {
        let _ = wire;
        async { Err(Unable("the rig cannot set its clock").into()) }
    }

    /// Have the store forget all that it knows: `FLUSHALL`, an empty disk.
    ///
    /// # Errors
    ///
    /// [`Unable`], as by default, if that cannot be done.
    fn wipe(&self, lock: &str) -> impl Future<Output = Result<(), Unable>> + Send {
        let _ = lock;
        async { Err(Unable("the rig cannot wipe its store")) }
    }

    /// Have the store end and begin again, with what it keeps on disk, and its connections lost.
    ///
    /// # Errors
    ///
    /// [`Unable`], as by default, if that cannot be done.
    fn restart(&self) -> impl Future<Output = Result<(), Unable>> + Send {
        async { Err(Unable("the rig cannot restart its store")) }
    }

    /// Whether a lock that is held renews itself. If not, the promises about renewal are missing.
    fn renews(&self) -> bool {
        true
    }

    /// How long leases are: a second by default. Some stores take no shorter ones than two.
    fn ttl(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// How late may be on time: a fifth of the ttl by default. Timers, threads and the store need it.
    fn slack(&self) -> Duration {
        self.ttl() / 5
    }
}
