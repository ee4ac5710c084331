//! [`StoreError`]: what became of a request is not known. [`ConnectError`]: a store that could not be used from the start.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::BadKnob;
use pin_project::pin_project;
use tokio::time::Timeout;

type BoxError = Box<dyn Error + Send + Sync>;

/// A store's server did not answer, or not so that it could be understood: whether it did what it was asked is not
/// known. Ask again under the same nonce, or release by it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer in time.
    #[error("no answer to `{verb}` within {timeout:?}: it may have been done")]
    Elapsed {
        /// What was asked: `acquire`, `renew`, `release` or `observe`.
        verb: &'static str,
        /// The store's timeout.
        timeout: Duration,
    },
    /// The connection or the server failed.
    #[error("`{verb}` failed, and may have been done: {source}")]
    Failed {
        /// What was asked.
        verb: &'static str,
        /// The driver's error.
        source: BoxError,
    },
    /// The server answered what this store never wrote: another program uses its keys, or another version of this one.
    #[error("`{verb}`: {what} is none of ours: give the store a prefix, or a table, of its own")]
    Nonsense {
        /// What was asked.
        verb: &'static str,
        /// What was answered, at most 100 characters of it.
        what: String,
    },
    /// The store cannot do that. Nothing was changed.
    #[error("`{verb}` of {what}: {remedy}")]
    Unfit {
        /// What was asked.
        verb: &'static str,
        /// What about it.
        what: String,
        /// What to do instead.
        remedy: &'static str,
    },
}

/// A store that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It has no such address, or an option that is none.
    #[error("not an address of {server}: {source}: write `{example}`")]
    BadAddress {
        /// Which server: `redis`, `postgres` or `etcd`.
        server: &'static str,
        /// What the driver says.
        source: BoxError,
        /// What one looks like.
        example: &'static str,
    },
    /// Nobody is there, or does not let us in.
    #[error(
        "{server} cannot be reached: {source}: is it running, and are name and password right?"
    )]
    Unreachable {
        /// Which server.
        server: &'static str,
        /// What the driver says.
        source: BoxError,
    },
    /// It is there, and is not fit to keep leases.
    #[error("{server} cannot keep leases: {what}: {remedy}")]
    Unfit {
        /// Which server.
        server: &'static str,
        /// Why not.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

impl StoreError {
    pub(crate) fn failed(verb: &'static str, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        Self::Failed { verb, source }
    }

    pub(crate) fn nonsense(verb: &'static str, what: impl fmt::Debug) -> Self {
        let what = format!("{what:?}").chars().take(100).collect();
        Self::Nonsense { verb, what }
    }
}

/// How long a store waits for its server's answer, from 1 ms to an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Patience(Duration);

impl Patience {
    /// Two seconds: longer than a failover's reconnect, a fifth of the default lease.
    pub(crate) const DEFAULT: Self = Self(Duration::from_secs(2));

    pub(crate) fn try_new(timeout: Duration) -> Result<Self, BadKnob> {
        if (Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&timeout) {
            return Ok(Self(timeout));
        }
        let remedy = "use 1 ms to 1 h, below the lease's time to live; 2 s suits most";
        Err(BadKnob::new("timeout", format_args!("{timeout:?}"), remedy))
    }

    /// So much, which is within bounds.
    #[cfg(feature = "redis")]
    pub(crate) const fn of(timeout: Duration) -> Self {
        Self(timeout)
    }

    #[cfg(feature = "etcd")]
    pub(crate) const fn get(self) -> Duration {
        self.0
    }

    /// What `work` gives, if it does in time.
    pub(crate) fn bound<F: Future>(self, verb: &'static str, work: F) -> Bounded<F> {
        let timeout = self.0;
        let work = tokio::time::timeout(timeout, work);
        Bounded {
            work,
            verb,
            timeout,
        }
    }
}

/// Work that is waited for so long. By hand, for each request is one: an `async fn` keeps what it awaits twice.
#[pin_project]
pub(crate) struct Bounded<F> {
    #[pin]
    work: Timeout<F>,
    verb: &'static str,
    timeout: Duration,
}

impl<T, F: Future<Output = Result<T, StoreError>>> Future for Bounded<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let (verb, timeout) = (*this.verb, *this.timeout);
        let done = this.work.poll(cx);
        done.map(|done| done.unwrap_or(Err(StoreError::Elapsed { verb, timeout })))
    }
}

/// Whole microseconds, rounded up.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(any(feature = "postgres", feature = "redis"))]
    fn microseconds_are_rounded_up() {
        for (nanos, want) in [(0, 0), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(micros(Duration::from_nanos(nanos)), want, "{nanos}");
        }
        assert_eq!(micros(Duration::MAX), i64::MAX);
    }

    #[test]
    fn a_timeout_of_nothing_is_refused() {
        let said = Patience::try_new(Duration::ZERO).unwrap_err().to_string();
        let wanted =
            "`timeout = 0ns`: use 1 ms to 1 h, below the lease's time to live; 2 s suits most";
        assert_eq!(said, wanted);
        assert!(Patience::try_new(Duration::MAX).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_is_given_up() {
        let never = std::future::pending::<Result<(), _>>();
        let error = Patience::DEFAULT.bound("acquire", never).await.unwrap_err();
        let said = "no answer to `acquire` within 2s: it may have been done";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn a_long_answer_is_cut_between_characters() {
        let error = StoreError::nonsense("renew", "ß".repeat(300)).to_string();
        assert!(error.chars().count() < 200, "{error}");
    }
}
