//! [`Outcome`]: what an exploration came to.

use std::collections::BTreeMap;
use std::panic::Location;
use std::process::{ExitCode, Termination};
use std::time::Duration;

use murphy_check::Picture;
use murphy_core::Seed;
use murphy_fault::{Grade, Plan, Transcript};

use crate::code::ReplayCode;
use crate::coverage::Coverage;
use crate::exchange::Exchange;
use crate::injection::Injection;
use crate::promise::Violation;
use crate::scene::Mark;

/// What an exploration came to. Displays as a report.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The exploration's name.
    pub name: String,
    /// Where [`explore`](crate::explore) was called.
    pub called_at: &'static Location<'static>,
    /// The seed that everything was drawn from.
    pub seed: Seed,
    /// Passed, failed or undecided.
    pub verdict: Verdict,
    /// How far its runs repeat themselves: the lowest grade of all. In virtual time `Paused`; in real time `Keyed` where calls
    /// have keys.
    pub grade: Grade,
    /// Each kind of failure once, with the fewest faults that cause it.
    pub failures: Vec<Failure>,
    /// Broken promises that did not come again often enough: at most eight, each once. Only in
    /// [real time](crate::Explore::real_time); they leave it undecided.
    pub unconfirmed: Vec<Failure>,
    /// Why it is not green although no promise was broken: a fault that never struck, a `sometimes!` that
    /// was never true.
    pub gaps: Vec<String>,
    /// Why it is undecided, if it is.
    pub undecided: Vec<String>,
    /// What was tried, in order.
    pub phases: Vec<Phase>,
    /// Which faults struck where.
    pub coverage: Coverage,
    /// Every `sometimes!` and `reachable!`, over all runs.
    pub marks: BTreeMap<String, Mark>,
    /// Anything else that one should know.
    pub notes: Vec<String>,
    /// Runs, those of shrinking included.
    pub runs: u64,
    /// Real time.
    pub took: Duration,
    /// Whether any call passed a site. Without one nothing was explored.
    pub calls: usize,
}

/// Passed, failed or undecided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No promise was broken, and everything that was configured happened. Exit 0.
    Passed,
    /// A promise was broken, or something that was configured never happened. Exit 1.
    Failed,
    /// It could not be decided. Exit 2.
    Undecided,
}

/// One part of an exploration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phase {
    /// Which.
    pub stage: Stage,
    /// Runs that were made.
    pub tried: u64,
    /// Of how many, where that is known.
    pub of: Option<u64>,
    /// Runs that failed.
    pub failed: u64,
}

/// The parts of an exploration, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Failures of old.
    Corpus,
    /// Without faults: sites and calls are learned, and whether a run repeats itself.
    FaultFree,
    /// Every fault at every call, one a run.
    Singles,
    /// No faults, but calls in another order.
    Orders,
    /// Two faults a run.
    Pairs,
    /// Faults by chance.
    Storms,
    /// One code that was asked for.
    Replay,
}

/// A promise that was broken, and the fewest faults that break it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The broken promise, as the shrunk run broke it.
    pub violation: Violation,
    /// Where it was found.
    pub stage: Stage,
    /// What goes wrong, as little of it as there can be.
    pub injections: Vec<Injection>,
    /// How much went wrong when it was found.
    pub found_with: usize,
    /// Runs that shrinking took.
    pub replays: usize,
    /// Whether none of the injections can be left out.
    pub is_minimal: bool,
    /// How often it came again. In virtual time below [`of`](Self::of), the test does not repeat itself.
    pub confirmed: u8,
    /// Of how many replays: three; in real time until it was [decided](crate::RealTime::confirm).
    pub of: u8,
    /// Repeats it anywhere.
    pub code: ReplayCode,
    /// The same as a plan of the fault crate.
    pub plan: Plan,
    /// The ledger of the shrunk run: faults, events, and each call as a record of the rule `watch`.
    pub transcript: Option<Transcript>,
    /// The illegal window, if it was a history that was not legal.
    pub picture: Option<Picture>,
    /// What clients asked and were told in the shrunk run, in the order in which they asked; at most 32,768.
    pub exchanges: Vec<Exchange>,
    /// Other single causes of the same broken promise, `lost-reply at client->pay`, and in how many runs.
    pub also: BTreeMap<String, u64>,
}

impl Failure {
    /// What failures of one cause share. See [`Violation::fingerprint`].
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.violation.fingerprint()
    }
}

impl Outcome {
    /// 0 passed, 1 failed, 2 undecided.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::Undecided => 2,
        }
    }

    /// Whether it passed.
    #[must_use]
    pub const fn passed(&self) -> bool {
        matches!(self.verdict, Verdict::Passed)
    }

    pub(crate) fn judge(&mut self) {
        self.verdict = if !self.failures.is_empty() || !self.gaps.is_empty() {
            Verdict::Failed
        } else if !self.undecided.is_empty() {
            Verdict::Undecided
        } else {
            Verdict::Passed
        };
    }
}

/// Prints the report on standard error; the process exits with 0, 1 or 2.
impl Termination for Outcome {
    fn report(self) -> ExitCode {
        eprint!("{self}");
        self.exit_code().into()
    }
}
