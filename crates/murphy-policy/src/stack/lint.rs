//! The rules, and what breaks them: pure functions of a list of parts.

use std::fmt;
use std::time::Duration;

use super::Part;

/// What a stack must keep to. See the [module](super) for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// A fallback lies outside of the deadline, of whatever repeats and of whatever counts failures.
    FallbackOutside,
    /// A deadline lies outside of whatever repeats.
    DeadlineOutside,
    /// There is one deadline.
    OneDeadline,
    /// All attempts of a call have one key.
    OneKey,
    /// A hedge lies outside of a retry.
    HedgeOutside,
    /// Breaker and throttle lie within whatever repeats.
    AttemptsCounted,
    /// A bulkhead lies within whatever repeats.
    NothingHeldAsleep,
    /// A timeout lies within whatever repeats.
    TimeoutInside,
    /// A breaker lies outside of the timeout.
    TimeoutsCounted,
    /// A bulkhead lies outside of the timeout.
    QueueOutside,
    /// Whatever repeats has a timeout beneath it.
    AttemptBounded,
    /// A timeout and a deadline are longer than nothing.
    TimeToAnswer,
    /// All attempts and waits fit into the deadline.
    FitsDeadline,
    /// Hedge and retry share one budget.
    OnePurse,
}

/// A rule that is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub rule: Rule,
    /// By whom, and what it does.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

/// A stack that does not do what it looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsound {
    pub(super) findings: Vec<Finding>,
}

impl Unsound {
    /// Each rule that is broken.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether this rule is among them.
    #[must_use]
    pub fn breaks(&self, rule: Rule) -> bool {
        self.findings.iter().any(|finding| finding.rule == rule)
    }
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stack is not sound:")?;
        for Finding { rule, what, remedy } in &self.findings {
            write!(f, "\n- {what} ({rule:?}): {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Unsound {}

/// Two kinds of layers in an order that is wrong: the outer, the inner, and what it would do.
struct Order {
    rule: Rule,
    outer: fn(&Part) -> bool,
    inner: fn(&Part) -> bool,
    does: &'static str,
}

const ORDERS: &[Order] = &[
    Order {
        rule: Rule::FallbackOutside,
        outer: |p| matches!(p, Part::Deadline { .. }),
        inner: |p| matches!(p, Part::Fallback),
        does: "when the deadline passes, nobody is left to serve the fallback",
    },
    Order {
        rule: Rule::FallbackOutside,
        outer: |p| repeats(p) || matches!(p, Part::Breaker | Part::Throttle),
        inner: |p| matches!(p, Part::Fallback),
        does: "every failure is answered beneath it, so that it sees none",
    },
    Order {
        rule: Rule::DeadlineOutside,
        outer: repeats,
        inner: |p| matches!(p, Part::Deadline { .. }),
        does: "each attempt gets the whole deadline, and the waits between them have none",
    },
    Order {
        rule: Rule::OneKey,
        outer: repeats,
        inner: |p| matches!(p, Part::IdempotencyKey),
        does: "each attempt has a key of its own, so that the peer does the work as often",
    },
    Order {
        rule: Rule::HedgeOutside,
        outer: |p| matches!(p, Part::Retry { .. }),
        inner: |p| matches!(p, Part::Hedge { .. }),
        does: "each attempt hedges, and an attempt is over only when its hedges are",
    },
    Order {
        rule: Rule::AttemptsCounted,
        outer: |p| matches!(p, Part::Breaker | Part::Throttle),
        inner: repeats,
        does: "it counts calls and not attempts, and takes what was repeated into a success for one",
    },
    Order {
        rule: Rule::NothingHeldAsleep,
        outer: |p| matches!(p, Part::Bulkhead { .. }),
        inner: |p| matches!(p, Part::Retry { .. }),
        does: "a call keeps its place while it sleeps between attempts",
    },
    Order {
        rule: Rule::NothingHeldAsleep,
        outer: |p| matches!(p, Part::Bulkhead { .. }),
        inner: |p| matches!(p, Part::Hedge { .. }),
        does: "all requests of a call share one place, so that more are under way than there are places",
    },
    Order {
        rule: Rule::TimeoutInside,
        outer: |p| matches!(p, Part::Timeout { .. }),
        inner: repeats,
        does: "one timeout ends all attempts together, and none of them knows of it",
    },
    Order {
        rule: Rule::TimeoutsCounted,
        outer: |p| matches!(p, Part::Timeout { .. }),
        inner: |p| matches!(p, Part::Breaker),
        does: "a call that times out is dropped, which says nothing to the breaker: a silent peer never opens it",
    },
    Order {
        rule: Rule::QueueOutside,
        outer: |p| matches!(p, Part::Timeout { .. }),
        inner: |p| matches!(p, Part::Bulkhead { .. }),
        does: "the wait for a place is taken from the attempt's own time",
    },
];

fn repeats(part: &Part) -> bool {
    matches!(part, Part::Retry { .. } | Part::Hedge { .. })
}

/// Each rule that `parts`, outermost first, break.
pub(super) fn findings(parts: &[Part]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, outer) in parts.iter().enumerate() {
        for inner in &parts[at + 1..] {
            let broken = ORDERS
                .iter()
                .filter(|o| (o.outer)(outer) && (o.inner)(inner));
            findings.extend(broken.map(|order| {
                let (outer, inner) = (outer.name(), inner.name());
                Finding {
                    rule: order.rule,
                    what: format!("{outer} > {inner}: {}", order.does),
                    remedy: format!("put {outer} inside of {inner}"),
                }
            }));
        }
        if repeats(outer) {
            findings.extend(unbounded(outer, &parts[at + 1..]));
        }
    }
    findings.extend(two_deadlines(parts));
    findings.extend(parts.iter().filter_map(no_time));
    findings.extend(two_purses(parts));
    findings.extend(too_long(parts));
    findings
}

fn unbounded(repeater: &Part, beneath: &[Part]) -> Option<Finding> {
    let bounded = beneath
        .iter()
        .any(|p| repeats(p) || matches!(p, Part::Timeout { .. }));
    (!bounded).then(|| {
        let name = repeater.name();
        Finding {
            rule: Rule::AttemptBounded,
            what: format!(
                "{name} without a Timeout beneath: one silent attempt takes all the time"
            ),
            remedy: format!(
                "put a Timeout inside of {name}, after which an attempt is worth another"
            ),
        }
    })
}

fn two_deadlines(parts: &[Part]) -> Option<Finding> {
    let mut totals = parts.iter().filter_map(|part| match part {
        Part::Deadline { total } => Some(*total),
        _ => None,
    });
    let (outer, inner) = (totals.next()?, totals.next()?);
    let which = if inner < outer { "outer" } else { "inner" };
    Some(Finding {
        rule: Rule::OneDeadline,
        what: format!(
            "Deadline of {outer:?} > Deadline of {inner:?}: the {which} one never ends a call"
        ),
        remedy: "keep one; a caller's own deadline, if it is earlier, holds by itself".into(),
    })
}

fn no_time(part: &Part) -> Option<Finding> {
    let (Part::Deadline { total: time } | Part::Timeout { most: Some(time) }) = part else {
        return None;
    };
    time.is_zero().then(|| {
        let name = part.name();
        Finding {
            rule: Rule::TimeToAnswer,
            what: format!("{name} of {time:?}: whatever does not answer at once has failed"),
            remedy: format!("give {name} the time that an answer takes"),
        }
    })
}

fn two_purses(parts: &[Part]) -> Option<Finding> {
    let own = |part: &Part| matches!(part, Part::Retry { budget: None, .. });
    if parts.iter().any(own) && parts.iter().filter(|part| repeats(part)).count() > 1 {
        return Some(Finding {
            rule: Rule::OnePurse,
            what: "two budgets multiply: the requests' own, and another".into(),
            remedy: "let one budget pay for all: .budget(..) and .sharing(..)".into(),
        });
    }
    // Whose, and whether each call pays in.
    let mut purses = parts.iter().filter_map(|part| match part {
        Part::Hedge {
            budget, pays_in, ..
        } => Some((budget, *pays_in)),
        Part::Retry { budget, .. } => Some((budget.as_ref()?, true)),
        _ => None,
    });
    let (first, _) = purses.next()?;
    let remedy =
        "give all that repeat one budget; a hedge that of its retry, .sharing(budget.clone())"
            .to_owned();
    let others: Vec<_> = purses.collect();
    if let Some((other, _)) = others.iter().find(|(b, _)| !b.is_same(first)) {
        let product = first.ratio().zip(other.ratio());
        let cost = product.map_or("nothing bounds the two".into(), |(one, two)| {
            let requests = (1.0 + one) * (1.0 + two);
            format!("{requests:.2} requests a call in the long run")
        });
        return Some(Finding {
            rule: Rule::OnePurse,
            what: format!("two budgets multiply: {cost}"),
            remedy,
        });
    }
    let payers = parts.iter().filter(|part| match part {
        Part::Hedge { pays_in, .. } => *pays_in,
        Part::Retry { .. } => true,
        _ => false,
    });
    (payers.count() > 1).then(|| Finding {
        rule: Rule::OnePurse,
        what: "each call pays twice into one budget, which then grants twice as much".into(),
        remedy,
    })
}

/// Why it is not known how long a call can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Nothing bounds an attempt.
    Attempt,
    /// The pace does not say.
    Pace,
    /// Calls wait for a place in it.
    Queue(&'static str),
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt => f.write_str("no Timeout says how long an attempt can take"),
            Self::Pace => f.write_str("the pace does not say how long it waits"),
            Self::Queue(name) => write!(f, "calls wait in the queue of {name}"),
        }
    }
}

/// How long all attempts of a call and the waits between them can take, from the inside out.
pub(super) fn longest(parts: &[Part]) -> Result<Duration, Unknown> {
    let around = |beneath: Result<Duration, Unknown>, part: &Part| match part {
        Part::Timeout { most: Some(most) } => Ok(beneath.map_or(*most, |time| time.min(*most))),
        // However short the calls before it: there can be many of them.
        Part::Bulkhead { queue: 1.. } => Err(Unknown::Queue(part.name())),
        Part::Retry {
            attempts, waits, ..
        } => {
            let waits = waits.ok_or(Unknown::Pace);
            Ok(beneath?.saturating_mul(*attempts).saturating_add(waits?))
        }
        _ => beneath,
    };
    parts.iter().rev().fold(Err(Unknown::Attempt), around)
}

/// The shortest deadline there is.
pub(super) fn deadline(parts: &[Part]) -> Option<Duration> {
    let totals = parts.iter().filter_map(|part| match part {
        Part::Deadline { total } => Some(*total),
        _ => None,
    });
    totals.min()
}

fn too_long(parts: &[Part]) -> Option<Finding> {
    let deadline = deadline(parts)?;
    let needed = longest(parts).ok().filter(|needed| *needed > deadline)?;
    Some(Finding {
        rule: Rule::FitsDeadline,
        what: format!(
            "all attempts and waits take up to {needed:?}, of a deadline of {deadline:?}"
        ),
        remedy: format!(
            "shorten the timeout, take fewer attempts, or give it {needed:?}; where the last attempts \
             may be cut off, allow it"
        ),
    })
}
