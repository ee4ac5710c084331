//! What all trials share: a snippet of the chapter, what it promises, and what stands for it here.

use std::future::Future;
use std::pin::Pin;

use anyhow::{Result, ensure};
use murphy_chaos::{Budget, Failure, Menu, Outcome, World, explore};
use murphy_core::Seed;

/// One run: a fresh world, and what is played in it.
pub(crate) type Play = fn(World) -> Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// A snippet, and its twin.
pub(crate) struct Trial {
    /// Its name in the chapter, and what is tried.
    pub(crate) snippet: &'static str,
    /// Names its exploration, and so its codes.
    pub(crate) name: &'static str,
    pub(crate) chapter: Play,
    pub(crate) twin: Play,
    /// What the twin is made of.
    pub(crate) made_of: &'static str,
    /// What may go wrong, for both.
    pub(crate) menu: Menu,
    /// The kinds of fault of which one, alone, is to break it.
    pub(crate) breaks: &'static [&'static str],
}

/// What came of it.
pub(crate) struct Sentence {
    pub(crate) chapter: Outcome,
    pub(crate) twin: Outcome,
}

impl Trial {
    /// Explores both, with one budget.
    pub(crate) fn hold(&self, seed: Seed, runs: u64) -> Sentence {
        let explored = |name: String| {
            explore(name)
                .seed(seed)
                .budget(Budget::runs(runs))
                .menu(self.menu.clone())
                .failures(1)
                // A code of last time is not to find what is to be found.
                .corpus("none")
                .artifacts(format!(
                    "target/murphy/chapter_on_trial/{}-{seed}",
                    self.name
                ))
        };
        forget(&format!(
            "target/murphy/chapter_on_trial/{}-{seed}",
            self.name
        ));
        Sentence {
            chapter: explored(self.name.into()).run(self.chapter),
            twin: explored(format!("{}-twin", self.name)).run(self.twin),
        }
    }

    /// What the snippet was to show.
    ///
    /// # Errors
    ///
    /// It was not broken, not by what should break it, or its twin was.
    pub(crate) fn lesson(&self, sentence: &Sentence) -> Result<()> {
        let snippet = self.snippet;
        let failure = sentence.failure();
        ensure!(
            failure.is_some(),
            "the lesson did not appear: {snippet} was not broken\n{}",
            sentence.chapter
        );
        let by: Vec<&str> = failure
            .iter()
            .flat_map(|f| f.injections.iter().map(|i| i.kind()))
            .collect();
        ensure!(
            matches!(by[..], [kind] if self.breaks.contains(&kind)),
            "the lesson did not appear: {snippet} was broken by {by:?}\n{}",
            sentence.chapter
        );
        let is_sure = failure.is_some_and(|f| f.is_minimal && f.confirmed == 3);
        ensure!(
            is_sure,
            "{snippet}: it does not repeat itself\n{}",
            sentence.chapter
        );
        ensure!(
            sentence.twin.passed(),
            "the twin of {snippet} does not survive\n{}",
            sentence.twin
        );
        Ok(())
    }
}

impl Sentence {
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.chapter.failures.first()
    }
}

/// Old codes, if there are any.
fn forget(folder: &str) {
    drop(std::fs::remove_file(
        std::path::Path::new(folder).join("corpus.txt"),
    ));
}
