//! An injection in words, for somebody who has not read the docs.

use humantime::format_duration;

use crate::injection::{Injection, Upset};
use crate::kind::Kind;

/// What goes wrong, and what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// `the reply is lost`.
    pub(crate) what: String,
    /// `passage 0 of key 0x11 at api->pay`.
    pub(crate) whose: String,
    /// `The work was done, and its caller hears nothing.`
    pub(crate) meaning: &'static str,
}

pub(crate) fn of(injection: &Injection) -> Words {
    match injection {
        Injection::Call {
            call,
            kind,
            magnitude,
        } => {
            let by = format_duration(magnitude.unwrap_or_default());
            let (what, meaning) = of_kind(*kind, &by.to_string());
            Words {
                what,
                whose: call.to_string(),
                meaning,
            }
        }
        Injection::Upset { what, at, lasting } => {
            let (at, lasting) = (format_duration(*at), format_duration(*lasting));
            let (what, meaning) = of_upset(what);
            Words {
                what,
                whose: format!("from {at} on, for {lasting}"),
                meaning,
            }
        }
    }
}

/// By the name that plans and ledgers have for it; a kind without words has its name.
fn of_kind(kind: Kind, by: &str) -> (String, &'static str) {
    let (what, meaning) = match kind.name() {
        "lost-request" => (
            "the request is lost",
            "The work was never done, and the caller hears nothing.",
        ),
        "lost-reply" => (
            "the reply is lost",
            "The work was done, and the caller hears nothing.",
        ),
        "duplicate" => (
            "a copy of the request arrives",
            "The service is asked twice for what its caller asked once.",
        ),
        "refused" => (
            "the request is refused",
            "The work was never done, and the caller is told so at once.",
        ),
        "refused-after-work" => (
            "the answer is a refusal",
            "The work was done, and the caller is told that it failed.",
        ),
        "latency" => (
            "the request is late",
            "The caller may have given up by the time that the work is done.",
        ),
        "slow-reply" => (
            "the reply is late",
            "The work was done in time, and the caller hears of it late.",
        ),
        "reset-reply" => (
            "the connection breaks within the reply",
            "The work was done, and the caller has half an answer.",
        ),
        "stalled-reply" => (
            "the reply stops on its way",
            "The work was done, and the caller waits for the rest.",
        ),
        "altered-request" => (
            "the request is altered",
            "The service is asked for something else.",
        ),
        "altered-reply" => ("the reply is altered", "The caller is told something else."),
        _ if kind.is_nudge() => (
            "others go first",
            "No fault: the same calls in another order.",
        ),
        name => (name, ""),
    };
    match kind.has_magnitude() {
        true => (format!("{what}, by {by}"), meaning),
        false => (what.into(), meaning),
    }
}

fn of_upset(upset: &Upset) -> (String, &'static str) {
    match upset {
        Upset::Pause(node) => (
            format!("{node} stands still"),
            "As in a long garbage collection: it knows nothing of the time that it lost.",
        ),
        Upset::Crash(node) => (
            format!("{node} crashes, and restarts"),
            "What was not durable is gone.",
        ),
        Upset::Isolate(node) => (
            format!("{node} is cut off from all others"),
            "Messages to it and from it are lost.",
        ),
        Upset::Cut(a, b) => (
            format!("{a} and {b} are cut off from one another"),
            "Messages between them are lost.",
        ),
        Upset::CutOneway(a, b) => (
            format!("messages from {a} to {b} are lost"),
            "The other way they arrive.",
        ),
        Upset::Step(node, ms) if *ms < 0 => (
            format!(
                "the clock of {node} is set back by {} ms",
                ms.unsigned_abs()
            ),
            "Its time of day; durations are as they were.",
        ),
        Upset::Step(node, ms) => (
            format!("the clock of {node} is set forward by {ms} ms"),
            "Its time of day; durations are as they were.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use murphy_core::Key;

    use super::*;
    use crate::CallId;

    #[test]
    fn each_kind_has_words_of_its_own() {
        let words = |kind: Kind| {
            let call = CallId {
                site: "api->pay".into(),
                key: Key::new(17),
                occurrence: 0,
            };
            let words = of(&Injection::Call {
                call,
                kind,
                magnitude: kind.has_magnitude().then_some(Duration::from_secs(2)),
            });
            assert_eq!(words.whose, "passage 0 of key 0x11 at api->pay");
            assert!(!words.meaning.is_empty(), "{kind}");
            assert_eq!(words.what.contains("2s"), kind.has_magnitude(), "{kind}");
            words
        };
        let mut faults = Kind::FAULTS.map(|kind| words(kind).what);
        faults.sort();
        assert!(faults.windows(2).all(|two| two[0] != two[1]), "{faults:?}");
        for nudge in Kind::NUDGES {
            assert!(words(nudge).meaning.starts_with("No fault"), "{nudge}");
        }
    }

    #[test]
    fn a_clock_is_set_back_or_forward() {
        for (ms, want) in [(-5, "set back by 5 ms"), (5, "set forward by 5 ms")] {
            let words = of(&Injection::Upset {
                what: Upset::Step("pay".into(), ms),
                at: Duration::from_secs(1),
                lasting: Duration::from_secs(2),
            });
            assert!(words.what.ends_with(want), "{words:?}");
            assert_eq!(words.whose, "from 1s on, for 2s");
        }
    }
}
