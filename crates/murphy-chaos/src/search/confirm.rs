//! Does a failure come again? In virtual time always, else the test does not repeat itself; in real time k times of n.

use crate::code::ReplayCode;
use crate::injection::Injection;
use crate::once::Ended;
use crate::order::Order;
use crate::outcome::{Failure, Stage};
use crate::promise::Violation;
use crate::real::Confirmation;
use crate::script;
use crate::shrink::Shrunk;

use super::{MOST_REASONS, Search};

/// What replays came to.
pub(super) struct Again {
    /// How often it failed in the same way, of how many.
    came: u8,
    of: u8,
    /// The last run that did.
    last: Option<Ended>,
}

impl Search<'_, '_> {
    /// Replays it until it is decided whether it comes again often enough.
    pub(super) fn again(
        &mut self,
        order: &Order,
        injections: &[Injection],
        fingerprint: &str,
        until: Confirmation,
    ) -> Again {
        let order = Order::script(order.seed, injections).watched().kept();
        let mut again = Again {
            came: 0,
            of: 0,
            last: None,
        };
        // Virtual time costs nothing: there it is told how often of all.
        let is_over =
            |again: &Again| self.explore.real.is_some() && until.is_decided(again.came, again.of);
        while again.of < until.n && !is_over(&again) {
            self.runs += 1;
            again.of += 1;
            let ended = self.crew.make_one(&order, &self.setting);
            let same = |v: &Violation| v.fingerprint() == fingerprint;
            if ended.violation.as_ref().is_some_and(same) {
                again.came += 1;
                again.last = Some(ended);
            }
        }
        again
    }

    /// In real time: first whether it comes again at all, as most of what comes once is not worth a replay more; then
    /// fewer faults, if those are confirmed as well.
    pub(super) fn found_in_real_time(
        &mut self,
        until: Confirmation,
        stage: Stage,
        order: &Order,
        violation: &Violation,
        causes: Vec<Injection>,
    ) {
        let fingerprint = violation.fingerprint();
        let found_with = causes.len();
        let mut whole = Shrunk {
            injections: causes,
            replays: 0,
            is_minimal: matches!(stage, Stage::Corpus | Stage::Replay),
        };
        let again = self.again(order, &whole.injections, &fingerprint, until);
        if again.came < until.k {
            let failure = self.failure(stage, order, violation, found_with, whole, again);
            self.not_confirmed(failure);
            return;
        }
        if !whole.is_minimal && !self.crew.is_over() {
            let shrunk = self.shrunk(order, &whole.injections, &fingerprint);
            if shrunk.injections == whole.injections {
                whole = shrunk;
            } else {
                let less = self.again(order, &shrunk.injections, &fingerprint, until);
                whole.replays = shrunk.replays;
                if less.came >= until.k {
                    let failure = self.failure(stage, order, violation, found_with, shrunk, less);
                    self.failures.push(failure);
                    return;
                }
            }
        }
        let failure = self.failure(stage, order, violation, found_with, whole, again);
        self.failures.push(failure);
    }

    fn not_confirmed(&mut self, failure: Failure) {
        let (code, fingerprint) = (&failure.code, failure.fingerprint());
        let known = |old: &Failure| old.fingerprint() == fingerprint;
        if self.unconfirmed.iter().any(known) || self.unconfirmed.len() == MOST_REASONS {
            return;
        }
        let Failure { confirmed, of, .. } = failure;
        self.doubt(format!(
            "`{fingerprint}` was seen, and came again {confirmed} times of {of}: unconfirmed ({code})"
        ));
        self.unconfirmed.push(failure);
    }

    /// What there is to say of it.
    pub(super) fn failure(
        &self,
        stage: Stage,
        order: &Order,
        violation: &Violation,
        found_with: usize,
        shrunk: Shrunk,
        again: Again,
    ) -> Failure {
        let Again { came, of, last } = again;
        let last = last.unwrap_or_default();
        Failure {
            violation: last.violation.unwrap_or_else(|| violation.clone()),
            stage,
            found_with,
            replays: shrunk.replays,
            is_minimal: shrunk.is_minimal,
            confirmed: came,
            of,
            code: ReplayCode {
                name: self.explore.name.clone(),
                seed: order.seed,
                injections: shrunk.injections.clone(),
            },
            plan: script::plan(order.seed, &shrunk.injections),
            injections: shrunk.injections,
            transcript: last.transcript,
            picture: last.picture,
            exchanges: last.exchanges,
            also: Default::default(),
        }
    }
}

impl Again {
    /// What the last replay that failed has to say, if it is not the same as often as it should be.
    pub(super) fn is_not_always(&self) -> Option<String> {
        let Self { came, of, .. } = self;
        (came < of).then(|| format!("came again {came} times of {of}"))
    }
}
