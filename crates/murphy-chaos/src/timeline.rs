//! [`Timeline`]: a run as a picture shows it: lanes, and in the order of time what passed between them.
//!
//! ```text
//! ledger ─▶ calls ─▶ messages, landings, deeds, the broken promise ─▶ sorted ─▶ cut to what a person reads
//! ```
//!
//! The ledger knows when a call was made and what was done to it, not when it was answered: a reply is a message of its own
//! only where something was done to it. Calls after the faults ended are not in it.

mod calls;
mod cut;

use std::time::Duration;

use murphy_fault::{Event, Leg, Record, Verb};

use crate::promise::Violation;

pub(crate) use cut::MOST_ROWS;

/// The most lanes of their own; what comes after shares the last.
const MOST_LANES: usize = 12;
/// The caller at a site whose name does not say who calls.
const CALLER: &str = "the test";

/// A run, as a picture shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// Nodes and services, in the order in which they appear.
    pub(crate) lanes: Vec<String>,
    pub(crate) rows: Vec<Row>,
    /// All calls, those that are not shown too.
    pub(crate) calls: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// After the run began.
    pub(crate) at: Duration,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Message(Message),
    /// The message with this number arrives, later than it departed.
    Lands(usize),
    /// Something was done to a node, if there is a lane, or to the network.
    Deed {
        lane: Option<usize>,
        verb: Verb,
        words: String,
    },
    /// So many calls that nothing was done to.
    Passed(usize),
    /// So many rows that are not shown.
    LeftOut(usize),
    /// The promise was broken.
    Broken,
}

/// One leg of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) number: usize,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) leg: Leg,
    pub(crate) tone: Tone,
    /// What became of it; empty where nothing was done to it.
    pub(crate) fate: String,
    /// Which call it is of.
    pub(crate) call: String,
    /// When it arrives, if later than it departs.
    pub(crate) lands: Option<Duration>,
}

/// What became of a message, as a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Plain,
    /// Late by a little: no fault, another order.
    Order,
    Late,
    Copy,
    Changed,
    Refused,
    Lost,
}

impl Timeline {
    /// Of a ledger's events and records, and of the promise that was broken.
    pub(crate) fn new(events: &[Event], records: &[Record], broken: &Violation) -> Self {
        let calls = calls::of(records);
        let mut lanes = Lanes::default();
        let mut messages = Vec::new();
        for call in &calls {
            let (from, to) = lanes.of_site(call.site);
            call.messages(from, to, &mut messages);
        }
        let mut rows = Vec::new();
        for (number, (at, mut message)) in messages.into_iter().enumerate() {
            message.number = number;
            if let Some(lands) = message.lands {
                rows.push(Row {
                    at: lands,
                    what: What::Lands(number),
                });
            }
            rows.push(Row {
                at,
                what: What::Message(message),
            });
        }
        rows.extend(events.iter().map(|event| Row {
            at: event.at,
            what: What::Deed {
                lane: is_of_a_node(event.verb).then(|| lanes.of(&event.whom)),
                verb: event.verb,
                words: event.to_string(),
            },
        }));
        rows.push(Row {
            at: broken.at,
            what: What::Broken,
        });
        // What was done to the world comes before what it was done to; the promise was broken after all of it.
        rows.sort_by_key(|row| (row.at, row.what.rank()));
        Self {
            lanes: lanes.names,
            rows: cut::cut(rows),
            calls: calls.len(),
        }
    }
}

impl What {
    const fn rank(&self) -> u8 {
        match self {
            Self::Deed { .. } => 0,
            Self::Lands(_) => 1,
            Self::Message(_) | Self::Passed(_) | Self::LeftOut(_) => 2,
            Self::Broken => 3,
        }
    }

    /// Whether it is why one looks at the picture.
    pub(crate) fn is_eventful(&self) -> bool {
        !matches!(self, Self::Message(message) if message.tone == Tone::Plain)
    }
}

const fn is_of_a_node(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Pause | Verb::Resume | Verb::Crash | Verb::Restart | Verb::Clock
    )
}

#[derive(Debug, Default)]
struct Lanes {
    names: Vec<String>,
}

impl Lanes {
    /// Caller and service of a site: `api->pay` says both, and any other name is a service.
    fn of_site(&mut self, site: &str) -> (usize, usize) {
        let (from, to) = site.split_once("->").unwrap_or((CALLER, site));
        (self.of(from.trim()), self.of(to.trim()))
    }

    fn of(&mut self, name: &str) -> usize {
        if let Some(lane) = self.names.iter().position(|known| known == name) {
            return lane;
        }
        if self.names.len() == MOST_LANES {
            self.names[MOST_LANES - 1] = "all others".into();
            return MOST_LANES - 1;
        }
        self.names.push(name.to_owned());
        self.names.len() - 1
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use murphy_core::Key;
    use murphy_fault::{Finding, Outcome};

    use super::*;
    use crate::promise::Promise;

    pub(crate) fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    pub(crate) fn broken(at: Duration) -> Violation {
        Violation {
            promise: Promise::Safety,
            name: "an order is charged once".into(),
            detail: String::new(),
            at,
        }
    }

    /// A call to `site` at `at` that was only watched.
    pub(crate) fn watched(site: &str, occurrence: u64, at: Duration) -> Record {
        Record {
            site: site.into(),
            fault: "watch".into(),
            kind: "loss".into(),
            leg: Leg::Request,
            ordinal: occurrence,
            key: Key::new(17),
            occurrence,
            keyed: true,
            at,
            magnitude: None,
            finding: Finding::Missed,
            why: None,
            outcome: Outcome::Nothing,
        }
    }

    /// A fault that struck the call of `record`.
    pub(crate) fn struck(record: &Record, kind: &str, leg: Leg, by: Option<Duration>) -> Record {
        Record {
            fault: kind.into(),
            kind: kind.into(),
            leg,
            magnitude: by,
            finding: Finding::Injected,
            ..record.clone()
        }
    }

    /// The rows in short.
    fn told(timeline: &Timeline) -> Vec<String> {
        let lane = |lane: usize| &timeline.lanes[lane];
        let row = |row: &Row| match &row.what {
            What::Message(m) => format!("{}->{} {}", lane(m.from), lane(m.to), m.fate),
            What::Lands(number) => format!("{number} lands"),
            What::Deed { words, .. } => words.clone(),
            What::Passed(n) => format!("{n} pass"),
            What::LeftOut(n) => format!("{n} left out"),
            What::Broken => "broken".into(),
        };
        let rows = timeline.rows.iter();
        rows.map(|r| {
            format!("{} {}", r.at.as_secs(), row(r))
                .trim_end()
                .to_owned()
        })
        .collect()
    }

    #[test]
    fn a_lost_reply_is_a_request_that_arrives_and_a_reply_that_does_not() {
        let first = watched("api->pay", 0, secs(0));
        let records = [
            first.clone(),
            struck(&first, "loss", Leg::Reply, None),
            watched("api->pay", 1, secs(5)),
        ];
        let timeline = Timeline::new(&[], &records, &broken(secs(5)));
        assert_eq!(
            told(&timeline),
            [
                "0 api->pay",
                "0 pay->api the reply is lost: the work was done",
                "5 api->pay",
                "5 broken",
            ]
        );
        assert_eq!(timeline.calls, 2);
    }

    #[test]
    fn each_fate_is_told() {
        let call = watched("api->pay", 0, secs(1));
        for (kind, leg, by, want) in [
            ("loss", Leg::Request, None, "1 api->pay the request is lost"),
            (
                "partition",
                Leg::Request,
                None,
                "1 api->pay the request is lost: the link is cut",
            ),
            ("refuse", Leg::Request, None, "1 api->pay refused"),
            (
                "refuse",
                Leg::Reply,
                None,
                "1 pay->api refused after the work was done",
            ),
            (
                "latency",
                Leg::Request,
                Some(2),
                "1 api->pay the request is 2s late",
            ),
            (
                "latency",
                Leg::Reply,
                Some(2),
                "1 pay->api the reply is 2s late",
            ),
            (
                "duplicate",
                Leg::Request,
                Some(2),
                "1 api->pay a copy arrives 2s later",
            ),
            ("alter", Leg::Reply, None, "1 pay->api the reply is altered"),
            (
                "truncate",
                Leg::Reply,
                None,
                "1 pay->api the reply: truncate",
            ),
        ] {
            let records = [call.clone(), struck(&call, kind, leg, by.map(secs))];
            let told = told(&Timeline::new(&[], &records, &broken(secs(9))));
            assert!(told.iter().any(|row| row.starts_with(want)), "{told:?}");
            let late = told
                .iter()
                .any(|row| row.starts_with("3 ") && row.ends_with("lands"));
            assert_eq!(late, by.is_some(), "{told:?}");
        }
    }

    #[test]
    fn what_did_not_strike_is_not_shown() {
        let call = watched("db", 0, secs(0));
        let mut withheld = struck(&call, "loss", Leg::Request, None);
        withheld.finding = Finding::Withheld;
        let timeline = Timeline::new(&[], &[call, withheld], &broken(secs(0)));
        assert_eq!(told(&timeline), ["0 the test->db", "0 broken"]);
    }

    #[test]
    fn deeds_come_before_the_calls_of_their_time() {
        let event = |at, verb, whom: &str| Event {
            at: secs(at),
            verb,
            whom: whom.into(),
        };
        let events = [
            event(1, Verb::Pause, "pay"),
            event(2, Verb::Partition, "api -> pay"),
        ];
        let records = [watched("api->pay", 0, secs(1))];
        let timeline = Timeline::new(&events, &records, &broken(secs(3)));
        assert_eq!(
            told(&timeline),
            [
                "1 pause pay",
                "1 api->pay",
                "2 partition api -> pay",
                "3 broken"
            ]
        );
        assert_eq!(timeline.lanes, ["api", "pay"], "a cut has no lane");
    }

    #[test]
    fn more_nodes_than_lanes_share_the_last() {
        let records: Vec<_> = (0..50)
            .map(|n| watched(&format!("api->n{n}"), 0, secs(n)))
            .collect();
        let timeline = Timeline::new(&[], &records, &broken(secs(60)));
        assert_eq!(timeline.lanes.len(), MOST_LANES);
        assert_eq!(timeline.lanes[MOST_LANES - 1], "all others");
    }
}
