//! One fault, as it is written.

mod answer;
mod body;
mod whom;
mod write;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use murphy_core::Probability;
use serde::{Deserialize, Serialize};
use whom::{RawBurst, RawKey, RawPoint, RawRamp, RawWindow};

use super::duration::{Span, Spread};
use super::{BadPlan, Number, wrong};
use crate::effect::{BodyFault, Effect, Keep, Place};
use crate::fault::{GrpcCode, MOST_TURNS};
use crate::network::{BadRate, Rate};
use crate::{Fault, Leg};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Latency,
    Loss,
    Refuse,
    Duplicate,
    Reorder,
    Alter,
    Queue,
    Resend,
    Yield,
    Stall,
    Truncate,
    Reset,
    LoseTrailers,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawPlace {
    Wire,
    Server,
    Reply,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawKeep {
    First,
    Last,
}

/// All the fields that any fault has. Which go together is checked when it is read.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawFault {
    site: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    // What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    leg: Option<Leg>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<RawPlace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<RawKeep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    give_up: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turns: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<GrpcCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<Span>,
    // Whom it strikes: exactly one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<NonZeroU64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nth: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<RawBurst>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ramp: Option<RawRamp>,
    // What narrows it down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    only: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<RawWindow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<[u64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    requested: bool,
    // Last, because TOML puts tables after values.
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<Vec<RawPoint>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
}

impl RawFault {
    pub(super) fn read(mut self, path: &str) -> Result<(Arc<str>, Fault), BadPlan> {
        if self.site.is_empty() {
            return Err(wrong(
                format!("{path}.site"),
                "missing",
                "name the site, as `site = \"api->payments\"`",
            ));
        }
        let effect = self.effect(path)?;
        let select = self.select(path)?;
        let mut fault = Fault::new(effect, select);
        fault.give_up = self.take_span(path, "give_up", |s| &mut s.give_up)?;
        self.answer(path, &mut fault)?;
        if let Some(name) = self.name.take() {
            fault.name = name.into();
        }
        self.nothing_left(path, &fault)?;
        fault.narrow = self.narrow(path)?;
        Ok((self.site.into(), fault))
    }

    fn effect(&mut self, path: &str) -> Result<Effect, BadPlan> {
        let Some(kind) = self.kind.take() else {
            return Err(wrong(
                format!("{path}.kind"),
                "missing",
                "one of latency, loss, refuse, duplicate, reorder, alter, queue, resend, yield, stall, truncate, reset, lose-trailers",
            ));
        };
        Ok(match kind {
            Kind::Latency => Effect::Delay {
                place: match self.place.take() {
                    None | Some(RawPlace::Wire) => Place::Wire,
                    Some(RawPlace::Server) => Place::Server,
                    Some(RawPlace::Reply) => Place::Reply,
                },
                by: match self.delay.take() {
                    Some(delay) => delay.read(&format!("{path}.delay"))?,
                    None => {
                        return Err(wrong(
                            format!("{path}.delay"),
                            "missing",
                            "say how long, as `delay = \"40ms\"`",
                        ));
                    }
                },
            },
            Kind::Loss => Effect::Lose(self.leg(path)?),
            Kind::Refuse => Effect::Refuse(self.leg(path)?),
            Kind::Alter => Effect::Alter(self.leg(path)?),
            Kind::Queue => Effect::Queue {
                leg: self.leg(path)?,
                rate: self.rate(path)?,
                capacity: self.capacity.take().ok_or_else(|| {
                    wrong(
                        format!("{path}.capacity"),
                        "missing",
                        "say how many messages the queue holds, as `capacity = 100`",
                    )
                })?,
            },
            Kind::Resend => Effect::Resend {
                leg: self.leg(path)?,
                rtt: self
                    .take_span(path, "rtt", |s| &mut s.rtt)?
                    .ok_or_else(|| {
                        wrong(
                            format!("{path}.rtt"),
                            "missing",
                            "say how long the connection's round trip is, as `rtt = \"40ms\"`",
                        )
                    })?,
                again: self.again.take().map_or(Ok(Probability::NEVER), |again| {
                    again.probability(&format!("{path}.again"))
                })?,
            },
            Kind::Yield => Effect::Yield {
                leg: self.leg(path)?,
                turns: self.turns(path)?,
            },
            Kind::Stall => self.body(path, BodyFault::Stall)?,
            Kind::Truncate => self.body(path, BodyFault::Truncate)?,
            Kind::Reset => self.body(path, BodyFault::Reset)?,
            Kind::LoseTrailers => Effect::LoseTrailers(self.leg(path)?),
            Kind::Duplicate => Effect::Duplicate {
                after: match self.after.take() {
                    Some(after) => after.read(&format!("{path}.after"))?,
                    None => murphy_core::Distribution::fixed(Duration::ZERO),
                },
                keep: match self.keep.take() {
                    None | Some(RawKeep::First) => Keep::First,
                    Some(RawKeep::Last) => Keep::Last,
                },
            },
            Kind::Reorder => Effect::Reorder {
                leg: self.leg(path)?,
                passes: self.passes.take().unwrap_or(1),
                bound: self
                    .take_span(path, "bound", |s| &mut s.bound)?
                    .ok_or_else(|| {
                        wrong(
                            format!("{path}.bound"),
                            "missing",
                            "say how long at most, as `bound = \"1s\"`",
                        )
                    })?,
            },
        })
    }

    fn rate(&mut self, path: &str) -> Result<Rate, BadPlan> {
        let field = format!("{path}.rate");
        let Some(text) = self.rate.take() else {
            return Err(wrong(
                field,
                "missing",
                "say how fast, as `rate = \"200/s\"`",
            ));
        };
        text.parse()
            .map_err(|e: BadRate| wrong(field, e.value, e.remedy))
    }

    fn turns(&mut self, path: &str) -> Result<u32, BadPlan> {
        let turns = self.turns.take().unwrap_or(1);
        if (1..=MOST_TURNS).contains(&turns) {
            return Ok(turns);
        }
        let remedy = format!("1 to {MOST_TURNS}");
        Err(wrong(format!("{path}.turns"), turns.to_string(), remedy))
    }

    fn leg(&mut self, path: &str) -> Result<Leg, BadPlan> {
        let missing = || {
            wrong(
                format!("{path}.leg"),
                "missing",
                "a fault names its leg: `request` or `reply`",
            )
        };
        self.leg.take().ok_or_else(missing)
    }

    /// What is still there does not go with this kind of fault.
    fn nothing_left(&self, path: &str, fault: &Fault) -> Result<(), BadPlan> {
        let silent = fault.effect.is_silent();
        let stray = [
            (self.leg.is_some(), "leg"),
            (self.place.is_some(), "place"),
            (self.delay.is_some(), "delay"),
            (self.after.is_some(), "after"),
            (self.keep.is_some(), "keep"),
            (self.passes.is_some(), "passes"),
            (self.bound.is_some(), "bound"),
            (fault.give_up.is_some() && !silent, "give_up"),
            (self.rate.is_some(), "rate"),
            (self.capacity.is_some(), "capacity"),
            (self.rtt.is_some(), "rtt"),
            (self.again.is_some(), "again"),
            (self.turns.is_some(), "turns"),
            (self.bytes.is_some(), "bytes"),
            (self.frames.is_some(), "frames"),
            (self.messages.is_some(), "messages"),
            (self.status.is_some(), "status"),
            (self.code.is_some(), "code"),
            (self.retry_after.is_some(), "retry_after"),
            (!self.headers.is_empty(), "headers"),
        ];
        match stray.iter().find(|(is, _)| *is) {
            Some((_, field)) => {
                let kind = fault.effect.kind();
                let hint = if *field == "leg" {
                    ": latency has a `place` (wire, server, reply), a duplicate is a request's"
                } else {
                    ""
                };
                Err(wrong(
                    format!("{path}.{field}"),
                    "set",
                    format!("a fault of kind `{kind}` has no `{field}`{hint}"),
                ))
            }
            None => Ok(()),
        }
    }

    fn take_span(
        &mut self,
        path: &str,
        name: &str,
        field: impl Fn(&mut Self) -> &mut Option<Span>,
    ) -> Result<Option<Duration>, BadPlan> {
        field(self)
            .take()
            .map(|s| s.read(&format!("{path}.{name}")))
            .transpose()
    }
}
