//! [`BackoffConfig`]: a pace as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Backoff, BadKnob};

/// A [`Backoff`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BackoffConfig {
    /// Which; full jitter.
    pub kind: BackoffKind,
    /// The first wait; up to `cap`, where there is one, 50 ms.
    #[serde(with = "super::text")]
    pub base: Duration,
    /// The longest; 20 s. Of `none` and `constant` it says nothing.
    #[serde(with = "super::text")]
    pub cap: Duration,
    /// How it grows: 1.0 to 1000.0, 2.0 unless set. Only for `exponential`, `full_jitter` and `equal_jitter`.
    pub multiplier: Option<f64>,
}

/// The kinds of [`Backoff`], by the names of its constructors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BackoffKind {
    /// [`Backoff::none`].
    None,
    /// [`Backoff::constant`], of `base`.
    Constant,
    /// [`Backoff::linear`].
    Linear,
    /// [`Backoff::exponential`].
    Exponential,
    /// [`Backoff::full_jitter`].
    #[default]
    FullJitter,
    /// [`Backoff::equal_jitter`].
    EqualJitter,
    /// [`Backoff::decorrelated`].
    Decorrelated,
    /// [`Backoff::smooth`].
    Smooth,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            kind: BackoffKind::default(),
            base: Backoff::DEFAULT_BASE,
            cap: Backoff::DEFAULT_CAP,
            multiplier: None,
        }
    }
}

impl BackoffConfig {
    pub(super) fn build(&self) -> Result<Backoff, BadKnob> {
        let (base, cap) = (self.base, self.cap);
        if self.kind.has_cap() && base > cap {
            let [shown, cap] = [base, cap].map(humantime::format_duration);
            let remedy = format!(
                "more than `backoff.cap = {cap}`, which it waits at most: use a longer cap, or a shorter base"
            );
            return Err(BadKnob::new("backoff.base", shown, remedy));
        }
        let backoff = match self.kind {
            BackoffKind::None => Backoff::none(),
            BackoffKind::Constant => Backoff::constant(base),
            BackoffKind::Linear => Backoff::linear(base, cap),
            BackoffKind::Exponential => Backoff::exponential(base, cap),
            BackoffKind::FullJitter => Backoff::full_jitter(base, cap),
            BackoffKind::EqualJitter => Backoff::equal_jitter(base, cap),
            BackoffKind::Decorrelated => Backoff::decorrelated(base, cap),
            BackoffKind::Smooth => Backoff::smooth(base, cap),
        };
        match self.multiplier {
            Some(factor) if !self.kind.grows() => {
                let remedy = "no such factor has this kind: leave it out, or use kind = \"exponential\", \"full_jitter\" or \"equal_jitter\"";
                Err(BadKnob::new("backoff.multiplier", factor, remedy))
            }
            Some(factor) => backoff.multiplier(factor),
            None => Ok(backoff),
        }
    }
}

impl BackoffKind {
    const fn has_cap(self) -> bool {
        !matches!(self, Self::None | Self::Constant)
    }

    /// By a factor that can be set.
    const fn grows(self) -> bool {
        matches!(
            self,
            Self::Exponential | Self::FullJitter | Self::EqualJitter
        )
    }
}
