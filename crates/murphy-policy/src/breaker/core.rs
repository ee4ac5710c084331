//! What all services of a breaker share: the machine behind a lock, and a word in front of it, so
//! that a closed breaker takes none.

use std::fmt;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::machine::{Admission, Change, Machine};
use super::rules::{Rules, Trials};
use super::tally::{Cause, Outcome, Tally};
use super::{Open, State, event};

/// How long the n-th opening in a row lasts; the second number counts all of them, for its draw.
pub(super) type Wait = Arc<dyn Fn(u32) -> Duration + Send + Sync>;

pub(super) struct Core {
    // The period, and beneath it whether it is one in which every call passes.
    word: AtomicU64,
    machine: Mutex<Machine>,
    tally: Tally,
    rules: Rules,
    wait: Wait,
    states: watch::Sender<State>,
    site: Arc<str>,
}

const REFUSES: u64 = 0;
const COUNTS: u64 = 1;
const PASSES: u64 = 2;
/// Of a pass alone.
const TRIES: u64 = 3;
const KIND_BITS: u32 = 2;
const KINDS: u64 = (1 << KIND_BITS) - 1;

/// The right to make one call, and what is remembered of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    // The word under which its outcome counts; of a trial, its period and `TRIES`.
    word: u64,
    began: Option<Instant>,
}

impl Pass {
    /// Gives it out, and leaves one that is good for nothing.
    const fn take(&mut self) -> Self {
        let word = std::mem::replace(&mut self.word, REFUSES);
        Self {
            word,
            began: self.began,
        }
    }

    const fn is_trial(self) -> bool {
        self.word & KINDS == TRIES
    }

    const fn period(self) -> u64 {
        self.word >> KIND_BITS
    }
}

impl Core {
    pub(super) fn new(rules: Rules, trials: Trials, wait: Wait, site: Arc<str>) -> Self {
        Self {
            word: AtomicU64::new(COUNTS),
            machine: Mutex::new(Machine::new(trials)),
            tally: Tally::new(&rules),
            rules,
            wait,
            states: watch::Sender::new(State::Closed),
            site,
        }
    }

    pub(super) fn site(&self) -> &str {
        &self.site
    }

    pub(super) fn state(&self) -> State {
        *self.states.borrow()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<State> {
        self.states.subscribe()
    }

    /// Whether a call now would be refused. Takes no place.
    #[inline]
    pub(super) fn refuses(&self) -> bool {
        self.word.load(Acquire) & KINDS == REFUSES && self.lock().refusal(Instant::now()).is_some()
    }

    /// A call comes.
    #[inline]
    pub(super) fn admit(&self) -> Result<Pass, Open> {
        let word = self.word.load(Acquire);
        let word = match word & KINDS {
            REFUSES => self.admit_slowly()?,
            // Where all pass and none counts, it is no word that will be.
            _ => word & !KINDS | COUNTS,
        };
        let began = self.rules.slow.map(|_| Instant::now());
        Ok(Pass { word, began })
    }

    #[cold]
    fn admit_slowly(&self) -> Result<u64, Open> {
        let now = Instant::now();
        match self.change(|machine| machine.admit(now, &*self.wait)) {
            Admission::Pass { period, trial } => {
                let kind = if trial { TRIES } else { COUNTS };
                Ok(period << KIND_BITS | kind)
            }
            Admission::Refuse { retry_after } => Err(self.refused(retry_after)),
        }
    }

    /// A call that came when all were refused, whatever holds by now: its instance is not ready.
    #[cold]
    pub(super) fn refuse(&self) -> Open {
        let retry_after = self.lock().refusal(Instant::now()).flatten();
        self.refused(retry_after)
    }

    fn refused(&self, retry_after: Option<Duration>) -> Open {
        event::refused(&self.site);
        Open::new(Arc::clone(&self.site), retry_after)
    }

    /// The call of `pass` came back; it is good for nothing more.
    #[inline]
    pub(super) fn settle(&self, pass: &mut Pass, failed: bool) {
        // Most succeed, and are like those before: there is nothing to do.
        if failed || pass.is_trial() || !self.tally.ignores_success() {
            self.settle_one(pass.take(), failed);
        }
    }

    #[inline(never)]
    fn settle_one(&self, pass: Pass, failed: bool) {
        // What was begun before the breaker opened, and what is forced, says nothing now.
        if self.word.load(Acquire) == pass.word {
            let (slow, end) = self.was_slow(pass);
            let now = || end.unwrap_or_else(Instant::now);
            if let Some(cause) = self.tally.add(Outcome { failed, slow }, now) {
                self.trip(pass, cause);
            }
        } else if pass.is_trial() {
            self.trial_returned(pass, failed);
        }
    }

    /// And when it ended, if that was looked at.
    fn was_slow(&self, pass: Pass) -> (bool, Option<Instant>) {
        let (Some(began), Some((after, _))) = (pass.began, self.rules.slow) else {
            return (false, None);
        };
        let end = Instant::now();
        (end.saturating_duration_since(began) > after, Some(end))
    }

    #[cold]
    fn trip(&self, pass: Pass, cause: Cause) {
        let now = Instant::now();
        self.change(|m| ((), m.trip(pass.period(), now, cause, &*self.wait)));
    }

    #[cold]
    fn trial_returned(&self, pass: Pass, failed: bool) {
        let (slow, end) = self.was_slow(pass);
        let bad = Outcome { failed, slow }.is_bad();
        let now = end.unwrap_or_else(Instant::now);
        self.change(|m| ((), m.returned(pass.period(), bad, now, &*self.wait)));
    }

    /// The call of `pass` was dropped: it says nothing, and its place is free again.
    #[inline]
    pub(super) fn give_back(&self, pass: &mut Pass) {
        if pass.is_trial() {
            self.give_trial_back(pass.take());
        }
    }

    #[cold]
    fn give_trial_back(&self, pass: Pass) {
        self.lock().given_back(pass.period());
    }

    pub(super) fn force(&self, open: bool) {
        self.change(|machine| ((), machine.force(open)));
    }

    pub(super) fn automatic(&self) {
        self.change(|machine| ((), machine.automatic()));
    }

    /// Moves the machine, and the word and the listeners with it.
    fn change<T>(&self, f: impl FnOnce(&mut Machine) -> (T, Option<Change>)) -> T {
        let mut machine = self.lock();
        let (answer, change) = f(&mut machine);
        let Some(change) = change else { return answer };
        let state = machine.state();
        let kind = match state {
            State::Closed => COUNTS,
            State::ForcedClosed => PASSES,
            State::Open | State::Probation | State::ForcedOpen => REFUSES,
        };
        if kind == COUNTS {
            self.tally.clear();
        }
        self.word
            .store(machine.period() << KIND_BITS | kind, Release);
        // Under the lock, so that listeners see states in their order.
        self.states.send_replace(state);
        drop(machine);
        event::changed(&self.site, change, state);
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        // A pace that panics does so before the machine moves.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("site", &self.site)
            .field("state", &self.state())
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
