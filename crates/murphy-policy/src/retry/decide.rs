//! Whether there is another attempt: pure functions, told the time and the balance.

use std::time::Duration;

use murphy_core::Draw;

use super::hints::{Hints, TooLong};
use super::{Attempt, Kind, Verdict};

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing to add: the outcome stands as it is.
    Pass,
    Forbidden,
    Exhausted,
    NotReplayable,
    Deadline {
        needed: Duration,
        left: Duration,
    },
    /// The peer asked for more patience than is allowed.
    Deferred {
        hint: Duration,
        longest: Duration,
    },
    Budget,
}

/// A retry that is wanted, before it is known whether it can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    pub(super) hint: Option<Duration>,
    /// It never left, for the first time: the same attempt again, at once.
    pub(super) free: bool,
}

/// What the verdict on `attempt` asks for.
pub(super) const fn wanted(
    verdict: Verdict,
    attempt: Attempt,
    replayable: bool,
    not_sent_before: bool,
    left: bool,
) -> Result<Wanted, Stop> {
    let (kind, hint) = match verdict {
        // Alone it would say that nothing was ever sent.
        Verdict::Failed(_) if verdict.never_left() && left => return Err(Stop::Exhausted),
        Verdict::Success | Verdict::Terminal | Verdict::Failed(_) => return Err(Stop::Pass),
        Verdict::Forbid => return Err(Stop::Forbidden),
        Verdict::Retry(kind) => (kind, None),
        Verdict::RetryAfter(kind, hint) => (kind, Some(hint)),
    };
    let free = matches!(kind, Kind::NotSent) && hint.is_none() && !not_sent_before;
    if attempt.is_last() && !(free && replayable) {
        return Err(Stop::Exhausted);
    }
    if !replayable {
        return Err(unrepeatable(verdict, left));
    }
    Ok(Wanted { kind, hint, free })
}

/// There is no copy of the request.
pub(super) const fn unrepeatable(verdict: Verdict, left: bool) -> Stop {
    // Alone it would say that nothing was ever sent.
    if verdict.never_left() && left {
        Stop::Exhausted
    } else {
        Stop::NotReplayable
    }
}

/// What is done with hints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Obedience {
    pub(super) hints: Hints,
    pub(super) longest: Duration,
    pub(super) too_long: TooLong,
}

/// How long to wait: the pace, or what it and the peer's hint make.
pub(super) fn wait(
    pace: Duration,
    hint: Option<Duration>,
    obedience: Obedience,
    draw: Draw,
) -> Result<Duration, Stop> {
    let Obedience {
        hints,
        longest,
        too_long,
    } = obedience;
    match hint {
        None => Ok(pace),
        Some(hint) if hint > longest && too_long == TooLong::GiveUp => {
            Err(Stop::Deferred { hint, longest })
        }
        Some(hint) => Ok(hints.wait(hint.min(longest), pace, draw)),
    }
}

/// Whether there is time (`left`, if there is a deadline) and money for a retry that needs `needed`.
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
            free: false,
        };
        let hinted = Wanted {
            kind: Kind::Throttled,
            hint: Some(SECOND),
            free: false,
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
                "refused here after one that left",
                Verdict::Failed(Kind::Withheld),
                2,
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
            (
                "no copy after one that left, and this one did not",
                Verdict::Retry(Kind::Withheld),
                2,
                false,
                Err(Stop::Exhausted),
            ),
        ] {
            assert_eq!(
                wanted(verdict, Attempt::new(number, 3), replayable, false, true),
                want,
                "{name}"
            );
        }
    }

    #[test]
    fn what_never_left_is_free_once() {
        let not_sent = Verdict::Retry(Kind::NotSent);
        let free = |number, before| {
            let wanted = wanted(not_sent, Attempt::new(number, 3), true, before, true);
            wanted.map(|wanted| wanted.free)
        };
        assert_eq!(free(1, false), Ok(true));
        assert_eq!(free(1, true), Ok(false));
        assert_eq!(free(3, false), Ok(true));
        assert_eq!(free(3, true), Err(Stop::Exhausted));
        let once = wanted(not_sent, Attempt::new(1, 1), false, false, false);
        assert_eq!(once, Err(Stop::Exhausted));
    }

    #[test]
    fn a_hint_is_obeyed_and_clamped() {
        let longest = SECOND * 10;
        for (name, hints, pace, hint, want) in [
            ("none given", Hints::Plus, 1, None, 1_000),
            ("never earlier than asked", Hints::Plus, 1, Some(3), 4_000),
            ("cut to what is allowed", Hints::Plus, 1, Some(99), 11_000),
            ("never less than the pace", Hints::Plus, 20, Some(1), 21_000),
            ("the end of time", Hints::Plus, 1, Some(u64::MAX), 11_000),
            ("to the letter", Hints::Exact, 20, Some(1), 1_000),
            ("to the letter, and cut", Hints::Exact, 20, Some(99), 10_000),
            (
                "at least the pace",
                Hints::Within(SECOND * 5),
                4,
                Some(1),
                4_000,
            ),
            ("in between", Hints::Within(SECOND * 5), 4, Some(7), 7_000),
            (
                "not much more",
                Hints::Within(SECOND * 5),
                4,
                Some(99),
                9_000,
            ),
            ("half on top", Hints::Spread, 4, Some(2), 2_500),
        ] {
            let obedience = Obedience {
                hints,
                longest,
                too_long: TooLong::Cut,
            };
            let hint = hint.map(Duration::from_secs);
            let half = Draw::from_bits(1 << 63);
            let wait = wait(SECOND * pace, hint, obedience, half).unwrap();
            assert_eq!(wait, Duration::from_millis(want), "{name}");
        }
    }

    #[test]
    fn a_hint_that_is_too_long_can_be_the_end() {
        let obedience = Obedience {
            hints: Hints::Plus,
            longest: SECOND,
            too_long: TooLong::GiveUp,
        };
        let draw = Draw::from_bits(0);
        assert_eq!(wait(SECOND, Some(SECOND), obedience, draw), Ok(SECOND * 2));
        let (hint, longest) = (SECOND * 2, SECOND);
        let deferred = Err(Stop::Deferred { hint, longest });
        assert_eq!(wait(SECOND, Some(hint), obedience, draw), deferred);
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
