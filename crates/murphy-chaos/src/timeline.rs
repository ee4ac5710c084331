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
#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use murphy_fault::{Event, Leg, Record, Verb};

use crate::promise::Violation;

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
            // What would arrive after the end never does.
            if let Some(lands) = message.lands.filter(|lands| *lands <= broken.at) {
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
