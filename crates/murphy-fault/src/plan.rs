//! [`Plan`]: what to inject, as data.

mod check;
mod describe;
mod limits;
mod raw;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Probability, Seed};
use serde::{Deserialize, Serialize};

use crate::Fault;
use crate::disturbance::Disturbance;
use crate::ledger::{BadLedger, Transcript};
use crate::select::Select;

pub use limits::{Halt, HaltOn, Limits};

/// The version of the format that is read and written.
pub const PLAN_VERSION: u32 = 1;

/// The most faults that one site holds.
pub const MOST_FAULTS: usize = 64;

/// The most disturbances of one plan.
pub(crate) const MOST_DISTURBANCES: usize = 1024;

/// The longest text that is parsed: 64 MiB, a script of a million points.
const LONGEST_TEXT: u64 = 64 << 20;

/// What to inject: faults at named sites, disturbances of network and nodes, limits, halt
/// conditions, and perhaps a seed. Nothing else: a plan holds no code, so that it can come from a file, from `MURPHY_PLAN`, or out of a
/// ledger.
///
/// # Examples
///
/// ```
/// use murphy_fault::Plan;
///
/// let plan = Plan::from_toml(r#"
///     version = 1
///
///     [[fault]]
///     site = "api->payments"
///     kind = "latency"
///     delay = { log_normal = { median = "40ms", sigma = 0.5 } }
///     probability = "20%"
///
///     [[fault]]
///     site = "api->payments"
///     kind = "loss"
///     leg = "reply"
///     probability = 0.02
///     window = { from = "2s", until = "5s" }
/// "#)?;
/// assert_eq!(plan.faults().len(), 2);
/// assert!(plan.describe().contains("lose the reply"));
/// # Ok::<(), murphy_fault::BadPlan>(())
/// ```
#[doc = include_str!("plan/format.md")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "raw::Raw", into = "raw::Raw")]
pub struct Plan {
    pub(crate) seed: Option<Seed>,
    pub(crate) faults: Vec<(Arc<str>, Fault)>,
    pub(crate) limits: Limits,
    pub(crate) halt: Halt,
    pub(crate) disturbances: Vec<Disturbance>,
}

/// A plan that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadPlan {
    /// It is no TOML or no JSON.
    #[error("plan: not {format}: {problem}")]
    Syntax {
        /// `TOML` or `JSON`.
        format: &'static str,
        /// What the parser says, with the place.
        problem: String,
    },
    /// It is of another version.
    #[error("plan: `version` is {found}: this release reads version {PLAN_VERSION}")]
    Version {
        /// The one found.
        found: String,
    },
    /// A field holds what it must not.
    #[error("plan: `{field}` is `{value}`: {remedy}")]
    Field {
        /// The path of the field, as `fault[2].probability`.
        field: String,
        /// What it holds.
        value: String,
        /// What would be right.
        remedy: String,
    },
    /// The file is a ledger, and no plan can be made of it.
    #[error(transparent)]
    Ledger(#[from] BadLedger),
    /// The file cannot be read.
    #[error("plan: cannot read `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
}

impl Plan {
    /// The environment variable that names a plan's file.
    pub const VARIABLE: &'static str = "MURPHY_PLAN";

    /// An empty plan: nothing goes wrong.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same plan with one more fault.
    ///
    /// Two faults of one site must have two names; that is checked when the plan is armed.
    #[must_use]
    pub fn with(mut self, site: impl Into<Arc<str>>, fault: Fault) -> Self {
        self.faults.push((site.into(), fault));
        self
    }

    /// The same plan, which does one thing more to the network or to a node.
    #[must_use]
    pub fn disturb(mut self, disturbance: Disturbance) -> Self {
        self.disturbances.push(disturbance);
        self
    }

    /// What the plan does to the network and to nodes, in order.
    #[must_use]
    pub fn disturbances(&self) -> &[Disturbance] {
        &self.disturbances
    }

    /// The same plan with a seed, which wins over that of the [`Chaos`](crate::Chaos).
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The same plan with other limits.
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// The same plan, which ends at `share` of failed calls, once `after` calls have ended.
    #[must_use]
    pub fn halt_on_errors(mut self, share: Probability, after: u64) -> Self {
        self.halt.errors = Some(HaltOn { share, after });
        self
    }

    /// The same plan, which ends at `share` of calls slower than `over`, once `after` have ended.
    #[must_use]
    pub fn halt_on_latency(mut self, over: Duration, share: Probability, after: u64) -> Self {
        self.halt.latency = Some((over, HaltOn { share, after }));
        self
    }

    /// The seed that the plan brings, if it does.
    #[must_use]
    pub fn chosen_seed(&self) -> Option<Seed> {
        self.seed
    }

    /// The faults and their sites, in order.
    #[must_use]
    pub fn faults(&self) -> &[(Arc<str>, Fault)] {
        &self.faults
    }

    /// The plan in `text`, which is TOML.
    ///
    /// # Errors
    ///
    /// [`BadPlan`]; an unknown key or word comes with the nearest known one.
    pub fn from_toml(text: &str) -> Result<Self, BadPlan> {
        raw::from_toml(text)
    }

    /// The plan in `text`, which is JSON.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml).
    pub fn from_json(text: &str) -> Result<Self, BadPlan> {
        raw::from_json(text)
    }

    /// The plan in a file, by the end of its name: `.json` is JSON, `.jsonl` a ledger that is to be
    /// replayed, all else is TOML.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml), and [`BadPlan::Io`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, BadPlan> {
        use std::io::Read;

        let path = path.as_ref();
        let is = |end: &str| {
            path.extension()
                .is_some_and(|e| e.eq_ignore_ascii_case(end))
        };
        if is("jsonl") {
            let file = std::fs::File::open(path);
            let file = file.map_err(|source| BadPlan::Io {
                path: path.to_owned(),
                source,
            })?;
            return Ok(Transcript::read_json_lines(file)?.to_plan()?);
        }
        let read = || {
            let mut text = String::new();
            let file = std::fs::File::open(path)?;
            file.take(LONGEST_TEXT + 1).read_to_string(&mut text)?;
            Ok(text)
        };
        let text = read().map_err(|source| BadPlan::Io {
            path: path.to_owned(),
            source,
        })?;
        if is("json") {
            Self::from_json(&text)
        } else {
            Self::from_toml(&text)
        }
    }

    /// The plan in the file that `MURPHY_PLAN` names, if the variable is set and not empty.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file).
    pub fn from_env() -> Result<Option<Self>, BadPlan> {
        match std::env::var_os(Self::VARIABLE) {
            Some(path) if !path.is_empty() => Self::from_file(PathBuf::from(path)).map(Some),
            _ => Ok(None),
        }
    }

    /// The plan as TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_else(|e| unreachable!("a plan is representable: {e}"))
    }

    /// The plan as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self)
            .unwrap_or_else(|e| unreachable!("a plan is representable: {e}"))
    }

    /// What the plan does, for people: a line a fault, with its effective rate, and each site's
    /// total.
    #[must_use]
    pub fn describe(&self) -> String {
        describe::describe(self)
    }

    /// The index of a fault.
    pub(crate) fn position(&self, site: &str, fault: &str) -> Option<usize> {
        self.faults
            .iter()
            .position(|(s, f)| **s == *site && f.name() == fault)
    }

    /// The same faults, each with the selection that `select` gives it, or dropped. What narrowed
    /// or limited them is gone: the selection is meant to be the whole truth.
    pub(crate) fn scripted(
        &self,
        seed: Seed,
        mut select: impl FnMut(&Fault) -> Option<Select>,
    ) -> Self {
        let faults = self.faults.iter().filter_map(|(site, fault)| {
            let chosen = select(fault)?;
            let fault = Fault {
                select: chosen,
                narrow: Default::default(),
                ..fault.clone()
            };
            Some((Arc::clone(site), fault))
        });
        Self {
            seed: Some(seed),
            faults: faults.collect(),
            limits: Limits {
                exclude: self.limits.exclude.clone(),
                keys: self.limits.keys,
                ledger: self.limits.ledger,
                ..Limits::default()
            },
            halt: Halt::default(),
            disturbances: self.disturbances.clone(),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// The known word nearest to `word`, if one is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let short: String = word.chars().take(64).collect();
    known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(&short, k), k))
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}
