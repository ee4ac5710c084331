//! What a bug is, and how it is explored.

use std::path::PathBuf;

use futures_util::future::LocalBoxFuture;
use murphy_chaos::{Budget, Explore, Menu, Outcome, World, explore};

/// A service with a bug, and its twin without.
#[derive(Clone, Copy)]
pub(crate) struct Bug {
    /// The exploration's name.
    pub(crate) name: &'static str,
    /// The file that it is in.
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
    /// The exploration of it or its twin, under a seed and a budget of runs.
    pub(crate) fn exploration(&self, twin: Twin) -> Explore {
        // Twins of one name, so that a code of one is a code of the other; each process writes on its own.
        let directory = format!("{}-{twin:?}-{}", self.name, std::process::id());
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join("bugs")
            .join(directory);
        // What an earlier run of the tests left is not an old failure of this one.
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
        self.exploration(twin).run(move |w| run(w, twin))
    }
}
