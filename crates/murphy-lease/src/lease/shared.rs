//! [`Shared`]: what a guard, its handles and its keeper know of one lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use murphy_core::Clock;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::mark::{EPOCH, mark, since};
use super::post::Post;
use super::signal::Signal;
use super::views::{View, Views};
use crate::{FencingToken, Lost, Why, event};

pub(crate) struct Shared {
    pub(crate) token: FencingToken,
    pub(crate) site: Arc<str>,
    pub(crate) clock: Arc<dyn Clock>,
    /// From where `until` and `progress` count.
    origin: Instant,
    /// A [mark](super::mark). Rises with renewals, and falls once: below [`EPOCH`], for good; it says through what.
    until: AtomicU64,
    /// Whoever keeps it.
    pub(crate) post: Post,
    lost: Signal<CancellationToken>,
    /// Tells the same to calls under the lease: waiting costs them less than it does for a token that has children.
    over: Signal<Arc<Notify>>,
    pub(crate) views: Views,
    /// More time is needed than there is, or the work moved again after it stood still.
    pub(crate) nudge: Notify,
    pub(crate) is_wished: AtomicBool,
    /// Whether the work's progress is of interest.
    pub(crate) is_watched: bool,
    progress: AtomicU64,
    /// The keeper waits for progress.
    pub(crate) is_stalled: AtomicBool,
    /// All time that one grant can give.
    pub(crate) window: Duration,
}

/// What a lease begins with.
pub(crate) struct Begun {
    pub(crate) token: FencingToken,
    pub(crate) site: Arc<str>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sent: Instant,
    pub(crate) until: Instant,
    pub(crate) is_watched: bool,
    pub(crate) window: Duration,
}

impl Shared {
    pub(crate) fn new(begun: Begun) -> Self {
        let origin = begun.sent;
        let view = View {
            is_expiring: false,
            sent: begun.sent,
        };
        let shared = Self {
            token: begun.token,
            site: begun.site,
            clock: begun.clock,
            origin,
            until: AtomicU64::new(0),
            post: Post::default(),
            lost: Signal::default(),
            over: Signal::default(),
            views: Views::new(view),
            nudge: Notify::new(),
            is_wished: AtomicBool::new(false),
            is_watched: begun.is_watched,
            progress: AtomicU64::new(0),
            is_stalled: AtomicBool::new(false),
            window: begun.window,
        };
        let until = shared.mark(begun.until);
        shared.until.store(until, Ordering::Release);
        shared.progress();
        shared
    }

    /// Whether it is valid now: one look at the clock, and one at a number.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Lost> {
        self.check_at(self.clock.now())
    }

    /// The same, by who has looked at the clock just now.
    #[inline]
    pub(crate) fn check_at(&self, now: Instant) -> Result<(), Lost> {
        let until = self.until.load(Ordering::Acquire);
        if self.is_before(now, until) {
            Ok(())
        } else {
            self.overdue(self.mark(now), until)
        }
    }

    /// As `self.mark(now) < until`, in fewer steps: an instant is a sum sooner than a difference.
    #[inline]
    fn is_before(&self, now: Instant, until: u64) -> bool {
        let end = self.origin.checked_add(since(until));
        until > EPOCH && end.is_none_or(|end| now < end)
    }

    #[inline]
    pub(crate) fn token(&self) -> Result<&FencingToken, Lost> {
        self.check().map(|()| &self.token)
    }

    /// How much of it is left; nothing if it is lost.
    pub(crate) fn remaining(&self) -> Duration {
        let now = self.mark(self.clock.now());
        let until = self.until.load(Ordering::Acquire);
        since(until).saturating_sub(since(now))
    }

    /// Renewed by a request that left at `sent`. Whether it still was to be had.
    pub(crate) fn extend(&self, sent: Instant, until: Instant) -> bool {
        let until = self.mark(until);
        let longer = |old| (old >= EPOCH).then_some(until.max(old));
        let (order, order_else) = (Ordering::AcqRel, Ordering::Acquire);
        if self.until.fetch_update(order, order_else, longer).is_err() {
            return false;
        }
        self.views.change(|view| {
            view.is_expiring = false;
            view.sent = sent;
        });
        true
    }

    pub(crate) fn warn(&self) {
        event::expiring(&self.site, &self.token, self.remaining());
        self.views.change(|view| view.is_expiring = true);
    }

    /// It is over. Whether it was not already.
    pub(crate) fn lose(&self, why: Why) -> bool {
        let over = |old| (old >= EPOCH).then_some(code(why));
        let (order, order_else) = (Ordering::AcqRel, Ordering::Acquire);
        let was_held = self.until.fetch_update(order, order_else, over).is_ok();
        if was_held {
            self.tell(why);
        }
        was_held
    }

    /// Whether it is known to be lost. Looks at no clock.
    #[inline]
    pub(crate) fn is_lost(&self) -> bool {
        self.until.load(Ordering::Acquire) < EPOCH
    }

    /// Fires when it is lost.
    pub(crate) fn lost(&self) -> &CancellationToken {
        self.lost.get(|| self.is_lost(), CancellationToken::cancel)
    }

    /// The same, for those who look whether it is lost before they wait.
    pub(crate) fn over(&self) -> &Arc<Notify> {
        self.over
            .get(|| self.is_lost(), |over| over.notify_waiters())
    }

    /// That it is lost, and through what.
    pub(crate) fn loss(&self) -> Lost {
        Lost {
            lock: self.token.lock().clone(),
            rank: self.token.rank(),
            why: self.why(),
        }
    }

    /// Through what it is lost, where it is.
    pub(crate) fn why(&self) -> Why {
        why(self.until.load(Ordering::Acquire))
    }

    /// The work has moved. Wakes the keeper only if that waits for it.
    pub(crate) fn progress(&self) {
        if !self.is_watched {
            return;
        }
        // Both in one order for all, with the keeper's flag and its second look: one of the two sees the other.
        self.progress
            .store(self.mark(self.clock.now()), Ordering::SeqCst);
        if self.is_stalled.swap(false, Ordering::SeqCst) {
            self.nudge.notify_one();
        }
    }

    /// When the work was last seen to move.
    pub(crate) fn progressed(&self) -> Instant {
        self.origin + since(self.progress.load(Ordering::SeqCst))
    }

    /// Have it renewed now.
    pub(crate) fn wish(&self) {
        self.is_wished.store(true, Ordering::Release);
        self.nudge.notify_one();
        self.post.set_to_work();
    }

    #[cold]
    fn overdue(&self, now: u64, mut until: u64) -> Result<(), Lost> {
        // Whoever sees first that it is over makes it so: a renewal that comes now comes too late.
        while until >= EPOCH {
            if now < until {
                return Ok(());
            }
            let over = code(Why::Expired);
            match self
                .until
                .compare_exchange(until, over, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => {
                    self.tell(Why::Expired);
                    break;
                }
                Err(found) => until = found,
            }
        }
        Err(self.loss())
    }

    fn tell(&self, why: Why) {
        if why != Why::Released {
            event::lost(&self.site, &self.token, why);
        }
        if let Some(lost) = self.lost.made() {
            lost.cancel();
        }
        if let Some(over) = self.over.made() {
            over.notify_waiters();
        }
        // Who waits for it to be expiring has waited long enough.
        self.views.change(|view| view.is_expiring = true);
    }

    fn mark(&self, instant: Instant) -> u64 {
        mark(self.origin, instant)
    }
}

const fn code(why: Why) -> u64 {
    match why {
        Why::Expired => 0,
        Why::Refused => 1,
        Why::Released => 2,
        Why::Unattended => 3,
    }
}

const fn why(code: u64) -> Why {
    match code {
        1 => Why::Refused,
        2 => Why::Released,
        3 => Why::Unattended,
        _ => Why::Expired,
    }
}

#[cfg(test)]
mod tests;
