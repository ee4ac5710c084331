//! [`Machine`]: a holder's lease, told the time.
//!
//! ```text
//!            renewed                      its time is up
//!   Valid ◀────────── Expiring ─────────────────────────▶ Lost(Expired)
//!     │ ─────────────▶ │                                   Lost(Refused)  the store said so
//!     │  a third left  │                                   Lost(Released) nobody needs it
//!     └────────────────┴──────────────────────────────────▶   for good
//! ```
//!
//! It decides, and does nothing: its keeper sends what it asks for, and tells it what came of that and what time it is.

use std::time::Duration;

use tokio::time::Instant;

use crate::pace::{Pace, TICK};
use crate::validity::Validity;
use crate::{Ttl, Why};

/// Who decides whether a lease is renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Renewal {
    /// It is renewed while its guard lives. A holder that is stuck keeps the lock for good.
    #[default]
    Auto,
    /// It is renewed while the work makes progress: while `run` polls it, or it calls `tick`, or `ensure`, at
    /// least this often. Choose more than the longest step that the work takes without either.
    WhileProgress(Duration),
    /// It is renewed only by `ensure`.
    Never,
}

/// What a machine goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) ttl: Ttl,
    pub(crate) validity: Validity,
    pub(crate) renewal: Renewal,
    pub(crate) pace: Pace,
}

#[derive(Debug)]
pub(crate) struct Machine {
    terms: Terms,
    /// The latest that it was told: a clock that goes back stands still here.
    now: Instant,
    phase: Phase,
    until: Instant,
    /// When `Valid` becomes `Expiring`.
    warn_at: Instant,
    /// When to renew next; `None` where nothing but a wish does.
    renew_at: Option<Instant>,
    trying: Option<Try>,
    progressed: Instant,
    renewals: u64,
    failures: u64,
    streak: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Valid,
    Expiring,
    Lost(Why),
}

/// A renewal under way.
#[derive(Clone, Copy, Debug)]
struct Try {
    sent: Instant,
    give_up: Instant,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Todo {
    /// Nothing before then.
    Wait(Instant),
    /// Send a renewal, and say so by [`Machine::sent`].
    Renew,
    /// Forget the renewal under way, and say so by [`Machine::failed`].
    GiveUp,
    /// Say that it is expiring; once.
    Warn,
    /// It is lost.
    Stop(Why),
}

impl Terms {
    /// Before when there is nothing to do for a lease that was asked for at `sent` and granted for so long, if nobody wishes for
    /// anything; the first renewal is not much later.
    pub(crate) fn rests(&self, sent: Instant, granted: Duration) -> Option<Instant> {
        let warn_at = self.warn_at(self.validity.until(sent, granted), granted);
        let rests = (sent + granted * 3 / 10).min(warn_at);
        (!self.is_stale(granted)).then_some(rests)
    }

    /// When a third is left of what ends then.
    fn warn_at(&self, until: Instant, granted: Duration) -> Instant {
        let third = self.ttl.get().min(granted) / 3;
        until.checked_sub(third).unwrap_or(until)
    }

    /// Whether it was granted before, or waited for long: most of it is gone, and it is renewed at once.
    fn is_stale(&self, granted: Duration) -> bool {
        granted < self.ttl.get() * 2 / 3
    }
}

impl Machine {
    /// Of a lease that was asked for at `sent` and granted for so long.
    pub(crate) fn new(terms: Terms, sent: Instant, now: Instant, granted: Duration) -> Self {
        let mut machine = Self {
            terms,
            now: now.max(sent),
            phase: Phase::Valid,
            until: terms.validity.until(sent, granted),
            warn_at: sent,
            renew_at: None,
            trying: None,
            progressed: now,
            renewals: 0,
            failures: 0,
            streak: 0,
        };
        machine.plan(sent, granted);
        machine
    }

    /// When it is lost if nothing else happens.
    pub(crate) const fn until(&self) -> Instant {
        self.until
    }

    #[cfg(test)]
    pub(crate) const fn phase(&self) -> Phase {
        self.phase
    }

    /// It is this late.
    pub(crate) fn todo(&mut self, now: Instant) -> Todo {
        let now = self.tell(now);
        if let Phase::Lost(why) = self.phase {
            return Todo::Stop(why);
        }
        if self.phase == Phase::Valid && now >= self.warn_at {
            self.phase = Phase::Expiring;
            return Todo::Warn;
        }
        let edge = match self.phase {
            Phase::Valid => self.warn_at.min(self.until),
            _ => self.until,
        };
        match (self.trying, self.renew_at) {
            (Some(tried), _) if now >= tried.give_up => Todo::GiveUp,
            (Some(tried), _) => Todo::Wait(tried.give_up.min(edge)),
            (None, Some(at)) if now < at => Todo::Wait(at.min(edge)),
            (None, Some(_)) if self.is_stalled() => Todo::Wait(edge),
            (None, Some(_)) => Todo::Renew,
            (None, None) => Todo::Wait(edge),
        }
    }

    /// Whether nothing but progress has it renewed.
    pub(crate) fn is_stalled(&self) -> bool {
        let stood = self.now.saturating_duration_since(self.progressed);
        matches!(self.terms.renewal, Renewal::WhileProgress(most) if stood > most)
    }

    /// The work was seen to move at this instant.
    pub(crate) fn progressed(&mut self, at: Instant) {
        self.progressed = self.progressed.max(at);
    }

    /// Somebody needs more time than there is: renew now, or as soon as the failures before allow.
    pub(crate) fn wish(&mut self, now: Instant) {
        let now = self.tell(now);
        let retry = self.renew_at.filter(|_| self.streak > 0);
        self.renew_at = Some(retry.unwrap_or(now));
    }

    /// A renewal leaves now.
    pub(crate) fn sent(&mut self, now: Instant) {
        let latest = self.tell(now);
        let left = self.until.saturating_duration_since(latest);
        let patience = (self.terms.ttl.get() / 6).max(TICK).min(left);
        let (sent, give_up) = (now, latest + patience);
        self.trying = Some(Try { sent, give_up });
    }

    /// It came back: granted for so long. Whether that counted: not if all was over before.
    pub(crate) fn renewed(&mut self, now: Instant, granted: Duration) -> bool {
        let now = self.tell(now);
        let Some(tried) = self.trying.take() else {
            return false;
        };
        if let Phase::Lost(_) = self.phase {
            return false;
        }
        // A renewal never shortens: what was granted before still runs.
        let until = self.terms.validity.until(tried.sent, granted);
        self.until = self.until.max(until);
        self.phase = Phase::Valid;
        (self.renewals, self.streak) = (self.renewals + 1, 0);
        self.plan(tried.sent, granted);
        // A store that grants hardly anything is not asked without pause.
        let soonest = now + (self.terms.ttl.get() / 30).max(TICK);
        self.renew_at = self.renew_at.map(|at| at.max(soonest));
        true
    }

    /// It failed, or its time was up: again, later.
    pub(crate) fn failed(&mut self, now: Instant) {
        let now = self.tell(now);
        self.trying = None;
        self.streak = self.streak.saturating_add(1);
        self.failures += 1;
        let (ttl, pace) = (self.terms.ttl.get(), self.terms.pace);
        let wait = pace.wait(ttl / 60, ttl / 12, self.streak, self.failures);
        // Nearer to the end more often: the last try is a tick before it.
        let left = self.until.saturating_duration_since(now);
        let wait = wait.min((left / 2).max(TICK));
        self.renew_at = Some(now + wait);
    }

    /// It is over.
    pub(crate) fn lose(&mut self, why: Why) {
        self.trying = None;
        if !matches!(self.phase, Phase::Lost(_)) {
            self.phase = Phase::Lost(why);
        }
    }

    /// When to warn and to renew, after a grant that was asked for at `sent`.
    fn plan(&mut self, sent: Instant, granted: Duration) {
        self.warn_at = self.terms.warn_at(self.until, granted).max(sent);
        self.renew_at = match self.terms.renewal {
            Renewal::Never => None,
            _ if self.terms.is_stale(granted) => Some(self.now),
            _ => Some(sent + self.terms.pace.third(granted, self.renewals)),
        };
    }

    fn tell(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        if self.now >= self.until {
            self.lose(Why::Expired);
        }
        self.now
    }
}

#[cfg(test)]
mod tests;
