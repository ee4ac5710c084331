//! Durations and their distributions, as text.

use std::fmt::Display;
use std::time::Duration;

use murphy_core::Distribution;
use murphy_core::Shape;
use serde::{Deserialize, Serialize};

use super::{BadPlan, wrong};

/// A duration, as `"1s 500ms"`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Span(String);

/// How the longest duration is written, which has no end worth spelling out.
const FOREVER: &str = "forever";

impl Span {
    pub(super) fn read(&self, field: &str) -> Result<Duration, BadPlan> {
        if self.0 == FOREVER {
            return Ok(Duration::MAX);
        }
        humantime::parse_duration(&self.0).map_err(|e| {
            wrong(
                field,
                &self.0,
                format!("{e}; write a duration with its unit, as `150ms` or `1s 500ms`"),
            )
        })
    }
}

impl From<&str> for Span {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<Duration> for Span {
    fn from(d: Duration) -> Self {
        Self(if d == Duration::MAX {
            FOREVER.into()
        } else {
            humantime::format_duration(d).to_string()
        })
    }
}

/// A distribution: a duration alone, or a table with the name of its shape.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Spread {
    Fixed(Span),
    Shaped(Box<Shaped>),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shaped {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_most: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fixed: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exponential: Option<ExponentialOf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uniform: Option<UniformOf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    normal: Option<NormalOf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log_normal: Option<LogNormalOf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pareto: Option<ParetoOf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    empirical: Option<Vec<(f64, Span)>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Vec<Span>>,
}

macro_rules! tables {
    ($($name:ident { $($field:ident: $kind:ty),* })*) => {$(
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name { $($field: $kind),* }
    )*};
}

tables! {
    ExponentialOf { mean: Span }
    UniformOf { min: Span, max: Span }
    NormalOf { mean: Span, sd: Span }
    LogNormalOf { median: Span, sigma: f64 }
    ParetoOf { scale: Span, shape: f64 }
}

impl Spread {
    pub(super) fn read(&self, field: &str) -> Result<Distribution, BadPlan> {
        match self {
            Self::Fixed(span) => span.read(field).map(Distribution::fixed),
            Self::Shaped(shaped) => shaped.read(field),
        }
    }
}

impl Shaped {
    fn read(&self, field: &str) -> Result<Distribution, BadPlan> {
        let span = |s: &Span, name: &str| s.read(&format!("{field}.{name}"));
        let told = |shape: &str, e: murphy_core::BadDistribution| {
            wrong(format!("{field}.{shape}.{}", e.field), e.value, e.remedy)
        };
        let mut all = Vec::new();
        if let Some(d) = &self.fixed {
            all.push(Distribution::fixed(span(d, "fixed")?));
        }
        if let Some(e) = &self.exponential {
            all.push(Distribution::exponential(span(
                &e.mean,
                "exponential.mean",
            )?));
        }
        if let Some(u) = &self.uniform {
            let (min, max) = (span(&u.min, "uniform.min")?, span(&u.max, "uniform.max")?);
            all.push(Distribution::uniform(min, max).map_err(|e| told("uniform", e))?);
        }
        if let Some(n) = &self.normal {
            all.push(Distribution::normal(
                span(&n.mean, "normal.mean")?,
                span(&n.sd, "normal.sd")?,
            ));
        }
        if let Some(l) = &self.log_normal {
            let median = span(&l.median, "log_normal.median")?;
            all.push(Distribution::log_normal(median, l.sigma).map_err(|e| told("log_normal", e))?);
        }
        if let Some(p) = &self.pareto {
            let scale = span(&p.scale, "pareto.scale")?;
            all.push(Distribution::pareto(scale, p.shape).map_err(|e| told("pareto", e))?);
        }
        if let Some(rows) = &self.empirical {
            let rows: Result<Vec<_>, BadPlan> = rows
                .iter()
                .map(|(q, d)| Ok((*q, span(d, "empirical")?)))
                .collect();
            all.push(Distribution::empirical(rows?).map_err(|e| told("empirical", e))?);
        }
        if let Some(samples) = &self.trace {
            let samples: Result<Vec<_>, _> = samples.iter().map(|d| span(d, "trace")).collect();
            all.push(Distribution::trace(samples?).map_err(|e| told("trace", e))?);
        }
        let one = only_one(all, field)?;
        Ok(match &self.at_most {
            Some(cap) => one.at_most(span(cap, "at_most")?),
            None => one,
        })
    }
}

fn only_one(mut all: Vec<Distribution>, field: &str) -> Result<Distribution, BadPlan> {
    let count = all.len();
    match all.pop() {
        Some(one) if count == 1 => Ok(one),
        _ => Err(wrong(
            field,
            format!("{count} distributions"),
            "name one: fixed, exponential, uniform, normal, log_normal, pareto, empirical or trace",
        )),
    }
}

impl From<&Distribution> for Spread {
    fn from(d: &Distribution) -> Self {
        let mut s = Shaped {
            at_most: d.cap().map(Span::from),
            ..Shaped::default()
        };
        match d.shape() {
            Shape::Fixed(d) if s.at_most.is_none() => return Self::Fixed((*d).into()),
            Shape::Fixed(d) => s.fixed = Some((*d).into()),
            Shape::Exponential { mean } => {
                s.exponential = Some(ExponentialOf {
                    mean: (*mean).into(),
                })
            }
            Shape::Uniform { min, max } => {
                s.uniform = Some(UniformOf {
                    min: (*min).into(),
                    max: (*max).into(),
                })
            }
            Shape::Normal { mean, sd } => {
                s.normal = Some(NormalOf {
                    mean: (*mean).into(),
                    sd: (*sd).into(),
                })
            }
            Shape::LogNormal { median, sigma } => {
                s.log_normal = Some(LogNormalOf {
                    median: (*median).into(),
                    sigma: *sigma,
                });
            }
            Shape::Pareto { scale, shape } => {
                s.pareto = Some(ParetoOf {
                    scale: (*scale).into(),
                    shape: *shape,
                })
            }
            Shape::Empirical(rows) => {
                s.empirical = Some(rows.iter().map(|(q, d)| (*q, Span::from(*d))).collect())
            }
            Shape::Trace(samples) => {
                s.trace = Some(samples.iter().map(|d| Span::from(*d)).collect())
            }
        }
        Self::Shaped(Box::new(s))
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
