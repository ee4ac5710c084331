//! What a bug is, and how it is explored.

use std::path::PathBuf;
use std::sync::OnceLock;

use futures_util::future::LocalBoxFuture;
use murphy_chaos::{Budget, Explore, Failure, Menu, Outcome, World, explore};

use crate::BUGS;

/// A service with a bug, and its twin without.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bug {
    /// The exploration's name.
    pub(crate) name: &'static str,
    /// The text of the file that it is in.
    pub(crate) source: &'static str,
    /// One run of it, or of its twin.
    pub(crate) run: fn(World, Twin) -> LocalBoxFuture<'static, ()>,
    /// What may go wrong.
    pub(crate) menu: fn() -> Menu,
    /// Runs, for the bug and for the twin.
    pub(crate) runs: u64,
    /// The promise that it breaks.
    pub(crate) breaks: &'static str,
    /// What it takes to break it.
    pub(crate) takes: Takes,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twin {
    Buggy,
    Fixed,
}

impl Twin {
    pub(crate) fn is_fixed(self) -> bool {
        self == Self::Fixed
    }
}

/// What it takes to break a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// One fault.
    One,
    /// Two faults, and none of them alone.
    Two,
    /// No fault: another order.
    Order,
}

impl Bug {
    /// The exploration of it or its twin, under a seed and a budget of runs. Twins have one name, so that a code of one is
    /// one of the other; `what` is for its files, so that tests that run at once do not share them.
    pub(crate) fn exploration(&self, what: &str) -> Explore {
        let directory = format!("{}-{what}-{}", self.name, std::process::id());
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bugs");
        let target = target.join(directory);
        // What an earlier process of this number left is not an old failure of this one.
        let _ = std::fs::remove_dir_all(&target);
        explore(self.name)
            .seed(42)
            .budget(Budget::runs(self.runs))
            .menu((self.menu)())
            .failures(1)
            .artifacts(target)
    }

    pub(crate) fn explored(&self, twin: Twin) -> Outcome {
        let run = self.run;
        let exploration = self.exploration(&format!("{twin:?}"));
        exploration.run(move |w| run(w, twin))
    }

    /// What exploring the bug came to, once for all tests of a process.
    pub(crate) fn found(&self) -> (&'static Outcome, &'static Failure) {
        static FOUND: [OnceLock<Outcome>; BUGS.len()] = [const { OnceLock::new() }; BUGS.len()];

        let index = BUGS.iter().position(|bug| bug.name == self.name);
        let found = &FOUND[index.expect("one of them")];
        let outcome = found.get_or_init(|| self.explored(Twin::Buggy));
        let [failure] = &outcome.failures[..] else {
            panic!("{}: one failure, not\n{outcome}", self.name);
        };
        (outcome, failure)
    }
}
