//! [`Stack`]: policies in an order that has been checked.
//!
//! The order in which layers lie decides what they do, and a wrong one compiles. A stack is built
//! outermost first, as with tower's `ServiceBuilder`, and is looked at before it is used: wrong orders are
//! refused with what they would do, the time that attempts and waits can take is compared with the deadline, and
//! the worst that a call can cost the peer is reckoned.
//!
//! ```text
//! Fallback > Deadline > IdempotencyKey > Hedge > Retry > Breaker, Throttle > Bulkhead > Timeout > transport
//! ```
//!
//! | [`Rule`] | wrong | what it would do |
//! |---|---|---|
//! | `FallbackOutside` | `Deadline > Fallback` | when the deadline passes, nobody is left to serve the fallback |
//! | `FallbackOutside` | `Retry > Fallback`, `Breaker > Fallback` | every failure is answered beneath it: it sees none |
//! | `DeadlineOutside` | `Retry > Deadline` | each attempt gets the whole deadline, and waits are not bounded |
//! | `OneDeadline` | `Deadline > Deadline` | the longer one never ends a call |
//! | `OneKey` | `Retry > IdempotencyKey` | each attempt has a key of its own: the peer does the work as often |
//! | `HedgeOutside` | `Retry > Hedge` | each attempt hedges: attempts multiply where they should share |
//! | `AttemptsCounted` | `Breaker > Retry` | it counts calls and not attempts, and lets a storm through as one |
//! | `NothingHeldAsleep` | `Bulkhead > Retry` | a place is held while the call sleeps between its attempts |
//! | `NothingHeldAsleep` | `Bulkhead > Hedge` | all requests of a call share one place |
//! | `TimeoutInside` | `Timeout > Retry` | one timeout ends all attempts: it is a deadline that nobody is told of |
//! | `TimeoutsCounted` | `Timeout > Breaker` | a call that times out is dropped: a silent peer never opens the breaker |
//! | `QueueOutside` | `Timeout > Bulkhead` | the wait for a place is taken from the attempt's time |
//! | `AttemptBounded` | `Retry`, no `Timeout` beneath | one silent attempt takes all the time there is |
//! | `TimeToAnswer` | `Timeout` or `Deadline` of 0 | whatever does not answer at once has failed |
//! | `FitsDeadline` | attempts × timeout + waits > deadline | the last attempts can never be made |
//! | `OnePurse` | `Hedge > Retry`, two budgets | each grants the other's extra attempts extra attempts |
//!
//! What is not ours is [`other`](Stack::other): its place is kept, and nothing is known of it. A worst case is
//! reckoned from what the layers say, and where they cannot say it is not guessed: how long calls wait in the
//! queue of a bulkhead depends on the others, and some budgets bound what is under way rather than what a call
//! costs ([`Report::longest`], [`Report::amplification`]).
//!
//! # Examples
//!
//! ```
//! use murphy_policy::{RetryLayer, Rule, Stack, TimeoutLayer};
//! use std::time::Duration;
//!
//! let wrong = Stack::new()
//!     .layer(TimeoutLayer::new(Duration::from_secs(1)))
//!     .layer(RetryLayer::new())
//!     .build();
//! let unsound = wrong.unwrap_err();
//! assert!(unsound.breaks(Rule::TimeoutInside) && unsound.breaks(Rule::AttemptBounded));
//! ```

mod lint;
mod part;
mod preset;
mod purse;
mod report;

use std::fmt;

use tower_layer::{Identity, Layer};

pub use self::lint::{Finding, Rule, Unsound};
pub use self::part::{Describe, Part};
#[cfg(feature = "grpc")]
pub use self::preset::Grpc;
#[cfg(feature = "http")]
pub use self::preset::Http;
pub use self::preset::Recommended;
pub use self::report::Report;

/// Layers, outermost first, and what is known of each. See the [module](self).
#[derive(Clone)]
#[must_use = "a stack does nothing until it is built"]
pub struct Stack<L = Identity> {
    layers: L,
    parts: Vec<Part>,
    allowed: Vec<Rule>,
}

/// A stack that was found sound: a [`Layer`].
#[derive(Clone)]
pub struct Sound<L> {
    layers: L,
    report: Report,
}

impl Stack {
    /// No layer yet.
    pub const fn new() -> Self {
        Self {
            layers: Identity::new(),
            parts: Vec::new(),
            allowed: Vec::new(),
        }
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether layers that are these parts, outermost first, are in an order that makes sense: what
/// [`Stack::build`] asks, for stacks that are built in another way.
///
/// # Errors
///
/// [`Unsound`] names each rule that is broken.
pub fn check(parts: &[Part]) -> Result<(), Unsound> {
    let findings = lint::findings(parts);
    if findings.is_empty() {
        Ok(())
    } else {
        Err(Unsound { findings })
    }
}

impl<L> Stack<L> {
    /// One more of ours, within those before.
    pub fn layer<T: Describe>(self, layer: T) -> Stack<tower_layer::Stack<T, L>> {
        let part = layer.describe();
        self.push(layer, part)
    }

    /// One more that is not ours, within those before. `name` is for the report.
    pub fn other<T>(self, name: &'static str, layer: T) -> Stack<tower_layer::Stack<T, L>> {
        self.push(layer, Part::Other { name })
    }

    fn push<T>(mut self, layer: T, part: Part) -> Stack<tower_layer::Stack<T, L>> {
        self.parts.push(part);
        Stack {
            layers: tower_layer::Stack::new(layer, self.layers),
            parts: self.parts,
            allowed: self.allowed,
        }
    }

    /// Lets this rule be broken, on purpose.
    pub fn allow(mut self, rule: Rule) -> Self {
        self.allowed.push(rule);
        self
    }

    /// What is known of the layers, outermost first.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The layers, if they are in an order that makes sense.
    ///
    /// # Errors
    ///
    /// [`Unsound`] names each rule that is broken, by which layers, what it would do, and what would
    /// be right.
    pub fn build(self) -> Result<Sound<L>, Unsound> {
        if let Err(mut unsound) = check(&self.parts) {
            let findings = &mut unsound.findings;
            findings.retain(|finding| !self.allowed.contains(&finding.rule));
            if !findings.is_empty() {
                return Err(unsound);
            }
        }
        let report = Report::new(self.parts);
        let layers = self.layers;
        Ok(Sound { layers, report })
    }
}

impl<L> Sound<L> {
    /// What a call through it can take, and cost.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Puts the layers around a service.
    pub fn service<S>(&self, service: S) -> L::Service
    where
        L: Layer<S>,
    {
        self.layers.layer(service)
    }
}

impl<S, L: Layer<S>> Layer<S> for Sound<L> {
    type Service = L::Service;

    fn layer(&self, inner: S) -> L::Service {
        self.layers.layer(inner)
    }
}

impl<L> fmt::Debug for Stack<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("parts", &self.parts)
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

impl<L> fmt::Debug for Sound<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sound")
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}
