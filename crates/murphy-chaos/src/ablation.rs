//! [`Ablation`]: which policy pays for which faults.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use humantime::format_duration;

use crate::ablate::MOST_POLICIES;
use crate::outcome::Outcome;

/// Which policy pays for which faults. From [`Explore::ablate`](crate::Explore::ablate); displays as a table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ablation {
    /// With all policies in place: it passed.
    pub baseline: Outcome,
    /// Without each, in the order in which they were named.
    pub rows: Vec<Row>,
}

/// What became of the system without one policy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Row {
    /// The policy that was taken out.
    pub policy: String,
    /// What it is worth.
    pub worth: Worth,
    /// The exploration without it. Its replay codes repeat a failure with it taken out.
    pub outcome: Outcome,
}

/// What a policy is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Worth {
    /// Without it these break a promise.
    Pays(Vec<Cause>),
    /// Without it nothing breaks that was tried.
    NeverMattered,
    /// Nobody can tell: why.
    Unknown(Vec<String>),
    /// The test never asked whether it is in place, so it was.
    NeverAsked,
}

/// What breaks a promise without a policy: one fault, or a few together; none, if it is needed at all times.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Cause {
    /// The kind of each fault, and its place: a site, a node, a link.
    pub faults: Vec<(String, String)>,
    /// The broken promise.
    pub promise: String,
}

/// Why there is no ablation.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAblated {
    /// No policy was named.
    #[error("policies: none is named: name at least one that the test can do without")]
    Nothing,
    /// One was named twice.
    #[error("policies: `{0}` is named twice: name each once")]
    Twice(String),
    /// More than 64.
    #[error("policies: more than {MOST_POLICIES} are named: each is an exploration; name fewer")]
    TooMany,
    /// The test asked for one that was not named.
    #[error("policies: the test asks for `{asked}`, and known are {}: name it too", .known.join(", "))]
    Unknown {
        /// What it asked for.
        asked: String,
        /// What was named.
        known: Vec<String>,
    },
    /// With all policies in place it is not green. What fails anyhow says nothing of any of them.
    #[error("with all policies in place it is not green: mend that first\n{0}")]
    Baseline(Box<Outcome>),
    /// `MURPHY_REPLAY`, or [`Explore::replay`](crate::Explore::replay), asked for one run: this is what came of it.
    #[error("nothing was taken out: only the run of a replay code was repeated\n{0}")]
    Replayed(Box<Outcome>),
}

impl Ablation {
    /// The row of this policy.
    #[must_use]
    pub fn row(&self, policy: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.policy == policy)
    }

    /// The kinds of faults that break a promise without this policy, each by itself: sorted, each once. Of what only several
    /// faults break see [`Row::worth`].
    #[must_use]
    pub fn paid_for(&self, policy: &str) -> Vec<&str> {
        self.row(policy).map_or(Vec::new(), Row::kinds)
    }

    /// Whether nothing broke without it, of all that was tried.
    #[must_use]
    pub fn never_mattered(&self, policy: &str) -> bool {
        self.row(policy)
            .is_some_and(|row| row.worth == Worth::NeverMattered)
    }
}

impl Row {
    fn kinds(&self) -> Vec<&str> {
        let Worth::Pays(causes) = &self.worth else {
            return Vec::new();
        };
        let single = causes.iter().filter_map(|cause| match &cause.faults[..] {
            [(kind, _)] => Some(kind.as_str()),
            _ => None,
        });
        let mut kinds: Vec<&str> = single.collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

impl fmt::Display for Ablation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome {
            name, seed, runs, ..
        } = &self.baseline;
        let without = self.rows.iter().map(|row| &row.outcome);
        let took: std::time::Duration = without.clone().map(|o| o.took).sum();
        let took = std::time::Duration::from_millis((took + self.baseline.took).as_millis() as u64);
        let all: u64 = runs + without.map(|o| o.runs).sum::<u64>();
        let took = format_duration(took);
        writeln!(
            f,
            "murphy: `{name}` ablated: {all} runs in {took}, MURPHY_SEED={seed}"
        )?;
        let longest = self.rows.iter().map(|row| row.policy.chars().count());
        let width = longest.max().unwrap_or_default();
        for row in &self.rows {
            let policy = &row.policy;
            writeln!(f, "  without {policy:width$}  {}", row.worth)?;
            for failure in &row.outcome.failures {
                writeln!(f, "    {}", failure.violation)?;
                writeln!(f, "      MURPHY_REPLAY={}", failure.code)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Worth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pays(causes) => write!(f, "broken by {}", told(causes)),
            Self::NeverMattered => f.write_str("nothing is broken: it never mattered"),
            Self::Unknown(why) => write!(f, "nobody can tell: {}", why.join("; ")),
            Self::NeverAsked => {
                f.write_str("nobody can tell: the test never asks for it, so it was not taken out")
            }
        }
    }
}

/// A kind of fault with all its places; then what only several break.
fn told(causes: &[Cause]) -> String {
    let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut others = BTreeSet::new();
    for cause in causes {
        if let [(kind, place)] = &cause.faults[..] {
            kinds.entry(kind).or_default().insert(place);
        } else {
            others.insert(cause.to_string());
        }
    }
    let single = kinds.into_iter().map(|(kind, places)| {
        let places: Vec<&str> = places.into_iter().collect();
        format!("{kind} at {}", places.join(", "))
    });
    single.chain(others).collect::<Vec<_>>().join("; ")
}

/// `lost-reply at api->pay`, or several with `and`.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() {
            return f.write_str("no fault at all");
        }
        let told = self
            .faults
            .iter()
            .map(|(kind, at)| format!("{kind} at {at}"));
        f.write_str(&told.collect::<Vec<_>>().join(" and "))
    }
}
