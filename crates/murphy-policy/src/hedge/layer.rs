//! [`HedgeLayer`]: the knobs.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::{Delay, Hedge, Repeatable, event};
use crate::stack::Part;
use crate::{AnyError, BadKnob, Begun, Budget, CloneReplay, Spent};

/// Puts a [`Hedge`] around a service.
///
/// All services that one layer makes, and clones of the layer, share its budget.
///
/// # Examples
///
/// ```
/// use murphy_policy::{Budget, HedgeLayer, RetryLayer, hedge::Idempotent};
/// use std::time::Duration;
///
/// let budget = Budget::try_new(0.05, 10)?;
/// let retry = RetryLayer::new().budget(budget.clone());
/// let hedge = HedgeLayer::new(Duration::from_millis(50), Idempotent)
///     .attempts(3)?
///     .sharing(budget);
/// # Ok::<(), murphy_policy::BadKnob>(())
/// ```
#[derive(Clone)]
pub struct HedgeLayer<D, G, C = AnyError, R = CloneReplay>(Policy<D, G, C, R>);

/// The hooks and knobs of a hedge.
#[derive(Clone)]
pub(super) struct Policy<D, G, C, R> {
    delay: D,
    guard: G,
    pub(super) classify: C,
    pub(super) replay: R,
    pub(super) attempts: u32,
    pub(super) budget: Budget,
    pays_in: bool,
    pub(super) site: Cow<'static, str>,
}

impl<D, G> HedgeLayer<D, G> {
    /// How many requests a call makes at most unless [`attempts`](Self::attempts) says otherwise.
    pub const DEFAULT_ATTEMPTS: u32 = 2;
    /// The most that it can be told to make: gRPC's bound.
    pub const MOST_ATTEMPTS: u32 = 5;

    /// One more request after `delay`, of those that `guard` lets be sent twice. Clones of the
    /// request, [`Budget::default`], any `Ok` is a success and any `Err` may work if repeated.
    #[must_use]
    pub fn new(delay: D, guard: G) -> Self {
        Self(Policy {
            delay,
            guard,
            classify: AnyError,
            replay: CloneReplay,
            attempts: Self::DEFAULT_ATTEMPTS,
            budget: Budget::default(),
            pays_in: true,
            site: Cow::Borrowed("hedge"),
        })
    }
}

impl<D, G, C, R> HedgeLayer<D, G, C, R> {
    /// How many requests a call makes at most, the first included: 1 (never hedges) to 5.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names the number.
    pub fn attempts(mut self, attempts: u32) -> Result<Self, BadKnob> {
        if !(1..=HedgeLayer::<D, G>::MOST_ATTEMPTS).contains(&attempts) {
            let remedy = "use 2 to 5, or 1 to switch it off";
            return Err(BadKnob::new("hedge.attempts", attempts, remedy));
        }
        self.0.attempts = attempts;
        Ok(self)
    }

    /// Judges outcomes: a [`Classify`](crate::Classify). A success wins, a terminal verdict ends the
    /// call, a forbidding one lets those that are under way go on and sends no more; any other sends the
    /// next request: at once, or when the peer said (60 s at most); never, where that is past the
    /// caller's deadline. Of what was refused here ([`Kind::Withheld`](crate::Kind::Withheld)), see the
    /// [module](super).
    #[must_use]
    pub fn classify<T>(self, classify: T) -> HedgeLayer<D, G, T, R> {
        self.swap(|_, replay| (classify, replay))
    }

    /// Repeats requests: a [`Replay`](crate::Replay).
    #[must_use]
    pub fn replay<T>(self, replay: T) -> HedgeLayer<D, G, C, T> {
        self.swap(|classify, _| (classify, replay))
    }

    /// Pays from this budget, into which each call pays.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.0.budget = budget;
        self.0.pays_in = true;
        self
    }

    /// Pays from the budget of a retry beneath, into which calls pay there and not here as well.
    /// What comes of each request is told to it there, too.
    #[must_use]
    pub fn sharing(mut self, budget: Budget) -> Self {
        self.0.budget = budget;
        self.0.pays_in = false;
        self
    }

    /// Names the layer in events; `hedge` unless set.
    #[must_use]
    pub fn named(mut self, site: impl Into<Cow<'static, str>>) -> Self {
        self.0.site = site.into();
        self
    }

    pub(crate) fn part(&self) -> Part {
        Part::Hedge {
            attempts: self.0.attempts,
            budget: self.0.budget.clone(),
            pays_in: self.0.pays_in,
        }
    }

    fn swap<C2, R2>(self, hooks: impl FnOnce(C, R) -> (C2, R2)) -> HedgeLayer<D, G, C2, R2> {
        let (classify, replay) = hooks(self.0.classify, self.0.replay);
        HedgeLayer(Policy {
            delay: self.0.delay,
            guard: self.0.guard,
            classify,
            replay,
            attempts: self.0.attempts,
            budget: self.0.budget,
            pays_in: self.0.pays_in,
            site: self.0.site,
        })
    }
}

impl<D, G, C, R> Policy<D, G, C, R> {
    /// The delay of a request that may be hedged.
    #[inline]
    pub(super) fn delay<Req>(&self, request: &Req) -> Option<Duration>
    where
        D: Delay<Req>,
        G: Repeatable<Req>,
    {
        if self.attempts == 1 {
            return None;
        }
        if !self.guard.may_repeat(request) {
            event::not_repeatable(&self.site);
            return None;
        }
        self.delay.delay(request)
    }

    #[inline]
    pub(super) fn begin(&self) -> Begun {
        match self.pays_in {
            true => self.budget.begin(),
            // With a shared budget, the retry beneath tells it all.
            false => Begun::NOBODY,
        }
    }

    /// A request failed in a way that is worth another.
    pub(super) fn failed(&self) {
        if self.pays_in {
            self.budget.failed();
        }
    }

    /// A request that was not the first succeeded first.
    pub(super) fn won(&self, spent: Spent) {
        if self.pays_in {
            spent.succeeded();
        } else {
            spent.succeeded_beneath();
        }
    }

    pub(super) const fn clock(&self) -> &D {
        &self.delay
    }
}

impl<S, D, G, C, R> Layer<S> for HedgeLayer<D, G, C, R>
where
    D: Clone,
    G: Clone,
    C: Clone,
    R: Clone,
{
    type Service = Hedge<S, D, G, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        Hedge {
            inner,
            policy: Arc::new(self.0.clone()),
        }
    }
}

impl<D, G, C, R> fmt::Debug for HedgeLayer<D, G, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeLayer")
            .field("site", &self.0.site)
            .field("attempts", &self.0.attempts)
            .field("budget", &self.0.budget)
            .finish_non_exhaustive()
    }
}
