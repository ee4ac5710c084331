//! [`Budget`]: how much an exploration may try.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use humantime::{format_duration, parse_duration};

/// How much an exploration may try: runs, real time, or whichever ends first.
///
/// Read from text, as in `MURPHY_BUDGET`: `20000`, `60s`, or `20000,60s`. The default is 10,000 runs
/// and 60 s. What replays a failure to shrink it comes on top: a few dozen runs each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    runs: u64,
    time: Option<Duration>,
}

/// Text that is no budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "budget: `{0}` is neither a number of runs nor a time: write `20000`, `60s` or `20000,60s`"
)]
pub struct BadBudget(pub String);

impl Budget {
    /// The environment variable that wins over what the code says.
    pub const VARIABLE: &'static str = "MURPHY_BUDGET";

    /// So many runs, however long they take: the same ones on every machine.
    #[must_use]
    pub const fn runs(runs: u64) -> Self {
        Self { runs, time: None }
    }

    /// As many runs as fit into this much real time. How many that is depends on the machine.
    #[must_use]
    pub const fn time(time: Duration) -> Self {
        Self {
            runs: u64::MAX,
            time: Some(time),
        }
    }

    /// The same budget, which also ends after so much real time.
    #[must_use]
    pub const fn within(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// The most runs; `u64::MAX` is no bound.
    #[must_use]
    pub const fn most_runs(&self) -> u64 {
        self.runs
    }

    /// The most real time, if there is a bound.
    #[must_use]
    pub const fn most_time(&self) -> Option<Duration> {
        self.time
    }

    /// The budget in `MURPHY_BUDGET`, if it is set and not empty.
    ///
    /// # Errors
    ///
    /// [`BadBudget`].
    pub fn from_env() -> Result<Option<Self>, BadBudget> {
        match std::env::var_os(Self::VARIABLE) {
            Some(text) if !text.is_empty() => text.to_string_lossy().parse().map(Some),
            _ => Ok(None),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::runs(10_000).within(Duration::from_secs(60))
    }
}

impl FromStr for Budget {
    type Err = BadBudget;

    fn from_str(text: &str) -> Result<Self, BadBudget> {
        let bad = || BadBudget(text.chars().take(64).collect());
        let (mut runs, mut time) = (None, None);
        for part in text.split(',').map(str::trim) {
            let digits = part.replace('_', "");
            let before = match digits.parse::<u64>() {
                Ok(n) => runs.replace(n).is_some(),
                Err(_) => time
                    .replace(parse_duration(part).map_err(|_| bad())?)
                    .is_some(),
            };
            if before {
                return Err(bad());
            }
        }
        Ok(Self {
            runs: runs.unwrap_or(u64::MAX),
            time,
        })
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.runs, self.time) {
            (u64::MAX, None) => f.write_str("no bound"),
            (u64::MAX, Some(time)) => write!(f, "{}", format_duration(time)),
            (runs, None) => write!(f, "{runs}"),
            (runs, Some(time)) => write!(f, "{runs},{}", format_duration(time)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_read_as_it_is_written() {
        let s = Duration::from_secs;
        for (text, want) in [
            ("20000", Budget::runs(20_000)),
            ("20_000", Budget::runs(20_000)),
            ("60s", Budget::time(s(60))),
            ("20000,60s", Budget::runs(20_000).within(s(60))),
            ("1m, 7", Budget::runs(7).within(s(60))),
        ] {
            assert_eq!(text.parse(), Ok(want));
            assert_eq!(want.to_string().parse(), Ok(want));
        }
        for text in ["", "x", "-1", "1,2", "1s,2s", "1,2,3s", "60 parsecs"] {
            assert_eq!(text.parse::<Budget>(), Err(BadBudget(text.into())));
        }
    }
}
