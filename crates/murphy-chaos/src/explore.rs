//! [`explore`]: the builder of an exploration.

use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::time::Duration;

use murphy_core::{Seed, hash_bytes};

use crate::annotate;
use crate::budget::Budget;
use crate::code::ReplayCode;
use crate::files::{self, Files};
use crate::menu::Menu;
use crate::once::Check;
use crate::outcome::Outcome;
use crate::real::RealTime;
use crate::search::Search;
use crate::world::World;

/// The environment variable with a replay code, or with `@` and a file that holds one.
pub const REPLAY_VARIABLE: &str = "MURPHY_REPLAY";

/// An exploration with this name: it names its files and is part of its replay codes.
#[track_caller]
pub fn explore(name: impl Into<String>) -> Explore {
    let name = name.into();
    Explore {
        called_at: Location::caller(),
        annotated: false,
        progress: None,
        files: Files::of(&name),
        seed: None,
        budget: Budget::default(),
        jobs: None,
        menu: None,
        storm: None,
        horizon: None,
        real: None,
        limit: 3,
        expected: Vec::new(),
        going_on: false,
        tolerant: false,
        patience: Duration::from_secs(60),
        replay: None,
        fresh: false,
        name,
    }
}

/// An exploration: what it may try, and for how long. From [`explore`].
///
/// What the environment says wins: `MURPHY_SEED`, `MURPHY_BUDGET`, `MURPHY_REPLAY`.
#[derive(Clone, Debug)]
#[must_use = "nothing runs before `check` or `run`"]
pub struct Explore {
    pub(crate) name: String,
    pub(crate) called_at: &'static Location<'static>,
    pub(crate) annotated: bool,
    pub(crate) progress: Option<bool>,
    pub(crate) files: Files,
    pub(crate) seed: Option<Seed>,
    pub(crate) budget: Budget,
    pub(crate) jobs: Option<NonZeroUsize>,
    /// As the mode has it, unless it is set.
    pub(crate) menu: Option<Menu>,
    pub(crate) storm: Option<Duration>,
    pub(crate) horizon: Option<Duration>,
    pub(crate) real: Option<RealTime>,
    pub(crate) limit: usize,
    pub(crate) expected: Vec<String>,
    pub(crate) going_on: bool,
    pub(crate) tolerant: bool,
    pub(crate) patience: Duration,
    pub(crate) replay: Option<ReplayCode>,
    /// Old failures are not replayed.
    pub(crate) fresh: bool,
}

/// What a test's closure gives back: nothing, or a result whose error breaks a promise.
pub trait Ends {
    /// `Err` with the words of the error.
    ///
    /// # Errors
    ///
    /// If the test failed.
    fn ends(self) -> Result<(), String>;
}

impl Ends for () {
    fn ends(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: std::fmt::Display> Ends for Result<(), E> {
    fn ends(self) -> Result<(), String> {
        self.map_err(|e| e.to_string())
    }
}

impl Explore {
    /// How much it may try. Default 10,000 runs and 60 s.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// The seed that everything is drawn from. Default: made of the name, so that a test that passed
    /// passes again; a nightly job sets `MURPHY_SEED` to something new.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// How many threads make runs; 0 is as many as the machine has cores, the default. What is found
    /// does not depend on it, unless the budget is of time.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = NonZeroUsize::new(jobs);
        self
    }

    /// What may go wrong, and by how much.
    pub fn menu(mut self, menu: Menu) -> Self {
        self.menu = Some(menu);
        self
    }

    /// When faults end in a run, in virtual time. Default 60 s. What is left of the run is the quiet
    /// tail, in which the system has to recover.
    pub fn storm(mut self, storm: Duration) -> Self {
        self.storm = Some(storm);
        self
    }

    /// When a run ends by itself, in virtual time, and breaks the promise that it ends. Default an hour.
    pub fn horizon(mut self, horizon: Duration) -> Self {
        self.horizon = Some(horizon);
        self
    }

    /// How many different failures it looks for before it stops, within the part in which the first was found.
    /// Default 3.
    pub fn failures(mut self, limit: usize) -> Self {
        self.limit = limit.max(1);
        self
    }

    /// Goes on to the next part although something failed, up to the limit of
    /// [`failures`](Self::failures): pairs without those that fail alone, then storms. By default a part that failed is the last:
    /// what comes after it costs more and explains less.
    pub fn going_on(mut self) -> Self {
        self.going_on = true;
        self
    }

    /// A `sometimes!` or `reachable!` with this name must have been true in some run. Without this,
    /// one that no run came to is not missed.
    pub fn expecting(mut self, name: impl Into<String>) -> Self {
        self.expected.push(name.into());
        self
    }

    /// The most *real* time of one run, default 60 s. A run that takes longer is cut, and the
    /// exploration undecided: a loop that yields and never waits keeps virtual time from moving.
    pub fn patience(mut self, real: Duration) -> Self {
        self.patience = real.max(Duration::from_millis(4));
        self
    }

    /// A panic that does not end the test is no failure: in a task that nobody awaits, or where a layer or the test
    /// catches it. By default each is: nobody would see it.
    pub fn tolerating_panics(mut self) -> Self {
        self.tolerant = true;
        self
    }

    /// Where the codes of old failures are, a line each, kept with the code. Default
    /// `tests/murphy-corpus/<name>.txt` of the package. Only read: whoever fixes a bug puts its code there.
    pub fn corpus(mut self, file: impl Into<PathBuf>) -> Self {
        self.files.corpus = file.into();
        self
    }

    /// Where it is written what the exploration came to: `report.txt`, `junit.xml` (feature `junit`), and, unless it passed,
    /// codes, plans, ledgers, the page `index.html` (feature `html`), and the codes that the next exploration begins
    /// with. Default `target/murphy/<name>/`. What an earlier exploration left there is overwritten or removed, but for
    /// the codes. What cannot be written is a note in the report.
    pub fn artifacts(mut self, directory: impl Into<PathBuf>) -> Self {
        self.files.target = directory.into();
        self
    }

    /// Where this runs as an action of GitHub's, each failure is annotated at the line that called [`explore`]. Without
    /// this, only where `MURPHY_ANNOTATE` is set (and not `0`). At most ten, which is what is shown of a step.
    pub fn annotate(mut self) -> Self {
        self.annotated = true;
        self
    }

    /// Whether it says on standard error how far it has come: a bar on a terminal (feature `progress`), else a line every
    /// five seconds, and nothing in the first two. By default it does in a program whose main thread explores, and in tests
    /// with `--nocapture`; a test whose output is captured is silent.
    pub fn progress(mut self, on: bool) -> Self {
        self.progress = Some(on);
        self
    }

    /// Only repeats the run of this code.
    pub fn replay(mut self, code: ReplayCode) -> Self {
        self.replay = Some(code);
        self
    }

    /// Explores, and fails the test if the outcome is not green: if a promise was broken, if something
    /// that was configured never happened, or if it cannot be decided.
    ///
    /// The closure is called once a run, on several threads; its future runs on one of them, and
    /// need not be `Send`. Spawn what is to run beside it (`tokio::spawn`, `tokio::task::spawn_local`).
    ///
    /// # Panics
    ///
    /// With the report, if it is not green; if an environment variable cannot be read.
    pub fn check<F, Fut>(self, test: F)
    where
        F: Fn(World) -> Fut + Send + Sync,
        Fut: Future,
        Fut::Output: Ends,
    {
        let outcome = self.run(test);
        assert!(outcome.passed(), "\n{outcome}");
        // A test that passes is silent, unless one asks: `cargo test -- --show-output`.
        println!("{outcome}");
    }

    /// Explores. For programs: an [`Outcome`] exits with 0, 1 or 2.
    ///
    /// # Panics
    ///
    /// If an environment variable cannot be read.
    pub fn run<F, Fut>(mut self, test: F) -> Outcome
    where
        F: Fn(World) -> Fut + Send + Sync,
        Fut: Future,
        Fut::Output: Ends,
    {
        let test = &test;
        let check: Box<Check<'_>> = Box::new(move |world| {
            let future = test(world);
            Box::pin(async move { future.await.ends() })
        });
        if let Err(problem) = self.from_env() {
            panic!("murphy: `{}`: {problem}", self.name);
        }
        let mut outcome = Search::new(&self, &*check).run();
        self.files.report(&mut outcome);
        if annotate::is_wanted(self.annotated) {
            annotate::lines(&outcome)
                .iter()
                .for_each(|line| eprintln!("{line}"));
        }
        outcome
    }

    pub(crate) fn chosen_seed(&self) -> Seed {
        self.seed
            .unwrap_or_else(|| Seed::new(hash_bytes(self.name.as_bytes())))
    }

    #[expect(
        clippy::wrong_self_convention,
        reason = "it takes what the environment says"
    )]
    pub(crate) fn from_env(&mut self) -> Result<(), String> {
        if let Some(seed) = Seed::from_env().map_err(|e| e.to_string())? {
            self.seed = Some(seed);
        }
        if let Some(budget) =
            Budget::from_env().map_err(|e| format!("{}: {e}", Budget::VARIABLE))?
        {
            self.budget = budget;
        }
        let Some(text) = std::env::var_os(REPLAY_VARIABLE).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        let text = text.to_string_lossy();
        let read = |file: &str| {
            let remedy = "name a file with one code after `@`, or give the code itself";
            files::read(Path::new(file))
                .map_err(|e| format!("{REPLAY_VARIABLE}: `@{file}` cannot be read: {e}; {remedy}"))
        };
        let code = match text.strip_prefix('@') {
            Some(file) => {
                let text = read(file)?;
                let not_one = || {
                    format!(
                        "{REPLAY_VARIABLE}: `@{file}` has none or several codes: give one itself"
                    )
                };
                one_code(&text).ok_or_else(not_one)?.to_owned()
            }
            None => text.into_owned(),
        };
        let code: ReplayCode = code
            .parse()
            .map_err(|e| format!("{REPLAY_VARIABLE}: {e}"))?;
        self.replay = Some(code);
        Ok(())
    }
}

/// The one line that is no remark.
fn one_code(text: &str) -> Option<&str> {
    let lines = text.lines().map(str::trim);
    let mut codes = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    codes.next().filter(|_| codes.next().is_none())
}
