//! A plan as it is written: every field as it came, before anything is believed.

mod duration;
mod either;
mod event;
mod fault;

use murphy_core::{Probability, Seed};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{BadPlan, Halt, HaltOn, LONGEST_TEXT, Limits, PLAN_VERSION, Plan, nearest};
use duration::Span;
use event::RawEvent;
use fault::RawFault;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limits: Option<RawLimits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    halt: Option<RawHalt>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fault: Vec<RawFault>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    event: Vec<RawEvent>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_flight: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ratio: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ledger: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exclude: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHalt {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    errors: Option<RawHaltOn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency: Option<RawHaltOn>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHaltOn {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over: Option<Span>,
    share: Number,
    after: u64,
}

/// A number, or a text that means one: `0.05`, `"5%"`, `"0x2a"`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Number {
    Whole(i64),
    Real(f64),
    Text(String),
}

impl Number {
    pub(super) fn probability(&self, field: &str) -> Result<Probability, BadPlan> {
        match self {
            Self::Whole(n) => Probability::try_new(*n as f64),
            Self::Real(p) => Probability::try_new(*p),
            Self::Text(text) => text.parse(),
        }
        .map_err(|e| wrong(field, e.value, e.remedy))
    }
}

impl From<Probability> for Number {
    fn from(p: Probability) -> Self {
        Self::Real(p.get())
    }
}

pub(super) fn wrong(
    field: impl Into<String>,
    value: impl ToString,
    remedy: impl Into<String>,
) -> BadPlan {
    let value: String = value.to_string().chars().take(64).collect();
    BadPlan::Field {
        field: field.into(),
        value,
        remedy: remedy.into(),
    }
}

pub(super) fn from_toml(text: &str) -> Result<Plan, BadPlan> {
    let syntax = |e: toml::de::Error| BadPlan::Syntax {
        format: "TOML",
        problem: e.to_string().trim_end().to_owned(),
    };
    bounded(text)?;
    let table: toml::Table = text.parse().map_err(syntax)?;
    same_version(table.get("version").map(ToString::to_string))?;
    read(toml::Value::Table(table))
}

pub(super) fn from_json(text: &str) -> Result<Plan, BadPlan> {
    bounded(text)?;
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| BadPlan::Syntax {
        format: "JSON",
        problem: e.to_string(),
    })?;
    same_version(value.get("version").map(ToString::to_string))?;
    read(value)
}

fn bounded(text: &str) -> Result<(), BadPlan> {
    if text.len() as u64 > LONGEST_TEXT {
        return Err(wrong(
            "(the text)",
            format!("{} bytes", text.len()),
            "a plan is 64 MiB at most",
        ));
    }
    Ok(())
}

/// Before anything else is looked at: another version may mean other fields.
fn same_version(found: Option<String>) -> Result<(), BadPlan> {
    match found {
        Some(v) if v == PLAN_VERSION.to_string() => Ok(()),
        Some(found) => Err(BadPlan::Version {
            found: found.chars().take(64).collect(),
        }),
        None => Err(wrong(
            "version",
            "missing",
            format!("write `version = {PLAN_VERSION}`"),
        )),
    }
}

fn read<'de, D>(from: D) -> Result<Plan, BadPlan>
where
    D: serde::Deserializer<'de>,
    D::Error: std::fmt::Display,
{
    let raw: Raw = strict(from)?;
    Plan::try_from(raw)
}

/// Reads strictly, and says of an unknown word which known one is near.
fn strict<'de, T: DeserializeOwned, D>(from: D) -> Result<T, BadPlan>
where
    D: serde::Deserializer<'de>,
    D::Error: std::fmt::Display,
{
    serde_path_to_error::deserialize(from).map_err(|e| {
        // A key may be the empty text; it is named all the same.
        let path = match e.path().to_string() {
            path if path.is_empty() || path.ends_with('.') => format!("{path}\"\""),
            path => path,
        };
        let message = e.inner().to_string();
        let message = message.lines().next().unwrap_or_default().trim();
        // serde says: unknown field `x`, expected one of `a`, `b`.
        let mut quoted = message.split('`').skip(1).step_by(2);
        if message.starts_with("unknown") {
            let word = quoted.next().unwrap_or_default().to_owned();
            let known: Vec<&str> = quoted.collect();
            let guess = nearest(&word, known.iter().copied());
            let guess = guess.map_or(String::new(), |g| format!("did you mean `{g}`? "));
            let kind = if message.starts_with("unknown field") {
                "no field has this name"
            } else {
                "no such word"
            };
            return wrong(
                path,
                word,
                format!("{kind}; {guess}known are {}", known.join(", ")),
            );
        }
        wrong(path, "not what it should be", message.to_owned())
    })
}

impl TryFrom<Raw> for Plan {
    type Error = BadPlan;

    fn try_from(raw: Raw) -> Result<Self, BadPlan> {
        if raw.version != PLAN_VERSION {
            return Err(BadPlan::Version {
                found: raw.version.to_string(),
            });
        }
        let mut plan = Plan {
            seed: raw.seed.map(|s| seed(&s)).transpose()?,
            ..Plan::default()
        };
        if let Some(l) = raw.limits {
            plan.limits = limits(l)?;
        }
        if let Some(h) = raw.halt {
            plan.halt = halt(h)?;
        }
        for (index, fault) in raw.fault.into_iter().enumerate() {
            plan.faults.push(fault.read(&format!("fault[{index}]"))?);
        }
        for (index, event) in raw.event.into_iter().enumerate() {
            let event = event.read(&format!("event[{index}]"))?;
            plan.disturbances.push(event);
        }
        plan.check()?;
        Ok(plan)
    }
}

fn seed(seed: &Number) -> Result<Seed, BadPlan> {
    let text = match seed {
        Number::Whole(n) => n.to_string(),
        Number::Real(x) => x.to_string(),
        Number::Text(text) => text.clone(),
    };
    text.parse().map_err(|_| {
        wrong(
            "seed",
            text,
            "write a number below 2^64, as `42` or `\"0x2a\"`",
        )
    })
}

fn limits(raw: RawLimits) -> Result<Limits, BadPlan> {
    let usual = Limits::default();
    Ok(Limits {
        in_flight: raw.in_flight.unwrap_or(usual.in_flight),
        ratio: raw
            .ratio
            .map_or(Ok(usual.ratio), |r| r.probability("limits.ratio"))?,
        keys: raw.keys.map_or(usual.keys, |k| k as usize),
        ledger: raw.ledger.map_or(usual.ledger, |l| l as usize),
        exclude: raw.exclude.into_iter().map(Into::into).collect(),
    })
}

fn halt(raw: RawHalt) -> Result<Halt, BadPlan> {
    let on = |on: &RawHaltOn, field: &str| {
        let share = on.share.probability(&format!("{field}.share"))?;
        Ok::<_, BadPlan>(HaltOn {
            share,
            after: on.after,
        })
    };
    let errors = raw.errors.map(|e| match &e.over {
        Some(_) => Err(wrong(
            "halt.errors.over",
            "set",
            "only `halt.latency` has a bound",
        )),
        None => on(&e, "halt.errors"),
    });
    let latency = raw.latency.map(|l| match &l.over {
        Some(over) => Ok((over.read("halt.latency.over")?, on(&l, "halt.latency")?)),
        None => Err(wrong(
            "halt.latency.over",
            "missing",
            "say what is slow, as `over = \"2s\"`",
        )),
    });
    Ok(Halt {
        errors: errors.transpose()?,
        latency: latency.transpose()?,
    })
}

impl From<Plan> for Raw {
    fn from(plan: Plan) -> Self {
        let whole = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let limits = (plan.limits != Limits::default()).then(|| RawLimits {
            in_flight: Some(plan.limits.in_flight),
            ratio: Some(plan.limits.ratio.into()),
            keys: Some(whole(plan.limits.keys)),
            ledger: Some(whole(plan.limits.ledger)),
            exclude: plan
                .limits
                .exclude
                .iter()
                .map(ToString::to_string)
                .collect(),
        });
        let on = |over: Option<std::time::Duration>, h: HaltOn| RawHaltOn {
            over: over.map(Span::from),
            share: h.share.into(),
            after: h.after,
        };
        let halt = (plan.halt != Halt::default()).then(|| RawHalt {
            errors: plan.halt.errors.map(|h| on(None, h)),
            latency: plan.halt.latency.map(|(over, h)| on(Some(over), h)),
        });
        Self {
            version: PLAN_VERSION,
            seed: plan.seed.map(|s| Number::Text(s.to_string())),
            limits,
            halt,
            fault: plan
                .faults
                .iter()
                .map(|(site, fault)| RawFault::write(site, fault))
                .collect(),
            event: plan.disturbances.iter().map(RawEvent::write).collect(),
        }
    }
}
