//! From a failing run to the few things that matter: fewer, then smaller, then simpler.

use std::sync::Arc;
use std::time::Duration;

use crate::ddmin::ddmin;
use crate::injection::{Injection, Upset};

/// The most replays that one failure is shrunk by.
pub(crate) const MOST_REPLAYS: usize = 200;

/// How often a magnitude is halved.
const HALVINGS: usize = 3;

/// What shrinking came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shrunk {
    pub(crate) injections: Vec<Injection>,
    pub(crate) replays: usize,
    /// Whether none of them can be left out.
    pub(crate) is_minimal: bool,
}

/// Shrinks injections that fail. `fails` says whether others fail in the same way.
pub(crate) fn shrink(
    injections: Vec<Injection>,
    mut fails: impl FnMut(&[Injection]) -> bool,
) -> Shrunk {
    let mut replays = 0;
    let mut fails = |injections: &[Injection]| {
        replays += 1;
        fails(injections)
    };
    if injections.is_empty() || fails(&[]) {
        return Shrunk {
            injections: Vec::new(),
            replays,
            is_minimal: true,
        };
    }
    let fewer = ddmin(injections, MOST_REPLAYS, &mut fails);
    let is_minimal = fewer.is_minimal;
    let mut least = fewer.items;
    if is_minimal {
        for index in 0..least.len() {
            simplify(&mut least, index, &mut fails);
        }
    }
    least.sort();
    Shrunk {
        injections: least,
        replays,
        is_minimal,
    }
}

/// Makes one of them as small and as simple as it can be.
fn simplify(all: &mut [Injection], index: usize, fails: &mut impl FnMut(&[Injection]) -> bool) {
    for other in simpler(&all[index]) {
        if replaced(all, index, other, fails) {
            break;
        }
    }
    for _ in 0..HALVINGS {
        let Some(half) = halved(&all[index]) else {
            return;
        };
        if !replaced(all, index, half, fails) {
            return;
        }
    }
}

/// Puts another in its place, if that fails as well.
fn replaced(
    all: &mut [Injection],
    index: usize,
    other: Injection,
    fails: &mut impl FnMut(&[Injection]) -> bool,
) -> bool {
    let before = std::mem::replace(&mut all[index], other);
    let still = fails(all);
    if !still {
        all[index] = before;
    }
    still
}

/// What would be easier to understand, the easiest first.
fn simpler(injection: &Injection) -> Vec<Injection> {
    let millisecond = Duration::from_millis(1);
    match injection {
        Injection::Call {
            call,
            kind,
            magnitude: Some(by),
        } if *by > millisecond => vec![Injection::Call {
            call: call.clone(),
            kind: *kind,
            magnitude: Some(millisecond),
        }],
        Injection::Upset {
            what: Upset::Cut(a, b),
            at,
            lasting,
        } => {
            let oneway = |a: &Arc<str>, b: &Arc<str>| Injection::Upset {
                what: Upset::CutOneway(Arc::clone(a), Arc::clone(b)),
                at: *at,
                lasting: *lasting,
            };
            vec![oneway(a, b), oneway(b, a)]
        }
        _ => Vec::new(),
    }
}

fn halved(injection: &Injection) -> Option<Injection> {
    let half = |by: Duration| {
        let half = Duration::from_millis(by.as_millis() as u64 / 2);
        (!half.is_zero()).then_some(half)
    };
    match injection {
        Injection::Call {
            call,
            kind,
            magnitude,
        } => Some(Injection::Call {
            call: call.clone(),
            kind: *kind,
            magnitude: Some(half((*magnitude)?)?),
        }),
        // How long a step lasts is not what it does.
        Injection::Upset {
            what: Upset::Step(..),
            ..
        } => None,
        Injection::Upset { what, at, lasting } => Some(Injection::Upset {
            what: what.clone(),
            at: *at,
            lasting: half(*lasting)?,
        }),
    }
}

#[cfg(test)]
mod tests {
    use murphy_core::Key;

    use super::*;
    use crate::{CallId, Kind};

    fn call(n: u64, kind: Kind, ms: Option<u64>) -> Injection {
        Injection::Call {
            call: CallId {
                site: "a".into(),
                key: Key::new(n),
                occurrence: 0,
            },
            kind,
            magnitude: ms.map(Duration::from_millis),
        }
    }

    fn cut(oneway: bool, lasting: u64) -> Injection {
        let (a, b) = ("a".into(), "b".into());
        Injection::Upset {
            what: if oneway {
                Upset::CutOneway(a, b)
            } else {
                Upset::Cut(a, b)
            },
            at: Duration::from_millis(5),
            lasting: Duration::from_millis(lasting),
        }
    }

    #[test]
    fn a_single_fault_costs_one_replay() {
        let one = vec![call(1, Kind::LostReply, None)];
        let shrunk = shrink(one.clone(), |i| !i.is_empty());
        assert_eq!((shrunk.injections, shrunk.replays), (one, 1));
    }

    #[test]
    fn what_fails_without_faults_has_none() {
        let shrunk = shrink(vec![call(1, Kind::LostReply, None)], |_| true);
        assert_eq!((shrunk.injections, shrunk.replays), (vec![], 1));
    }

    #[test]
    fn a_delay_is_as_short_as_the_failure_lets_it() {
        let of = |ms| vec![call(1, Kind::Latency, Some(ms))];
        let over = |least: u64| move |i: &[Injection]| matches!(i, [Injection::Call { magnitude: Some(by), .. }] if by.as_millis() as u64 >= least);
        for (from, least, want) in [
            (10_000, 0, 1),
            (10_000, 2000, 2500),
            (10_000, 9000, 10_000),
            (1, 1, 1),
        ] {
            let shrunk = shrink(of(from), over(least));
            assert_eq!(shrunk.injections, of(want), "{from} {least}");
        }
    }

    #[test]
    fn a_cut_becomes_oneway_and_short() {
        let needs_one_way = |i: &[Injection]| {
            i.iter().any(|i| matches!(i, Injection::Upset { what: Upset::Cut(..) | Upset::CutOneway(..), lasting, .. } if lasting.as_millis() >= 100))
        };
        let many: Vec<_> = (0..10)
            .map(|n| call(n, Kind::LostReply, None))
            .chain([cut(false, 1000)])
            .collect();
        let shrunk = shrink(many, needs_one_way);
        assert_eq!(shrunk.injections, [cut(true, 125)]);
        assert!(shrunk.is_minimal && shrunk.replays <= 20, "{shrunk:?}");
    }

    #[test]
    fn the_median_of_random_failures_takes_few_replays() {
        let mut counts: Vec<usize> = (0..200)
            .map(|n| {
                let all: Vec<_> = (0..12).map(|i| call(i, Kind::LostReply, None)).collect();
                let needed = [
                    call(n % 12, Kind::LostReply, None),
                    call(n * 7 % 12, Kind::LostReply, None),
                ];
                let two = n % 4 == 0;
                let fails =
                    |i: &[Injection]| i.contains(&needed[0]) && (!two || i.contains(&needed[1]));
                shrink(all, fails).replays
            })
            .collect();
        counts.sort_unstable();
        assert!(counts[100] <= 20, "{}", counts[100]);
    }
}
