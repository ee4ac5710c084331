//! [`Release`]: a lease is given back, by its nonce.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::ask::{LeaseStore, ask_by};
use crate::settings::Settings;
use crate::{LeaseReply, LeaseRequest, LockName, Nonce, Ttl, event};

/// A lease that nobody needs, or that was perhaps never granted: given back until the store has said so, or its time is up
/// there by itself. Told as `lease.not_released` if it ends without, whatever ended it.
pub(crate) struct Release<S> {
    pub(crate) store: S,
    pub(crate) ttl: Ttl,
    pub(crate) owed: Owed,
    /// When it has ended at the store, if it did not run longer than the holder knows.
    pub(crate) by: Instant,
}

/// That a lease has to be given back.
pub(crate) struct Owed {
    pub(crate) settings: Settings,
    lock: LockName,
    nonce: Nonce,
    attempts: u32,
    last: Cow<'static, str>,
    is_paid: bool,
}

/// The store did not say that it is released.
///
/// Nothing is wrong but that others wait until it has ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the lease on `{lock}` may run to its end: {attempts} attempts to release it, the last: {last}"
)]
pub struct NotReleased {
    /// Of which lock.
    pub lock: LockName,
    /// How often it was tried.
    pub attempts: u32,
    /// What became of the last attempt.
    pub last: String,
}

/// A store confirmed a release.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paid {
    pub(crate) was_held: bool,
    pub(crate) attempts: u32,
}

impl<S: LeaseStore> Release<S> {
    /// From now on.
    pub(crate) async fn run(&mut self, mut now: Instant) -> Result<Paid, NotReleased> {
        let ttl = self.ttl.get();
        let pace = self.owed.settings.pace(self.owed.nonce);
        loop {
            let left = self.by.saturating_duration_since(now);
            if left.is_zero() && self.owed.attempts > 0 {
                return Err(self.owed.report());
            }
            self.owed.attempts += 1;
            let request = LeaseRequest::Release {
                lock: self.owed.lock.clone(),
                nonce: self.owed.nonce,
            };
            let patience = (ttl / 6)
                .clamp(Duration::from_millis(1), PATIENCE)
                .min(left);
            let (settings, by) = (&self.owed.settings, now + patience);
            match ask_by(self.store.clone(), request, settings, by).await {
                Some(Ok(LeaseReply::Released { was_held })) => return Ok(self.owed.paid(was_held)),
                Some(Ok(reply)) => self.owed.last = format!("answered {}", reply.name()).into(),
                Some(Err(e)) => self.owed.last = e.to_string().into(),
                None => self.owed.last = "no answer".into(),
            }
            let (base, streak) = (ttl / 60, self.owed.attempts);
            let wait = pace.wait(base, (ttl / 12).min(PATIENCE), streak, u64::from(streak));
            let clock = &self.owed.settings.clock;
            clock.sleep_until(clock.now() + wait.min(left)).await;
            now = clock.now();
        }
    }
}

/// How long an attempt may take at most.
const PATIENCE: Duration = Duration::from_secs(5);

impl Owed {
    pub(crate) fn new(settings: Settings, lock: LockName, nonce: Nonce) -> Self {
        Self {
            settings,
            lock,
            nonce,
            attempts: 0,
            last: "the task that releases was not run".into(),
            is_paid: false,
        }
    }

    /// Never mind: it has ended by itself.
    pub(crate) fn waive(&mut self) -> NotReleased {
        self.is_paid = true;
        self.last = "none: it had ended by itself".into();
        self.report()
    }

    fn paid(&mut self, was_held: bool) -> Paid {
        self.is_paid = true;
        let attempts = self.attempts;
        event::released(&self.settings.site, &self.lock, was_held, attempts);
        Paid { was_held, attempts }
    }

    fn report(&self) -> NotReleased {
        NotReleased {
            lock: self.lock.clone(),
            attempts: self.attempts,
            last: self.last.clone().into(),
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if !self.is_paid {
            event::not_released(&self.settings.site, &self.lock, self.attempts, &self.last);
        }
    }
}

impl fmt::Debug for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owed")
            .field("lock", &self.lock)
            .field("nonce", &self.nonce)
            .finish_non_exhaustive()
    }
}
