//! [`Select`]: which calls a fault strikes.

mod burst;
mod script;

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use humantime::format_duration;
use murphy_core::{Draw, Probability};

pub use burst::{BadBurst, Burst};
pub use script::{Script, ScriptPoint};

/// Which calls a fault strikes, of those that nothing else spares.
///
/// | selector | repeats | strikes |
/// |---|---|---|
/// | [`Chance`](Self::Chance) | keyed | each call, with a probability |
/// | [`Script`](Self::Script) | keyed | the calls listed |
/// | [`Every`](Self::Every), [`First`](Self::First), [`Nth`](Self::Nth) | positional | by count |
/// | [`Burst`](Self::Burst) | positional | runs of neighbours |
/// | [`Ramp`](Self::Ramp) | by time | with a probability that moves |
///
/// What counts, counts the calls that reach it: those its `only`, `except` and windows let through.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Select {
    /// Each call, with this probability. Raising it only adds calls.
    Chance(Probability),
    /// Every n-th call: n−1, 2n−1, … counted from 0.
    Every(NonZeroU64),
    /// The first n calls.
    First(u64),
    /// The calls with these counts, from 0. Kept sorted.
    Nth(Vec<u64>),
    /// Exactly the points listed, with their magnitudes: what a ledger exports.
    Script(Script),
    /// Calls in bursts (Gilbert–Elliott).
    Burst(Burst),
    /// A probability that moves linearly from one value to another, and then stays.
    Ramp {
        /// At the moment of arming.
        from: Probability,
        /// From `over` on.
        to: Probability,
        /// How long the way takes. Zero: `to` at once.
        over: Duration,
    },
}

impl Select {
    /// The calls with these counts (0 is the first), in any order.
    #[must_use]
    pub fn nth(counts: impl IntoIterator<Item = u64>) -> Self {
        let mut counts: Vec<u64> = counts.into_iter().collect();
        counts.sort_unstable();
        counts.dedup();
        Self::Nth(counts)
    }

    /// Whether it depends on how many calls came before.
    pub(crate) const fn counts(&self) -> bool {
        matches!(
            self,
            Self::Every(_) | Self::First(_) | Self::Nth(_) | Self::Burst(_)
        )
    }

    /// Whether it looks at the time.
    pub(crate) const fn times(&self) -> bool {
        matches!(self, Self::Ramp { .. })
    }

    /// The probability of a ramp after `elapsed`.
    pub(crate) fn ramp_at(
        from: Probability,
        to: Probability,
        over: Duration,
        elapsed: Duration,
    ) -> Probability {
        if elapsed >= over {
            return to;
        }
        let share = elapsed.as_secs_f64() / over.as_secs_f64();
        let p = from.get() + (to.get() - from.get()) * share;
        Probability::try_new(p.clamp(0.0, 1.0)).unwrap_or(to)
    }

    /// Whether the `nth` call is struck; `None` where counting does not decide.
    pub(crate) fn by_count(&self, nth: u64, burst: impl Fn(u64) -> Draw) -> bool {
        match self {
            Self::Every(n) => nth % n.get() == n.get() - 1,
            Self::First(n) => nth < *n,
            Self::Nth(counts) => counts.binary_search(&nth).is_ok(),
            Self::Burst(b) => b.strikes(nth, burst),
            Self::Chance(_) | Self::Script(_) | Self::Ramp { .. } => false,
        }
    }

    /// The share of calls that it strikes in the long run, where there is one.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        match self {
            Self::Chance(p) | Self::Ramp { to: p, .. } => Some(p.get()),
            Self::Every(n) => Some(1.0 / n.get() as f64),
            Self::Burst(b) => Some(b.loss().get()),
            Self::First(_) | Self::Nth(_) | Self::Script(_) => None,
        }
    }
}

impl From<Probability> for Select {
    fn from(p: Probability) -> Self {
        Self::Chance(p)
    }
}

impl From<Burst> for Select {
    fn from(burst: Burst) -> Self {
        Self::Burst(burst)
    }
}

impl From<Script> for Select {
    fn from(script: Script) -> Self {
        Self::Script(script)
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chance(p) => write!(f, "{} % of calls", percent(p.get())),
            Self::Every(n) => write!(f, "every {n}th call ({} %)", percent(1.0 / n.get() as f64)),
            Self::First(n) => write!(f, "the first {n} calls"),
            Self::Nth(counts) => write!(f, "{} listed calls", counts.len()),
            Self::Script(script) => write!(f, "{} scripted calls", script.points().len()),
            Self::Burst(b) => write!(
                f,
                "{} % of calls, in bursts of {} on average",
                percent(b.loss().get()),
                b.mean_length()
            ),
            Self::Ramp { from, to, over } => write!(
                f,
                "{} % of calls, rising to {} % over {}",
                percent(from.get()),
                percent(to.get()),
                format_duration(*over)
            ),
        }
    }
}

/// A share as a percentage, without the tail that binary fractions grow.
pub(crate) fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_selectors_strike_by_the_table() {
        let every = Select::Every(NonZeroU64::new(3).unwrap());
        for (name, select, want) in [
            ("every third", every, "..#..#..#."),
            ("the first two", Select::First(2), "##........"),
            (
                "those listed, in any order",
                Select::nth([7, 1, 7]),
                ".#.....#..",
            ),
            ("nobody", Select::First(0), ".........."),
        ] {
            let got: String = (0..10)
                .map(|n| {
                    if select.by_count(n, Draw::from_bits) {
                        '#'
                    } else {
                        '.'
                    }
                })
                .collect();
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn a_ramp_is_linear_and_stays_at_its_end() {
        let p = |x| Probability::try_new(x).unwrap();
        let at = |s| {
            Select::ramp_at(
                p(0.1),
                p(0.5),
                Duration::from_secs(4),
                Duration::from_secs(s),
            )
            .get()
        };
        assert_eq!((at(0), at(4), at(400)), (0.1, 0.5, 0.5));
        assert!((at(2) - 0.3).abs() < 1e-12);
        assert_eq!(
            Select::ramp_at(p(0.1), p(0.5), Duration::ZERO, Duration::ZERO),
            p(0.5)
        );
    }
}
