//! [`Report`]: what was seen.

use std::fmt;

use super::Promise;

/// What was seen of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was kept.
    Kept,
    /// It was not, and how that was seen.
    Broken(String),
    /// The lock does not offer what it is about: no token, say, or nothing that could tell of a loss.
    Missing(&'static str),
    /// It could not be tried, and why: the rig cannot do what it takes, or failed.
    Unable(String),
}

/// What was seen of a lock, promise for promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    subject: String,
    verdicts: Vec<(Promise, Verdict)>,
}

impl Report {
    pub(super) fn new(subject: String, verdicts: Vec<(Promise, Verdict)>) -> Self {
        Self { subject, verdicts }
    }

    /// Whose locks they were.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// All promises, in the order of [`Promise::ALL`].
    #[must_use]
    pub fn verdicts(&self) -> &[(Promise, Verdict)] {
        &self.verdicts
    }

    /// What was seen of one.
    #[must_use]
    pub fn of(&self, promise: Promise) -> Option<&Verdict> {
        let mut verdicts = self.verdicts.iter();
        verdicts
            .find(|(p, _)| *p == promise)
            .map(|(_, verdict)| verdict)
    }

    /// Those that were not kept: broken, missing, or not to be tried.
    pub fn not_kept(&self) -> impl Iterator<Item = Promise> {
        let not_kept = self.verdicts.iter().filter(|(_, v)| *v != Verdict::Kept);
        not_kept.map(|(promise, _)| *promise)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("kept"),
            Self::Broken(how) => write!(f, "BROKEN: {how}"),
            Self::Missing(what) => write!(f, "missing: {what}"),
            Self::Unable(why) => write!(f, "not tried: {why}"),
        }
    }
}

/// A line a promise.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        for (promise, verdict) in &self.verdicts {
            writeln!(f, "  {promise:<24}{verdict}")?;
        }
        Ok(())
    }
}
