//! What is done about a failure: is it new, what causes it, does it come again?

use crate::code::ReplayCode;
use crate::injection::Injection;
use crate::once::Ended;
use crate::order::{Order, Trouble};
use crate::outcome::{Failure, Stage};
use crate::promise::Violation;
use crate::script;
use crate::shrink::{Shrunk, shrink};

use super::Search;

/// How often a shrunk failure has to come again.
const CONFIRMATIONS: u8 = 3;
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
        // What is replayed is what was asked for.
        let shrunk = match stage {
            Stage::Corpus | Stage::Replay => Shrunk {
                injections: causes.clone(),
                replays: 0,
                is_minimal: true,
            },
            _ => self.shrunk(order, &causes, &fingerprint),
        };
        let failure = self.confirmed(stage, order, violation, causes.len(), shrunk);
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

    fn shrunk(&mut self, order: &Order, causes: &[Injection], fingerprint: &str) -> Shrunk {
        let mut fails = |injections: &[Injection]| {
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
        shrunk
    }

    /// Runs it again, and writes down what happens.
    fn confirmed(
        &mut self,
        stage: Stage,
        order: &Order,
        violation: &Violation,
        found_with: usize,
        shrunk: Shrunk,
    ) -> Failure {
        let fingerprint = violation.fingerprint();
        let again = Order::script(order.seed, &shrunk.injections)
            .watched()
            .kept();
        let (mut confirmed, mut violation) = (0, violation.clone());
        let (mut transcript, mut picture, mut exchanges) = (None, None, Vec::new());
        for _ in 0..CONFIRMATIONS {
            self.runs += 1;
            let ended = self.crew.make_one(&again, &self.setting);
            if let Some(v) = ended.violation.filter(|v| v.fingerprint() == fingerprint) {
                confirmed += 1;
                (violation, transcript) = (v, ended.transcript);
                (picture, exchanges) = (ended.picture, ended.exchanges);
            }
        }
        if confirmed < CONFIRMATIONS {
            self.doubt(format!(
                "`{fingerprint}` came again {confirmed} times of {CONFIRMATIONS}: the test does not repeat itself"
            ));
        }
        Failure {
            violation,
            stage,
            found_with,
            replays: shrunk.replays,
            is_minimal: shrunk.is_minimal,
            confirmed,
            code: ReplayCode {
                name: self.explore.name.clone(),
                seed: order.seed,
                injections: shrunk.injections.clone(),
            },
            plan: script::plan(order.seed, &shrunk.injections),
            injections: shrunk.injections,
            transcript,
            picture,
            exchanges,
            also: Default::default(),
        }
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
