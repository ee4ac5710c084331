//! One disturbance, as it is written.

use std::sync::Arc;
use std::time::Duration;

use murphy_core::clock::{Drift, Offset, Suspended};
use serde::{Deserialize, Serialize};

use super::duration::Span;
use super::{BadPlan, wrong};
use crate::disturbance::{Deed, Disturbance};
use crate::node::Bend;

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Partition,
    PartitionOneway,
    Isolate,
    Bridge,
    MajoritiesRing,
    Hold,
    Swizzle,
    Pause,
    Crash,
    Clock,
}

/// All the fields that any event has. Which go together is checked when it is read.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawEvent {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Span>,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    lasting: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<Vec<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Vec<Arc<str>>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Vec<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Vec<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jump: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift_ppm: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    freeze: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspend: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Span>,
    // Last, because TOML puts tables after values.
    #[serde(skip_serializing_if = "Option::is_none")]
    flap: Option<RawFlap>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFlap {
    on: Span,
    off: Span,
}

const KINDS: &str = "one of partition, partition-oneway, isolate, bridge, majorities-ring, hold, \
                     swizzle, pause, crash, clock";

impl RawEvent {
    pub(super) fn read(mut self, path: &str) -> Result<Disturbance, BadPlan> {
        let at = |name: &str| format!("{path}.{name}");
        let Some(kind) = self.kind.take() else {
            return Err(wrong(at("kind"), "missing", KINDS));
        };
        let deed = self.deed(kind, path)?;
        let mut disturbance = Disturbance::new(deed);
        if let Some(from) = self.at.take() {
            disturbance.at = from.read(&at("at"))?;
        }
        if let Some(lasting) = self.lasting.take() {
            disturbance.lasting = Some(lasting.read(&at("for"))?);
        }
        if let Some(RawFlap { on, off }) = self.flap.take() {
            let (on, off) = (on.read(&at("flap.on"))?, off.read(&at("flap.off"))?);
            disturbance.flapping = Some((on, off));
        }
        self.nothing_left(path, &disturbance.deed)?;
        Ok(disturbance)
    }

    fn deed(&mut self, kind: Kind, path: &str) -> Result<Deed, BadPlan> {
        let missing =
            |field: &str, remedy: &str| wrong(format!("{path}.{field}"), "missing", remedy);
        let node = |raw: &mut Self| {
            raw.node
                .take()
                .ok_or_else(|| missing("node", "name the node, as `node = \"a\"`"))
        };
        let between = |raw: &mut Self| match (raw.from.take(), raw.to.take()) {
            (Some(from), Some(to)) => Ok((from, to)),
            (None, _) => Err(missing("from", "name senders, as `from = [\"a\"]`")),
            (_, None) => Err(missing("to", "name receivers, as `to = [\"b\"]`")),
        };
        let groups = |raw: &mut Self| {
            raw.groups.take().ok_or_else(|| {
                missing(
                    "groups",
                    "say who is on which side, as `groups = [[\"a\"], [\"b\", \"c\"]]`",
                )
            })
        };
        Ok(match kind {
            Kind::Partition => Deed::Partition {
                groups: groups(self)?,
            },
            Kind::PartitionOneway => {
                let (from, to) = between(self)?;
                Deed::PartitionOneway { from, to }
            }
            Kind::Isolate => Deed::Isolate { node: node(self)? },
            Kind::Bridge => match <[_; 2]>::try_from(groups(self)?) {
                Ok([one, other]) => Deed::Bridge {
                    node: node(self)?,
                    one,
                    other,
                },
                Err(groups) => {
                    let have = format!("{} groups", groups.len());
                    return Err(wrong(format!("{path}.groups"), have, "a bridge joins two"));
                }
            },
            Kind::MajoritiesRing => Deed::MajoritiesRing,
            Kind::Hold => {
                let (from, to) = between(self)?;
                Deed::Hold { from, to }
            }
            Kind::Swizzle => Deed::Swizzle {
                nodes: self
                    .nodes
                    .take()
                    .ok_or_else(|| missing("nodes", "say which, as `nodes = [\"a\", \"b\"]`"))?,
            },
            Kind::Pause => Deed::Pause { node: node(self)? },
            Kind::Crash => Deed::Crash { node: node(self)? },
            Kind::Clock => Deed::Clock {
                node: node(self)?,
                bend: self.bend(path)?,
            },
        })
    }

    fn bend(&mut self, path: &str) -> Result<Bend, BadPlan> {
        let at = |name: &str| format!("{path}.{name}");
        let mut all: Vec<(&str, Bend)> = Vec::new();
        if let Some(by) = self.jump.take() {
            all.push(("jump", Bend::Jump(signed(&by, &at("jump"))?)));
        }
        if let Some(ppm) = self.drift_ppm.take() {
            let drift = Drift::ppm(ppm).map_err(|e| wrong(at("drift_ppm"), ppm, e.to_string()))?;
            all.push(("drift_ppm", Bend::Drift(drift)));
        }
        if let Some(freeze) = self.freeze.take() {
            if !freeze {
                return Err(wrong(at("freeze"), "false", "leave it out"));
            }
            all.push(("freeze", Bend::Freeze));
        }
        if let Some(by) = self.suspend.take() {
            let mode = match self.counts.take() {
                Some(true) => Suspended::Counts,
                None | Some(false) => Suspended::IsLost,
            };
            all.push(("suspend", Bend::Suspend(by.read(&at("suspend"))?, mode)));
        }
        if let Some(error) = self.error.take() {
            all.push(("error", Bend::Error(error.read(&at("error"))?)));
        }
        const WAYS: &str = "exactly one of jump, drift_ppm, freeze, suspend, error bends a clock";
        let named: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let named = if named.is_empty() {
            "no bend".to_owned()
        } else {
            named.join(" and ")
        };
        match (all.pop(), all.is_empty()) {
            (Some((_, bend)), true) => Ok(bend),
            _ => Err(wrong(path, named, WAYS)),
        }
    }

    /// What is still there does not go with this kind of event.
    fn nothing_left(&self, path: &str, deed: &Deed) -> Result<(), BadPlan> {
        let stray = [
            (self.node.is_some(), "node"),
            (self.nodes.is_some(), "nodes"),
            (self.groups.is_some(), "groups"),
            (self.from.is_some(), "from"),
            (self.to.is_some(), "to"),
            (self.jump.is_some(), "jump"),
            (self.drift_ppm.is_some(), "drift_ppm"),
            (self.freeze.is_some(), "freeze"),
            (self.suspend.is_some(), "suspend"),
            (self.counts.is_some(), "counts"),
            (self.error.is_some(), "error"),
        ];
        match stray.iter().find(|(is, _)| *is) {
            Some((_, field)) => {
                let kind = deed.kind();
                let remedy = format!("an event of kind `{kind}` has no `{field}`");
                Err(wrong(format!("{path}.{field}"), "set", remedy))
            }
            None => Ok(()),
        }
    }

    pub(super) fn write(d: &Disturbance) -> Self {
        let mut raw = Self {
            at: Some(d.at.into()),
            lasting: d.lasting.map(Span::from),
            flap: d.flapping.map(|(on, off)| RawFlap {
                on: on.into(),
                off: off.into(),
            }),
            ..Self::default()
        };
        raw.kind = Some(raw.write_deed(&d.deed));
        raw
    }

    fn write_deed(&mut self, deed: &Deed) -> Kind {
        match deed {
            Deed::Partition { groups } => {
                self.groups = Some(groups.clone());
                Kind::Partition
            }
            Deed::PartitionOneway { from, to } => {
                (self.from, self.to) = (Some(from.clone()), Some(to.clone()));
                Kind::PartitionOneway
            }
            Deed::Isolate { node } => {
                self.node = Some(node.clone());
                Kind::Isolate
            }
            Deed::Bridge { node, one, other } => {
                self.node = Some(node.clone());
                self.groups = Some(vec![one.clone(), other.clone()]);
                Kind::Bridge
            }
            Deed::MajoritiesRing => Kind::MajoritiesRing,
            Deed::Hold { from, to } => {
                (self.from, self.to) = (Some(from.clone()), Some(to.clone()));
                Kind::Hold
            }
            Deed::Swizzle { nodes } => {
                self.nodes = Some(nodes.clone());
                Kind::Swizzle
            }
            Deed::Pause { node } => {
                self.node = Some(node.clone());
                Kind::Pause
            }
            Deed::Crash { node } => {
                self.node = Some(node.clone());
                Kind::Crash
            }
            Deed::Clock { node, bend } => {
                self.node = Some(node.clone());
                self.write_bend(bend);
                Kind::Clock
            }
        }
    }

    fn write_bend(&mut self, bend: &Bend) {
        match bend {
            Bend::Jump(by) => {
                let sign = if by.is_negative() { "-" } else { "+" };
                let abs = humantime::format_duration(by.abs());
                self.jump = Some(format!("{sign}{abs}"));
            }
            Bend::Drift(drift) => self.drift_ppm = Some(drift.as_ppm()),
            Bend::Freeze => self.freeze = Some(true),
            Bend::Suspend(by, mode) => {
                self.suspend = Some((*by).into());
                self.counts = (*mode == Suspended::Counts).then_some(true);
            }
            Bend::Error(error) => self.error = Some((*error).into()),
        }
    }
}

/// A duration with a sign.
fn signed(text: &str, field: &str) -> Result<Offset, BadPlan> {
    let (behind, span) = match text.strip_prefix('-') {
        Some(span) => (true, span),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let by: Duration = humantime::parse_duration(span.trim()).map_err(|e| {
        let remedy = format!("{e}; write a duration with sign and unit, as `-5s` or `+150ms`");
        wrong(field, text, remedy)
    })?;
    Ok(if behind && by > Offset::MAX.abs() {
        Offset::MIN
    } else if behind {
        Offset::behind(by)
    } else {
        Offset::ahead(by)
    })
}
