//! [`Timeline`]: a run as a picture shows it: lanes, and in the order of time what passed between them.
//!
//! ```text
//! ledger ─▶ calls ─▶ messages, landings, deeds, the broken promise ─▶ sorted ─▶ cut to what a person reads
//! ```
//!
//! The ledger knows when a call was made and what was done to it, not when it was answered: that is known of what clients of
//! the world asked. Of other calls a reply is a message only where something was done to it. Calls after the faults
//! ended are not in the ledger.

mod calls;
mod cut;
#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use murphy_fault::{Event, Leg, Record, Verb};

use crate::exchange::Exchange;
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
    /// The caller waits no longer.
    GaveUp {
        lane: usize,
        call: String,
    },
    /// So many calls that nothing was done to, and so many replies.
    Passed {
        calls: usize,
        replies: usize,
    },
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
    /// Of a ledger's events and records, of what clients asked and were told, and of the promise that was broken.
    pub(crate) fn new(
        events: &[Event],
        records: &[Record],
        exchanges: &[Exchange],
        broken: &Violation,
    ) -> Self {
        let calls = calls::of(records, exchanges);
        let mut lanes = Lanes::default();
        let mut rows = Rows::default();
        for call in &calls {
            let (from, to) = lanes.of_site(call.site);
            for (at, message) in call.messages(from, to) {
                // What would arrive after the end never does.
                let lands = message.lands.filter(|lands| *lands <= broken.at);
                rows.message(at, at > call.at, message, lands);
            }
            if let Some((at, call)) = call.given_up() {
                rows.add(at, Rank::GaveUp, What::GaveUp { lane: from, call });
            }
        }
        for event in events {
            let lane = is_of_a_node(event.verb).then(|| lanes.of(&event.whom));
            let (verb, words) = (event.verb, event.to_string());
            rows.add(event.at, Rank::Deed, What::Deed { lane, verb, words });
        }
        rows.add(broken.at, Rank::Broken, What::Broken);
        Self {
            lanes: lanes.names,
            rows: cut::cut(rows.sorted()),
            calls: calls.len(),
        }
    }
}

/// What comes first of what happens at one time: what was done to the world comes before what it was done to, an answer
/// before what is done about it, and a promise was broken after all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Deed,
    Lands,
    Answer,
    GaveUp,
    Call,
    Broken,
}

/// Rows that are not in order yet.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<(Duration, Rank, What)>,
    messages: usize,
}

impl Rows {
    fn add(&mut self, at: Duration, rank: Rank, what: What) {
        self.rows.push((at, rank, what));
    }

    /// `is_later`: later than the call that it is of was made.
    fn message(&mut self, at: Duration, is_later: bool, message: Message, lands: Option<Duration>) {
        let number = self.messages;
        self.messages += 1;
        if let Some(lands) = lands {
            self.add(lands, Rank::Lands, What::Lands(number));
        }
        let rank = if is_later { Rank::Answer } else { Rank::Call };
        self.add(at, rank, What::Message(Message { number, ..message }));
    }

    fn sorted(mut self) -> Vec<Row> {
        self.rows.sort_by_key(|(at, rank, _)| (*at, *rank));
        let rows = self.rows.into_iter();
        rows.map(|(at, _, what)| Row { at, what }).collect()
    }
}

impl What {
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
