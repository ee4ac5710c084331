//! Whether there is another attempt: pure functions, told the time and the balance.

use std::time::Duration;

use super::{Attempt, Kind, Verdict};

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Nothing to add: the outcome stands as it is.
    Pass,
    Forbidden,
    Exhausted,
    NotReplayable,
    Deadline {
        needed: Duration,
        left: Duration,
    },
    Budget,
}

/// A retry that is wanted, before it is known whether it can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    pub(super) hint: Option<Duration>,
}

/// What the verdict on `attempt` asks for.
pub(super) const fn wanted(
    verdict: Verdict,
    attempt: Attempt,
    replayable: bool,
) -> Result<Wanted, Stop> {
    let (kind, hint) = match verdict {
        Verdict::Success | Verdict::Terminal => return Err(Stop::Pass),
        Verdict::Forbid => return Err(Stop::Forbidden),
        Verdict::Retry(kind) => (kind, None),
        Verdict::RetryAfter(kind, hint) => (kind, Some(hint)),
    };
    if attempt.is_last() {
        return Err(Stop::Exhausted);
    }
    if !replayable {
        return Err(Stop::NotReplayable);
    }
    Ok(Wanted { kind, hint })
}

/// How long to wait: the pace, or the peer's hint, cut to `longest_hint`, and the pace on top: so
/// that those who were told the same, or were cut to the same, do not return together.
pub(super) fn wait(pace: Duration, hint: Option<Duration>, longest_hint: Duration) -> Duration {
    match hint {
        None => pace,
        Some(hint) => hint.min(longest_hint).saturating_add(pace),
    }
}

/// Whether there is time (`left`, if there is a deadline) and money for a retry after `needed`.
pub(super) fn affordable(
    needed: Duration,
    left: Option<Duration>,
    paid: bool,
) -> Result<Duration, Stop> {
    match left {
        Some(left) if needed >= left => Err(Stop::Deadline { needed, left }),
        _ if !paid => Err(Stop::Budget),
        _ => Ok(needed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_a_verdict_asks_for() {
        let retry = Verdict::Retry(Kind::Server);
        let after = Verdict::RetryAfter(Kind::Throttled, SECOND);
        let plain = Wanted {
            kind: Kind::Server,
            hint: None,
        };
        let hinted = Wanted {
            kind: Kind::Throttled,
            hint: Some(SECOND),
        };
        for (name, verdict, number, replayable, want) in [
            (
                "a success stands",
                Verdict::Success,
                1,
                true,
                Err(Stop::Pass),
            ),
            (
                "so does a terminal error",
                Verdict::Terminal,
                1,
                true,
                Err(Stop::Pass),
            ),
            (
                "pushback beats exhaustion",
                Verdict::Forbid,
                3,
                true,
                Err(Stop::Forbidden),
            ),
            ("the first fails", retry, 1, true, Ok(plain)),
            ("the second fails, with a hint", after, 2, true, Ok(hinted)),
            (
                "the third is the last",
                retry,
                3,
                true,
                Err(Stop::Exhausted),
            ),
            (
                "no copy, no retry",
                retry,
                1,
                false,
                Err(Stop::NotReplayable),
            ),
        ] {
            assert_eq!(
                wanted(verdict, Attempt::new(number, 3), replayable),
                want,
                "{name}"
            );
        }
    }

    #[test]
    fn a_hint_is_obeyed_and_clamped() {
        for (name, pace, hint, want) in [
            ("none given", SECOND, None, SECOND),
            (
                "never earlier than asked",
                SECOND,
                Some(SECOND * 3),
                SECOND * 4,
            ),
            (
                "cut to what is allowed",
                SECOND,
                Some(SECOND * 99),
                SECOND * 11,
            ),
            (
                "never less than the pace",
                SECOND * 20,
                Some(SECOND),
                SECOND * 21,
            ),
            ("the end of time", SECOND, Some(Duration::MAX), SECOND * 11),
            (
                "a pace without end",
                Duration::MAX,
                Some(SECOND),
                Duration::MAX,
            ),
        ] {
            assert_eq!(wait(pace, hint, SECOND * 10), want, "{name}");
        }
    }

    #[test]
    fn time_comes_before_money() {
        let late = |needed, left| Err(Stop::Deadline { needed, left });
        for (name, left, paid, want) in [
            ("no deadline", None, true, Ok(SECOND)),
            ("time enough", Some(SECOND * 2), true, Ok(SECOND)),
            (
                "on the deadline is late",
                Some(SECOND),
                true,
                late(SECOND, SECOND),
            ),
            (
                "late and broke",
                Some(Duration::ZERO),
                false,
                late(SECOND, Duration::ZERO),
            ),
            ("broke", Some(SECOND * 2), false, Err(Stop::Budget)),
        ] {
            assert_eq!(affordable(SECOND, left, paid), want, "{name}");
        }
    }
}
