//! What is done about a failure: is it new, what causes it, does it come again?

use crate::code::ReplayCode;
use crate::injection::Injection;
use crate::once::Ended;
use crate::order::{Order, Trouble};
use crate::outcome::{Failure, Stage};
use crate::promise::Violation;
use crate::real::Confirmation;
use crate::shrink::{Shrunk, shrink};

use super::Search;

/// How often a shrunk failure has to come again in virtual time.
const ALWAYS: Confirmation = Confirmation { k: 3, n: 3 };
/// Causes that are listed beside the one that is shown.
const MOST_CAUSES: usize = 64;

impl Search<'_, '_> {
    /// A run failed. The first of each fingerprint is shrunk; of others only a single cause is noted.
    pub(super) fn found(
        &mut self,
        stage: Stage,
        order: &Order,
        ended: &Ended,
        violation: &Violation,
    ) {
        let fingerprint = violation.fingerprint();
        let causes = match &order.trouble {
            Trouble::Script(injections) => injections.clone(),
            Trouble::Storm(..) => ended.injected.clone(),
        };
        let same = |failure: &&mut Failure| failure.fingerprint() == fingerprint;
        if let Some(failure) = self.failures.iter_mut().find(same) {
            note_cause(failure, &causes);
            return;
        }
        if let Some(real) = self.explore.real {
            self.found_in_real_time(real.confirmation(), stage, order, violation, causes);
            return;
        }
        let found_with = causes.len();
        // What is replayed is what was asked for.
        let shrunk = match stage {
            Stage::Corpus | Stage::Replay => Shrunk {
                injections: causes,
                replays: 0,
                is_minimal: true,
            },
            _ => self.shrunk(order, &causes, &fingerprint),
        };
        let again = self.again(order, &shrunk.injections, &fingerprint, ALWAYS);
        if let Some(times) = again.is_not_always() {
            self.doubt(format!(
                "`{fingerprint}` {times}: the test does not repeat itself"
            ));
        }
        let failure = self.failure(stage, order, violation, found_with, shrunk, again);
        self.failures.push(failure);
    }

    /// A run was cut because virtual time stood still in it.
    pub(super) fn spun(&mut self, order: &Order) {
        let code = match &order.trouble {
            Trouble::Script(injections) => ReplayCode {
                name: self.explore.name.clone(),
                seed: order.seed,
                injections: injections.clone(),
            }
            .to_string(),
            Trouble::Storm(..) => format!("a storm of seed {}", order.seed),
        };
        let patience = humantime::format_duration(self.explore.patience);
        self.doubt(format!(
            "a run was cut after {patience} of real time: in it somebody is always ready and nobody waits, so virtual time stands still ({code})"
        ));
    }

    pub(super) fn shrunk(
        &mut self,
        order: &Order,
        causes: &[Injection],
        fingerprint: &str,
    ) -> Shrunk {
        // In real time a replay is seconds: what the budget has no time for stays as it is.
        let (mut is_cut, is_real) = (false, self.explore.real.is_some());
        let mut fails = |injections: &[Injection]| {
            is_cut |= is_real && self.crew.is_over();
            if is_cut {
                return false;
            }
            let again = Order::script(order.seed, injections);
            self.runs += 1;
            let ended = self.crew.make_one(&again, &self.setting);
            ended
                .violation
                .is_some_and(|v| v.fingerprint() == fingerprint)
        };
        // A storm has to fail as a script first.
        if matches!(order.trouble, Trouble::Storm(..)) && !fails(causes) {
            return Shrunk {
                injections: causes.to_vec(),
                replays: 1,
                is_minimal: false,
            };
        }
        let mut shrunk = shrink(causes.to_vec(), fails);
        shrunk.replays += usize::from(matches!(order.trouble, Trouble::Storm(..)));
        shrunk.is_minimal &= !is_cut;
        shrunk
    }
}

/// The same promise was broken again: by one thing alone, or by nobody knows what.
fn note_cause(failure: &mut Failure, causes: &[Injection]) {
    let [cause] = causes else { return };
    let told = |i: &Injection| format!("{} at {}", i.kind(), i.place());
    let cause = told(cause);
    if failure.injections.len() == 1 && told(&failure.injections[0]) == cause {
        return;
    }
    if failure.also.len() < MOST_CAUSES || failure.also.contains_key(&cause) {
        *failure.also.entry(cause).or_default() += 1;
    }
}
