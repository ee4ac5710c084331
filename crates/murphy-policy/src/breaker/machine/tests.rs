use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const CAUSE: Cause = Cause::Consecutive(5);

const TRIALS: Trials = Trials {
    total: 2,
    at_once: 1,
    tolerated: 0,
    patience: Duration::from_secs(60),
};

/// Opens for 1 s, 2 s, 4 s.
fn doubling(n: u32) -> Duration {
    SECOND * (1 << (n - 1).min(5))
}

#[derive(Clone, Copy, Debug)]
enum Do {
    Admit,
    Trip,
    Good,
    Bad,
    Drop,
    Wait(u64),
    Force(bool),
    Automatic,
}
use Do::*;

/// Runs a script; trials come back in the order in which they left.
fn run(trials: Trials, script: &[Do]) -> (State, u32, u32) {
    let (mut machine, mut now) = (Machine::new(trials), Instant::now());
    let (mut passed, mut refused) = (0, 0);
    let mut under_way = std::collections::VecDeque::new();
    for step in script {
        match *step {
            Admit => match machine.admit(now, &doubling).0 {
                Admission::Pass { period, trial } => {
                    passed += 1;
                    under_way.extend(trial.then_some(period));
                }
                Admission::Refuse { .. } => refused += 1,
            },
            Trip => drop(machine.trip(machine.period(), now, CAUSE, &doubling)),
            Good | Bad => {
                let period = under_way.pop_front().expect("a trial is under way");
                machine.returned(period, matches!(step, Bad), now, &doubling);
            }
            Drop => machine.given_back(under_way.pop_front().expect("a trial is under way")),
            Wait(secs) => now += SECOND * secs as u32,
            Force(open) => drop(machine.force(open)),
            Automatic => drop(machine.automatic()),
        }
    }
    (machine.state(), passed, refused)
}

#[test]
fn each_state_has_its_ways_out() {
    use State::{Closed, ForcedClosed, ForcedOpen, Open, Probation};
    for (name, script, want) in [
        ("closed lets pass", &[Admit, Admit][..], (Closed, 2, 0)),
        ("open refuses", &[Trip, Admit], (Open, 0, 1)),
        ("time alone changes nothing", &[Trip, Wait(9)], (Open, 0, 0)),
        (
            "a call after it begins trials",
            &[Trip, Wait(1), Admit],
            (Probation, 1, 0),
        ),
        (
            "one at once",
            &[Trip, Wait(1), Admit, Admit],
            (Probation, 1, 1),
        ),
        (
            "then the next",
            &[Trip, Wait(1), Admit, Good, Admit],
            (Probation, 2, 0),
        ),
        (
            "all came back well",
            &[Trip, Wait(1), Admit, Good, Admit, Good, Admit],
            (Closed, 3, 0),
        ),
        (
            "one did not",
            &[Trip, Wait(1), Admit, Good, Admit, Bad, Admit],
            (Open, 2, 1),
        ),
        (
            "a dropped one says nothing",
            &[Trip, Wait(1), Admit, Drop, Admit, Good],
            (Probation, 2, 0),
        ),
        (
            "the second opening is longer",
            &[Trip, Wait(1), Admit, Bad, Wait(1), Admit],
            (Open, 1, 1),
        ),
        (
            "and ends",
            &[Trip, Wait(1), Admit, Bad, Wait(2), Admit],
            (Probation, 2, 0),
        ),
        (
            "closing forgets the openings",
            &[
                Trip,
                Wait(1),
                Admit,
                Good,
                Admit,
                Good,
                Trip,
                Wait(1),
                Admit,
            ],
            (Probation, 3, 0),
        ),
        (
            "patience ends",
            &[Trip, Wait(1), Admit, Wait(60), Admit],
            (Open, 1, 1),
        ),
        (
            "a trial back before somebody saw it still counts",
            &[Trip, Wait(1), Admit, Wait(60), Good],
            (Probation, 1, 0),
        ),
        (
            "a trial of a probation that is over",
            &[Trip, Wait(1), Admit, Wait(60), Admit, Wait(2), Admit, Bad],
            (Probation, 2, 1),
        ),
        (
            "forced open",
            &[Force(true), Wait(999), Admit],
            (ForcedOpen, 0, 1),
        ),
        (
            "forced closed",
            &[Force(false), Trip, Admit],
            (ForcedClosed, 1, 0),
        ),
        (
            "forced out of open",
            &[Trip, Force(false), Admit],
            (ForcedClosed, 1, 0),
        ),
        (
            "automatic again",
            &[Force(true), Automatic, Admit],
            (Closed, 1, 0),
        ),
        (
            "automatic forces nothing",
            &[Trip, Automatic, Admit],
            (Open, 0, 1),
        ),
        (
            "a trial under way when forced",
            &[Trip, Wait(1), Admit, Force(true), Bad],
            (ForcedOpen, 1, 0),
        ),
    ] {
        assert_eq!(run(TRIALS, script), want, "{name}");
    }
}

#[test]
fn tolerated_failures_do_not_decide() {
    let trials = Trials {
        total: 3,
        at_once: 3,
        tolerated: 1,
        ..TRIALS
    };
    for (name, script, want) in [
        (
            "three at once",
            &[Trip, Wait(1), Admit, Admit, Admit, Admit][..],
            (State::Probation, 3, 1),
        ),
        (
            "one failed",
            &[Trip, Wait(1), Admit, Admit, Admit, Bad, Good, Good],
            (State::Closed, 3, 0),
        ),
        (
            "two failed",
            &[Trip, Wait(1), Admit, Admit, Admit, Bad, Bad],
            (State::Open, 3, 0),
        ),
    ] {
        assert_eq!(run(trials, script), want, "{name}");
    }
}

#[test]
fn the_refusal_says_what_is_left() {
    let (mut machine, now) = (Machine::new(TRIALS), Instant::now());
    machine.trip(0, now, CAUSE, &doubling);
    let half = now + SECOND / 2;
    assert_eq!(machine.refusal(half), Some(Some(SECOND / 2)));
    assert_eq!(machine.refusal(now + SECOND), None);
    machine.force(true);
    assert_eq!(machine.refusal(half), Some(None));
}

#[test]
fn a_tripped_wire_of_an_old_period_opens_nothing() {
    let (mut machine, now) = (Machine::new(TRIALS), Instant::now());
    machine.force(true);
    machine.automatic();
    assert_eq!(machine.trip(0, now, CAUSE, &doubling), None);
    assert!(machine.trip(2, now, CAUSE, &doubling).is_some());
}

#[test]
fn an_endless_opening_is_no_overflow() {
    let (mut machine, now) = (Machine::new(TRIALS), Instant::now());
    machine.trip(0, now, CAUSE, &|_| Duration::MAX);
    assert!(machine.refusal(now + SECOND * 86_400 * 365).is_some());
}

/// The same breaker, told by its history: every trial is kept, nothing is counted ahead.
#[derive(Default)]
struct Naive {
    // Each trial: the probation it belongs to, and how it came back.
    trials: Vec<(u64, Option<Result<bool, ()>>)>,
    probation: Option<(u64, u64)>,
    open_until: Option<u64>,
    forced: Option<bool>,
    openings: u32,
    probations: u64,
}

impl Naive {
    fn open(&mut self, now: u64) {
        self.openings += 1;
        self.probation = None;
        self.open_until = Some(now + doubling(self.openings).as_secs());
    }

    fn count(&self, of: u64, how: impl Fn(Option<Result<bool, ()>>) -> bool) -> u32 {
        self.trials
            .iter()
            .filter(|(p, back)| *p == of && how(*back))
            .count() as u32
    }

    /// The trial that leaves, or whether the call passes otherwise.
    fn admit(&mut self, rules: &Trials, now: u64) -> Result<Option<usize>, ()> {
        if let Some(open) = self.forced {
            return if open { Err(()) } else { Ok(None) };
        }
        match (self.open_until, self.probation) {
            (Some(until), _) if now < until => return Err(()),
            (Some(_), _) => {
                self.open_until = None;
                self.probations += 1;
                self.probation = Some((self.probations, now + rules.patience.as_secs()));
            }
            (None, None) => return Ok(None),
            (None, Some((of, patience))) if now >= patience => {
                if self.count(of, |back| back.is_none()) > 0 {
                    self.open(now);
                    return Err(());
                }
                self.probation = Some((of, now + rules.patience.as_secs()));
            }
            (None, Some((of, _))) => {
                let running = self.count(of, |back| back.is_none());
                let not_dropped = self.count(of, |back| back != Some(Err(())));
                if running >= rules.at_once || not_dropped >= rules.total {
                    return Err(());
                }
            }
        }
        let (of, _) = self.probation.expect("it is one by now");
        self.trials.push((of, None));
        Ok(Some(self.trials.len() - 1))
    }

    fn back(&mut self, rules: &Trials, trial: usize, how: Result<bool, ()>, now: u64) {
        self.trials[trial].1 = Some(how);
        let of = self.trials[trial].0;
        if self.forced.is_some() || self.probation.is_none_or(|(current, _)| current != of) {
            return;
        }
        let bad = self.count(of, |back| back == Some(Ok(false)));
        let good = self.count(of, |back| back == Some(Ok(true)));
        if bad > rules.tolerated {
            self.open(now);
        } else if good + bad >= rules.total {
            (self.probation, self.openings) = (None, 0);
        }
    }

    fn force(&mut self, open: bool) {
        (self.open_until, self.probation, self.forced) = (None, None, Some(open));
    }

    fn state(&self) -> State {
        match (self.forced, self.open_until, self.probation) {
            (Some(true), ..) => State::ForcedOpen,
            (Some(false), ..) => State::ForcedClosed,
            (_, Some(_), _) => State::Open,
            (.., Some(_)) => State::Probation,
            _ => State::Closed,
        }
    }
}

fn any_step() -> impl Strategy<Value = (u8, u64)> {
    (0_u8..16, 0_u64..40)
}

proptest! {
    #[test]
    fn it_does_what_its_history_says(
        total in 1_u32..4, at_once in 1_u32..4, tolerated in 0_u32..3,
        steps in prop::collection::vec(any_step(), 0..200),
    ) {
        let rules = Trials { total, at_once, tolerated, patience: SECOND * 20 };
        let (mut machine, mut naive) = (Machine::new(rules), Naive::default());
        let (start, mut secs) = (Instant::now(), 0);
        let mut under_way: Vec<(u64, usize)> = Vec::new();
        for (step, n) in steps {
            let now = start + SECOND * secs as u32;
            match step {
                0..=5 => {
                    let theirs = naive.admit(&rules, secs);
                    match machine.admit(now, &doubling).0 {
                        Admission::Pass { period, trial } => {
                            prop_assert_eq!(trial, theirs.unwrap().is_some());
                            under_way.extend(theirs.unwrap().map(|t| (period, t)));
                        }
                        Admission::Refuse { .. } => prop_assert_eq!(theirs, Err(())),
                    }
                }
                6..=10 if !under_way.is_empty() => {
                    let (period, trial) = under_way.swap_remove(n as usize % under_way.len());
                    let how = match step { 6..=8 => Ok(true), 9 => Ok(false), _ => Err(()) };
                    match how {
                        Ok(good) => drop(machine.returned(period, !good, now, &doubling)),
                        Err(()) => machine.given_back(period),
                    }
                    naive.back(&rules, trial, how, secs);
                }
                11 if naive.state() == State::Closed => {
                    machine.trip(machine.period(), now, CAUSE, &doubling);
                    naive.open(secs);
                }
                12 | 13 => secs += n,
                14 if n < 8 => {
                    machine.force(n < 4);
                    naive.force(n < 4);
                }
                15 if naive.forced.is_some() => {
                    machine.automatic();
                    (naive.forced, naive.openings) = (None, 0);
                }
                _ => {}
            }
            prop_assert_eq!(machine.state(), naive.state());
        }
    }
}
