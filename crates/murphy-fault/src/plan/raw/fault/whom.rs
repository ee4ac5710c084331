//! Whom a fault strikes, as it is written.

use std::time::Duration;

use murphy_core::Key;
use serde::{Deserialize, Serialize};

use super::RawFault;
use crate::fault::Narrow;
use crate::plan::raw::duration::Span;
use crate::plan::raw::{BadPlan, Number, wrong};
use crate::select::{Burst, Script, ScriptPoint, Select};
use crate::text;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBurst {
    pub(super) loss: Number,
    pub(super) mean_length: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRamp {
    pub(super) from: Number,
    pub(super) to: Number,
    pub(super) over: Span,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWindow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Span>,
}

/// `{ call = 17 }`, or `{ key = "0x2a", occurrence = 1 }`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPoint {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) call: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<RawKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) occurrence: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lasting: Option<Span>,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RawKey(#[serde(with = "text::key")] pub(super) Key);

impl RawFault {
    pub(super) fn select(&mut self, path: &str) -> Result<Select, BadPlan> {
        let mut all: Vec<(&str, Select)> = Vec::new();
        if let Some(p) = self.probability.take() {
            all.push((
                "probability",
                p.probability(&format!("{path}.probability"))?.into(),
            ));
        }
        if let Some(n) = self.every.take() {
            all.push(("every", Select::Every(n)));
        }
        if let Some(n) = self.first.take() {
            all.push(("first", Select::First(n)));
        }
        if let Some(counts) = self.nth.take() {
            all.push(("nth", Select::nth(counts)));
        }
        if let Some(b) = self.burst.take() {
            let loss = b.loss.probability(&format!("{path}.burst.loss"))?;
            let burst = Burst::try_new(loss, b.mean_length)
                .map_err(|e| wrong(format!("{path}.burst.{}", e.field), e.value, e.remedy))?;
            all.push(("burst", burst.into()));
        }
        if let Some(r) = self.ramp.take() {
            let from = r.from.probability(&format!("{path}.ramp.from"))?;
            let to = r.to.probability(&format!("{path}.ramp.to"))?;
            let over = r.over.read(&format!("{path}.ramp.over"))?;
            all.push(("ramp", Select::Ramp { from, to, over }));
        }
        if let Some(points) = self.script.take() {
            let points: Result<Vec<_>, _> = points
                .into_iter()
                .enumerate()
                .map(|(i, p)| p.read(&format!("{path}.script[{i}]")))
                .collect();
            all.push(("script", Script::new(points?).into()));
        }
        const WAYS: &str = "exactly one of probability, every, first, nth, burst, ramp, script says whom it strikes";
        let named: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let named = if named.is_empty() {
            "no selection".to_owned()
        } else {
            named.join(" and ")
        };
        match (all.pop(), all.is_empty()) {
            (Some((_, select)), true) => Ok(select),
            _ => Err(wrong(path, named, WAYS)),
        }
    }

    pub(super) fn narrow(&mut self, path: &str) -> Result<Narrow, BadPlan> {
        let window = match self.window.take() {
            None => None,
            Some(w) => {
                let read = |span: Option<Span>, name: &str, none: Duration| {
                    span.map_or(Ok(none), |s| s.read(&format!("{path}.window.{name}")))
                };
                let (from, until) = (
                    read(w.from, "from", Duration::ZERO)?,
                    read(w.until, "until", Duration::MAX)?,
                );
                if until <= from {
                    let until = humantime::format_duration(until);
                    return Err(wrong(
                        format!("{path}.window.until"),
                        until,
                        "the window ends before it begins: swap the two",
                    ));
                }
                Some((from, until))
            }
        };
        let calls = match self.calls.take() {
            Some([from, until]) if until <= from => {
                return Err(wrong(
                    format!("{path}.calls"),
                    format!("[{from}, {until}]"),
                    "write `[first, one past the last]`",
                ));
            }
            calls => calls.map(|[from, until]| from..until),
        };
        let active = self
            .active
            .take()
            .map(|a| a.probability(&format!("{path}.active")))
            .transpose()?;
        let words = |w: &mut Vec<String>| std::mem::take(w).into_iter().map(Into::into).collect();
        Ok(Narrow {
            only: words(&mut self.only),
            except: words(&mut self.except),
            window,
            calls,
            active,
            at_most: self.at_most.take(),
            requested: std::mem::take(&mut self.requested),
        })
    }
}

impl RawPoint {
    fn read(self, path: &str) -> Result<ScriptPoint, BadPlan> {
        let mut point = match (self.call, self.key, self.occurrence) {
            (Some(call), None, None) => ScriptPoint::call(call),
            (None, Some(key), occurrence) => ScriptPoint::keyed(key.0, occurrence.unwrap_or(0)),
            _ => {
                return Err(wrong(
                    path,
                    "unclear",
                    "write `{ call = 17 }` or `{ key = \"0x2a\", occurrence = 0 }`",
                ));
            }
        };
        point.magnitude = self
            .lasting
            .map(|s| s.read(&format!("{path}.lasting")))
            .transpose()?;
        Ok(point)
    }
}
