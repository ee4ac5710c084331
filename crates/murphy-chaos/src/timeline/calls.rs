//! From the records of a ledger to calls, and from a call to its messages.

use std::collections::BTreeMap;
use std::time::Duration;

use humantime::format_duration;
use murphy_core::Key;
use murphy_fault::{Finding, Leg, Outcome, Record};

use super::{Message, Tone};
use crate::exchange::{Answer, Exchange};
use crate::kind::Kind;

/// Two clocks of one run are no further apart.
const CLOSE: Duration = Duration::from_millis(5);

/// A call, and the faults that struck it.
pub(super) struct Call<'a> {
    pub(super) site: &'a str,
    pub(super) at: Duration,
    name: String,
    strikes: Vec<&'a Record>,
    exchange: Option<&'a Exchange>,
}

/// The calls that the records are about, in the order of their first.
pub(super) fn of<'a>(records: &'a [Record], exchanges: &'a [Exchange]) -> Vec<Call<'a>> {
    // A client's n-th call at its site is the site's n-th, unless somebody else calls there too.
    let mut asked: BTreeMap<&str, Vec<&Exchange>> = BTreeMap::new();
    for exchange in exchanges {
        asked.entry(&exchange.site).or_default().push(exchange);
    }
    let exchange = |record: &Record| -> Option<&'a Exchange> {
        let nth = usize::try_from(record.ordinal).ok()?;
        let exchange = *asked.get(record.site.as_str())?.get(nth)?;
        (exchange.at.abs_diff(record.at) <= CLOSE).then_some(exchange)
    };
    let mut known: BTreeMap<(&str, Key, u64), usize> = BTreeMap::new();
    let mut calls: Vec<Call<'a>> = Vec::new();
    for record in records {
        let id = (record.site.as_str(), record.key, record.occurrence);
        let index = *known.entry(id).or_insert_with(|| {
            let exchange = exchange(record);
            calls.push(Call {
                site: &record.site,
                at: record.at,
                name: named(record, exchange),
                strikes: Vec::new(),
                exchange,
            });
            calls.len() - 1
        });
        if record.finding == Finding::Injected {
            calls[index].strikes.push(record);
        }
    }
    calls
}

fn named(record: &Record, exchange: Option<&Exchange>) -> String {
    let which = match record.keyed {
        true => format!("key {}, passage {}", record.key, record.occurrence),
        false => format!("call {}", record.occurrence),
    };
    match exchange {
        Some(exchange) => format!("{} ({which})", exchange.asked),
        None => which,
    }
}

/// What a strike does to a message.
enum Blow {
    Lost(&'static str),
    Refused,
    Late(Duration),
    /// Late by a little or by nothing, for another order.
    Nudged(Duration),
    Copy(Duration),
    Changed(String),
}

impl Call<'_> {
    /// Its messages, and when each departs.
    pub(super) fn messages(&self, from: usize, to: usize) -> Vec<(Duration, Message)> {
        let request = self.blows(Leg::Request);
        let late: Duration = request.iter().map(|(_, blow)| blow.late()).sum();
        let message = |(tone, fate), lands| Message {
            number: 0,
            from,
            to,
            leg: Leg::Request,
            tone,
            fate,
            call: self.name.clone(),
            lands,
        };
        let told = told("request", &request);
        let is_refused = told.0 == Tone::Refused;
        let arrives = (!late.is_zero() && told.0 <= Tone::Changed).then(|| self.at + late);
        let mut all = vec![(self.at, message(told, arrives))];
        for (_, blow) in &request {
            if let Blow::Copy(by) = blow {
                let fate = match by.is_zero() {
                    true => "a copy arrives too".into(),
                    false => format!("a copy arrives {} later", format_duration(*by)),
                };
                let lands = (!by.is_zero()).then(|| self.at + *by);
                all.push((self.at, message((Tone::Copy, fate), lands)));
            }
        }
        // A refusal is the answer.
        let reply = self.reply(self.at + late).filter(|_| !is_refused);
        all.extend(reply.map(|(departs, reply)| {
            let leg = Leg::Reply;
            let (from, to) = (to, from);
            (
                departs,
                Message {
                    leg,
                    from,
                    to,
                    ..reply
                },
            )
        }));
        all
    }

    /// The reply, if something was done to it, or it is known what it was; no earlier than `from`. Lanes are the caller's
    /// business.
    fn reply(&self, from: Duration) -> Option<(Duration, Message)> {
        let blows = self.blows(Leg::Reply);
        let struck = blows.iter().map(|(at, _)| *at).max();
        let late: Duration = blows.iter().map(|(_, blow)| blow.late()).sum();
        let (tone, fate) = told("reply", &blows);
        let heard = self.told().filter(|_| tone <= Tone::Changed);
        let departs = match (&heard, struck) {
            (Some((at, _)), _) => at.saturating_sub(late),
            (None, Some(at)) => at.max(from),
            (None, None) => return None,
        };
        let arrives = departs + late;
        let message = Message {
            number: 0,
            from: 0,
            to: 0,
            leg: Leg::Reply,
            tone,
            call: match (heard, struck) {
                (Some((_, words)), None) => words,
                _ => self.name.clone(),
            },
            fate,
            lands: (arrives > departs && tone <= Tone::Changed).then_some(arrives),
        };
        Some((departs, message))
    }

    /// When the caller was told what.
    fn told(&self) -> Option<(Duration, String)> {
        match self.exchange?.end.as_ref()? {
            (at, Answer::Told(words)) => Some((*at, words.clone())),
            (_, Answer::GaveUp) => None,
        }
    }

    /// When the caller stopped to wait, and for which call.
    pub(super) fn given_up(&self) -> Option<(Duration, String)> {
        match self.exchange? {
            Exchange {
                asked,
                end: Some((at, Answer::GaveUp)),
                ..
            } => Some((*at, asked.clone())),
            _ => None,
        }
    }

    fn blows(&self, leg: Leg) -> Vec<(Duration, Blow)> {
        let strikes = self.strikes.iter().filter(|strike| strike.leg == leg);
        strikes
            .map(|strike| (strike.at, Blow::of(strike)))
            .collect()
    }
}

fn is_nudge(fault: &str) -> bool {
    fault.parse::<Kind>().is_ok_and(Kind::is_nudge)
}

impl Blow {
    fn of(record: &Record) -> Self {
        let by = record.magnitude.unwrap_or_default();
        match record.kind.as_str() {
            _ if record.outcome == Outcome::Overflow => Self::Lost("a queue was full"),
            "loss" if record.leg == Leg::Reply => Self::Lost("the work was done"),
            "loss" => Self::Lost("it never ran"),
            "partition" => Self::Lost("the link is cut"),
            "refuse" => Self::Refused,
            "duplicate" | "resend" => Self::Copy(by),
            _ if is_nudge(&record.fault) => Self::Nudged(by),
            "latency" | "reorder" | "queue" | "hold" if !by.is_zero() => Self::Late(by),
            "alter" => Self::Changed("altered".into()),
            _ => Self::Changed(record.fault.clone()),
        }
    }

    const fn late(&self) -> Duration {
        match self {
            Self::Late(by) | Self::Nudged(by) => *by,
            _ => Duration::ZERO,
        }
    }
}

/// What became of a message, in a colour and in words. Of several the worst.
fn told(message: &str, blows: &[(Duration, Blow)]) -> (Tone, String) {
    let mut worst = (Tone::Plain, String::new());
    let late: Duration = blows.iter().map(|(_, blow)| blow.late()).sum();
    for (_, blow) in blows {
        let this = match blow {
            Blow::Lost(why) => (Tone::Lost, format!("{message} lost: {why}")),
            Blow::Refused if message == "reply" => {
                (Tone::Refused, "refused after the work was done".into())
            }
            Blow::Refused => (Tone::Refused, "refused before the work".into()),
            Blow::Late(_) => (
                Tone::Late,
                format!("{message} {} late", format_duration(late)),
            ),
            Blow::Nudged(by) if by.is_zero() => (Tone::Order, "others go first".into()),
            Blow::Nudged(by) => {
                let by = format_duration(*by);
                (Tone::Order, format!("{message} {by} late: another order"))
            }
            Blow::Copy(_) => continue,
            Blow::Changed(how) if how == "altered" => (Tone::Changed, format!("{message} altered")),
            Blow::Changed(how) => (Tone::Changed, format!("{message}: {how}")),
        };
        if this.0 > worst.0 {
            worst = this;
        }
    }
    worst
}
