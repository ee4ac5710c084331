//! The states of a breaker, told the time: no clock, no lock, no chance of its own.

use std::time::Duration;

use tokio::time::Instant;

use super::State;
use super::rules::Trials;
use super::tally::Cause;

/// How long the n-th opening in a row lasts, 1 for the first.
pub(super) type OpenFor<'a> = &'a dyn Fn(u32) -> Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open {
        until: Instant,
    },
    Probation {
        patience: Instant,
        running: u32,
        good: u32,
        bad: u32,
    },
    Forced {
        open: bool,
    },
}

/// A breaker without its tally.
///
/// Each state is a *period* with a number. What was begun in one period says nothing in another.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    trials: Trials,
    phase: Phase,
    period: u64,
    // Openings since it was last closed.
    openings: u32,
}

/// The answer to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Pass { period: u64, trial: bool },
    Refuse { retry_after: Option<Duration> },
}

/// What became of the state, for whoever listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened {
        cause: Cause,
        wait: Duration,
        openings: u32,
    },
    Probation,
    Closed,
    Forced,
}

impl Machine {
    pub(super) const fn new(trials: Trials) -> Self {
        Self {
            trials,
            phase: Phase::Closed,
            period: 0,
            openings: 0,
        }
    }

    pub(super) const fn period(&self) -> u64 {
        self.period
    }

    pub(super) const fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::Probation { .. } => State::Probation,
            Phase::Forced { open: true } => State::ForcedOpen,
            Phase::Forced { open: false } => State::ForcedClosed,
        }
    }

    /// What a call at `now` would be refused with, if it would.
    pub(super) fn refusal(&self, now: Instant) -> Option<Option<Duration>> {
        match self.phase {
            Phase::Closed | Phase::Forced { open: false } => None,
            Phase::Forced { open: true } => Some(None),
            Phase::Open { until } => (now < until).then(|| Some(until - now)),
            Phase::Probation {
                patience,
                running,
                good,
                bad,
            } => {
                let begun = running + good + bad;
                let full = running >= self.trials.at_once || begun >= self.trials.total;
                (full && now < patience).then_some(None)
            }
        }
    }

    /// A call comes.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        open_for: OpenFor<'_>,
    ) -> (Admission, Option<Change>) {
        if let Some(retry_after) = self.refusal(now) {
            return (Admission::Refuse { retry_after }, None);
        }
        let mut change = None;
        match &mut self.phase {
            Phase::Closed | Phase::Forced { .. } => {}
            Phase::Open { .. } => {
                // ## Open => Probation. Only a call does it: nobody's timer runs meanwhile.
                let patience = later(now, self.trials.patience);
                self.enter(Phase::Probation {
                    patience,
                    running: 1,
                    good: 0,
                    bad: 0,
                });
                change = Some(Change::Probation);
            }
            Phase::Probation {
                patience, running, ..
            } if now >= *patience && *running > 0 => {
                // ## Probation => Open. Trials that never come back are no good sign, and must
                // not hold their places for ever.
                let change = self.open(now, Cause::Patience, open_for);
                let retry_after = self.refusal(now).flatten();
                return (Admission::Refuse { retry_after }, Some(change));
            }
            Phase::Probation {
                patience, running, ..
            } => {
                if now >= *patience {
                    // None is out: those that were ended here, or were dropped.
                    *patience = later(now, self.trials.patience);
                }
                *running += 1;
            }
        }
        let trial = matches!(self.phase, Phase::Probation { .. });
        (
            Admission::Pass {
                period: self.period,
                trial,
            },
            change,
        )
    }

    /// The tally has seen enough.
    pub(super) fn trip(
        &mut self,
        period: u64,
        now: Instant,
        cause: Cause,
        open_for: OpenFor<'_>,
    ) -> Option<Change> {
        // ## Closed => Open.
        (self.phase == Phase::Closed && self.period == period)
            .then(|| self.open(now, cause, open_for))
    }

    /// A trial of `period` came back.
    pub(super) fn returned(
        &mut self,
        period: u64,
        bad_one: bool,
        now: Instant,
        open_for: OpenFor<'_>,
    ) -> Option<Change> {
        let Phase::Probation {
            running, good, bad, ..
        } = &mut self.phase
        else {
            return None;
        };
        if self.period != period {
            return None;
        }
        *running -= 1;
        *good += u32::from(!bad_one);
        *bad += u32::from(bad_one);
        let (good, bad) = (*good, *bad);
        if bad > self.trials.tolerated {
            // ## Probation => Open. One more than tolerated decides, whatever the others do.
            return Some(self.open(now, Cause::Trial, open_for));
        }
        (good + bad >= self.trials.total).then(|| {
            // ## Probation => Closed.
            self.openings = 0;
            self.enter(Phase::Closed);
            Change::Closed
        })
    }

    /// A trial of `period` was dropped: its place is free.
    pub(super) fn given_back(&mut self, of: u64) {
        match &mut self.phase {
            Phase::Probation { running, .. } if self.period == of => *running -= 1,
            _ => {}
        }
    }

    /// Open or closed, whatever the calls do.
    pub(super) fn force(&mut self, open: bool) -> Option<Change> {
        let forced = Phase::Forced { open };
        (self.phase != forced).then(|| {
            self.enter(forced);
            Change::Forced
        })
    }

    /// Ends what was forced: closed, with nothing counted.
    pub(super) fn automatic(&mut self) -> Option<Change> {
        matches!(self.phase, Phase::Forced { .. }).then(|| {
            self.openings = 0;
            self.enter(Phase::Closed);
            Change::Closed
        })
    }

    fn open(&mut self, now: Instant, cause: Cause, open_for: OpenFor<'_>) -> Change {
        self.openings = self.openings.saturating_add(1);
        let wait = open_for(self.openings);
        self.enter(Phase::Open {
            until: later(now, wait),
        });
        Change::Opened {
            cause,
            wait,
            openings: self.openings,
        }
    }

    const fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.period += 1;
    }
}

/// `wait` after `now`, or thirty years after.
pub(super) fn later(now: Instant, wait: Duration) -> Instant {
    const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365 * 30);
    now + wait.min(FAR_FUTURE)
}

#[cfg(test)]
mod tests;
