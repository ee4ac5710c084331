//! A fault, written down.

use std::sync::Arc;

use murphy_core::{Key, Probability};

use super::{Kind, RawBurst, RawFault, RawKeep, RawKey, RawPlace, RawPoint, RawRamp, RawWindow};
use crate::Fault;
use crate::effect::{Effect, Keep, Place};
use crate::fault::Narrow;
use crate::plan::raw::duration::Span;
use crate::select::{ScriptPoint, Select};

impl RawFault {
    pub(in crate::plan::raw) fn write(site: &str, fault: &Fault) -> Self {
        let mut raw = Self {
            site: site.to_owned(),
            name: Some(fault.name.to_string()),
            give_up: fault.give_up.map(Span::from),
            ..Self::default()
        };
        raw.write_effect(&fault.effect);
        raw.write_answer(&fault.answer);
        raw.write_select(&fault.select);
        raw.write_narrow(&fault.narrow);
        raw
    }

    fn write_effect(&mut self, effect: &Effect) {
        let (kind, leg) = match effect {
            Effect::Delay { place, by } => {
                self.delay = Some(by.into());
                self.place = Some(match place {
                    Place::Wire => RawPlace::Wire,
                    Place::Server => RawPlace::Server,
                    Place::Reply => RawPlace::Reply,
                });
                (Kind::Latency, None)
            }
            Effect::Lose(leg) => (Kind::Loss, Some(*leg)),
            Effect::Refuse(leg) => (Kind::Refuse, Some(*leg)),
            Effect::Alter(leg) => (Kind::Alter, Some(*leg)),
            Effect::Duplicate { after, keep } => {
                self.after = Some(after.into());
                self.keep = Some(if *keep == Keep::First {
                    RawKeep::First
                } else {
                    RawKeep::Last
                });
                (Kind::Duplicate, None)
            }
            Effect::Reorder { leg, passes, bound } => {
                self.passes = Some(*passes);
                self.bound = Some((*bound).into());
                (Kind::Reorder, Some(*leg))
            }
            Effect::Queue {
                leg,
                rate,
                capacity,
            } => {
                self.rate = Some(rate.to_string());
                self.capacity = Some(*capacity);
                (Kind::Queue, Some(*leg))
            }
            Effect::Resend { leg, rtt, again } => {
                self.rtt = Some((*rtt).into());
                self.again = Some((*again).into());
                (Kind::Resend, Some(*leg))
            }
            Effect::Yield { leg, turns } => {
                self.turns = Some(*turns);
                (Kind::Yield, Some(*leg))
            }
            Effect::Body { leg, what, after } => (self.write_body(*what, *after), Some(*leg)),
            Effect::LoseTrailers(leg) => (Kind::LoseTrailers, Some(*leg)),
        };
        self.kind = Some(kind);
        self.leg = leg;
    }

    fn write_select(&mut self, select: &Select) {
        match select {
            Select::Chance(p) => self.probability = Some((*p).into()),
            Select::Every(n) => self.every = Some(*n),
            Select::First(n) => self.first = Some(*n),
            Select::Nth(counts) => self.nth = Some(counts.clone()),
            Select::Burst(b) => {
                self.burst = Some(RawBurst {
                    loss: b.loss().into(),
                    mean_length: b.mean_length(),
                })
            }
            Select::Ramp { from, to, over } => {
                self.ramp = Some(RawRamp {
                    from: (*from).into(),
                    to: (*to).into(),
                    over: (*over).into(),
                });
            }
            Select::Script(script) => {
                self.script = Some(script.points().iter().map(RawPoint::write).collect())
            }
        }
    }

    fn write_narrow(&mut self, narrow: &Narrow) {
        let words = |w: &[Arc<str>]| w.iter().map(ToString::to_string).collect();
        self.only = words(&narrow.only);
        self.except = words(&narrow.except);
        self.window = narrow.window.map(|(from, until)| RawWindow {
            from: Some(from.into()),
            until: Some(until.into()),
        });
        self.calls = narrow.calls.as_ref().map(|c| [c.start, c.end]);
        self.active = narrow.active.map(|a: Probability| a.into());
        self.at_most = narrow.at_most;
        self.requested = narrow.requested;
    }
}

impl RawPoint {
    fn write(point: &ScriptPoint) -> Self {
        let positional = point.key == Key::new(0);
        Self {
            call: positional.then_some(point.occurrence),
            key: (!positional).then_some(RawKey(point.key)),
            occurrence: (!positional).then_some(point.occurrence),
            lasting: point.magnitude.map(Span::from),
        }
    }
}
