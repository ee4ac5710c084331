//! [`Config`]: policies as data, for a file that operations may edit.
//!
//! Every field has a default, unknown ones are refused, and a wrong value is refused with its name, the value and
//! what would be right. Durations are texts: `250ms`, `1m 30s`.
//!
//! A file is refused more than a builder is: what a builder takes as it stands, for it may be meant (a timeout of 0 in a
//! test, a reserve that lifts the cap), is more likely a slip in a file.
//!
//! # Examples
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use murphy_policy::config::Config;
//!
//! let config: Config = toml::from_str(r#"
//!     deadline = "5s"
//!     attempts = 4
//!     attempt_timeout = "1s"
//!     backoff = { kind = "full_jitter", base = "20ms", cap = "200ms" }
//!     budget = { ratio = 0.1, reserve = 5 }
//!     breaker = { consecutive = 10, open_for = "2s" }
//! "#)?;
//! let stack = config.stack()?;
//! assert_eq!(stack.report().most_requests(), 4);
//! # Ok(())
//! # }
//! ```

mod backoff;
mod text;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tower_layer::Identity;

pub use self::backoff::{BackoffConfig, BackoffKind};
use crate::retry::IoClassify;
use crate::stack::{Sound, Stack, Unsound};
use crate::switch::Switch;
use crate::{
    Backoff, BadKnob, BreakerLayer, Budget, CloneReplay, DeadlineLayer, RetryLayer, TimeoutLayer,
};

/// What a client's stack is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// How long a call may take, attempts and waits together; more than 0, 10 s.
    #[serde(with = "text")]
    pub deadline: Duration,
    /// How many attempts there are, the first included; 3.
    pub attempts: u32,
    /// How long each may take; more than 0, 3 s.
    #[serde(with = "text")]
    pub attempt_timeout: Duration,
    /// How long to wait before another.
    pub backoff: BackoffConfig,
    /// How much of a peer's hint is obeyed; 60 s.
    #[serde(with = "text")]
    pub longest_hint: Duration,
    /// Who pays for further attempts.
    pub budget: BudgetConfig,
    /// When to stop asking; never, unless it is there.
    pub breaker: Option<BreakerConfig>,
}

/// A [`Budget`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BudgetConfig {
    /// Extra attempts a call, 0.0 to 10.0; 0.2.
    pub ratio: f64,
    /// What it begins with; up to `cap`, 10.
    pub reserve: u32,
    /// What it holds at most, but for one deposit (`ratio`) where that is more; `reserve` or more, 100.
    pub cap: u32,
}

/// A [`BreakerLayer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// How many failures in a row open it; 5.
    pub consecutive: u32,
    /// Which share of the last hundred calls opens it; none unless set.
    pub failure_rate: Option<f64>,
    /// For how long the first time; more than 0, 5 s; twice as long each time that its trial fails, up to a minute, or to this
    /// where it is longer. Up to a tenth of that on top.
    #[serde(with = "text")]
    pub open_for: Duration,
}

/// A configuration that no stack can be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadConfig {
    /// A value that cannot be.
    #[error(transparent)]
    Knob(#[from] BadKnob),
    /// Values that do not go together.
    #[error(transparent)]
    Unsound(#[from] Unsound),
}

/// What a configuration makes: `Deadline > Retry > Breaker > Timeout`, the breaker if it is there.
pub type Configured<C = IoClassify, R = CloneReplay> = Sound<
    tower_layer::Stack<
        TimeoutLayer,
        tower_layer::Stack<
            Switch<BreakerLayer<C>>,
            tower_layer::Stack<RetryLayer<C, R>, tower_layer::Stack<DeadlineLayer, Identity>>,
        >,
    >,
>;

impl Default for Config {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            attempts: RetryLayer::DEFAULT_ATTEMPTS,
            attempt_timeout: Duration::from_secs(3),
            backoff: BackoffConfig::default(),
            longest_hint: RetryLayer::DEFAULT_LONGEST_HINT,
            budget: BudgetConfig::default(),
            breaker: None,
        }
    }
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self {
            ratio: Budget::DEFAULT_RATIO,
            reserve: Budget::DEFAULT_RESERVE,
            cap: Budget::DEFAULT_CAP,
        }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            consecutive: BreakerLayer::DEFAULT_CONSECUTIVE,
            failure_rate: None,
            open_for: BreakerLayer::DEFAULT_OPEN,
        }
    }
}

impl Config {
    /// A stack that repeats errors as [`IoClassify`] says, and clones requests.
    ///
    /// # Errors
    ///
    /// [`BadConfig`] names the value that cannot be, or those that do not go together, such as more
    /// attempts than the deadline has time for.
    pub fn stack(&self) -> Result<Configured, BadConfig> {
        self.stack_with(IoClassify, CloneReplay)
    }

    /// As [`stack`](Self::stack), with hooks of your own.
    ///
    /// # Errors
    ///
    /// As [`stack`](Self::stack).
    pub fn stack_with<C: Clone, R>(
        &self,
        classify: C,
        replay: R,
    ) -> Result<Configured<C, R>, BadConfig> {
        positive(
            "deadline",
            self.deadline,
            "every call would end before it began",
        )?;
        let timeout = self.attempt_timeout;
        positive(
            "attempt_timeout",
            timeout,
            "every attempt would end before it began",
        )?;
        let retry = RetryLayer::new()
            .attempts(self.attempts)?
            .pace(self.backoff.build()?)
            .longest_hint(self.longest_hint)
            .budget(self.budget.build()?)
            .classify(classify.clone())
            .replay(replay);
        let breaker = match &self.breaker {
            Some(breaker) => Some(breaker.build()?.classify(classify)),
            None => None,
        };
        let stack = Stack::new()
            .layer(DeadlineLayer::new(self.deadline))
            .layer(retry)
            .layer(Switch::new(breaker))
            .layer(TimeoutLayer::new(timeout));
        Ok(stack.build()?)
    }
}

impl BudgetConfig {
    fn build(&self) -> Result<Budget, BadKnob> {
        let Self {
            ratio,
            reserve,
            cap,
        } = *self;
        if reserve > cap {
            let remedy = format!(
                "less than `budget.reserve = {reserve}`: use {reserve} or more, or reserve less"
            );
            return Err(BadKnob::new("budget.cap", cap, remedy));
        }
        Ok(Budget::try_new(ratio, reserve)?.cap(cap))
    }
}

impl BreakerConfig {
    fn build(&self) -> Result<BreakerLayer, BadKnob> {
        let open = self.open_for;
        positive("breaker.open_for", open, "it would be asked again at once")?;
        let longest = BreakerLayer::DEFAULT_LONGEST.max(open);
        let mut breaker = BreakerLayer::new()
            .consecutive(self.consecutive)?
            .open_pace(Backoff::exponential(open, longest));
        if let Some(share) = self.failure_rate {
            breaker = breaker.failure_rate(share)?;
        }
        Ok(breaker)
    }
}

fn positive(field: &'static str, time: Duration, does: &str) -> Result<(), BadKnob> {
    if !time.is_zero() {
        return Ok(());
    }
    Err(BadKnob::new(
        field,
        "0s",
        format!("{does}; use 1ms or more"),
    ))
}
