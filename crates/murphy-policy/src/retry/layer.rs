//! [`RetryLayer`]: the knobs.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::Seed;
use tower_layer::Layer;

use super::decide::Obedience;
use super::hints::TooLong;
use super::policy::{Chance, Policy, seed_from_environment};
use super::{AnyError, Backoff, CloneReplay, Funded, Hints, Pace, Retry, Stamped};
use crate::stack::Part;
use crate::surface::{Boxed, Typed};
use crate::{BadKnob, Budget};

/// Puts a [`Retry`] around a service.
///
/// All services that one layer makes, and clones of the layer, share its budget.
///
/// # Examples
///
/// ```
/// use murphy_policy::{Backoff, Budget, RetryLayer};
/// use std::time::Duration;
///
/// let layer = RetryLayer::new()
///     .attempts(5)?
///     .pace(Backoff::full_jitter(Duration::from_millis(100), Duration::from_secs(5)))
///     .budget(Budget::try_new(0.1, 5)?)
///     .named("api->payments");
/// # Ok::<(), murphy_policy::BadKnob>(())
/// ```
pub struct RetryLayer<C = AnyError, R = CloneReplay, P = Backoff, M = Boxed> {
    classify: C,
    replay: R,
    pace: P,
    attempts: NonZeroU32,
    budget: Budget,
    /// Each request's own pays instead.
    funded: bool,
    obedience: Obedience,
    shortest_attempt: Duration,
    seed: Seed,
    site: Cow<'static, str>,
    chance: Chance,
    surface: PhantomData<M>,
}

impl RetryLayer {
    /// How many attempts a layer makes unless [`attempts`](Self::attempts) says otherwise.
    pub const DEFAULT_ATTEMPTS: u32 = 3;
    /// How long a peer's hint may make it wait unless [`longest_hint`](Self::longest_hint) says
    /// otherwise.
    pub const DEFAULT_LONGEST_HINT: Duration = Duration::from_secs(60);

    /// Three attempts at whatever fails with an error, clones of the request, full jitter from
    /// 50 ms to 20 s, [`Budget::default`], the seed in `MURPHY_SEED` or else a fresh one.
    ///
    /// A `MURPHY_SEED` that is no number is reported (`retry.bad_seed`), not obeyed.
    #[must_use]
    pub fn new() -> Self {
        let seed = seed_from_environment();
        let site = Cow::Borrowed("retry");
        Self {
            classify: AnyError,
            replay: CloneReplay,
            pace: Backoff::default(),
            attempts: NonZeroU32::MIN.saturating_add(Self::DEFAULT_ATTEMPTS - 1),
            budget: Budget::default(),
            funded: false,
            obedience: Obedience {
                hints: Hints::default(),
                longest: Self::DEFAULT_LONGEST_HINT,
                too_long: TooLong::Cut,
            },
            shortest_attempt: Duration::ZERO,
            seed,
            chance: Chance::shared(seed, &site),
            site,
            surface: PhantomData,
        }
    }
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<C, R, P, M> RetryLayer<C, R, P, M> {
    /// How many attempts there are, the first included: 1 never retries. One that provably never left is made again once, for
    /// free, and counts as none, so that a service that refuses connections may be called once more than that.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where there would be none: `attempts = 0: use 1 or more; 1 never retries`
    #[doc(alias = "max_retries")]
    pub fn attempts(mut self, attempts: u32) -> Result<Self, BadKnob> {
        self.attempts = NonZeroU32::new(attempts)
            .ok_or_else(|| BadKnob::new("attempts", attempts, "use 1 or more; 1 never retries"))?;
        Ok(self)
    }

    /// Judges outcomes: a [`Classify`](super::Classify), such as a closure.
    #[must_use]
    pub fn classify<T>(mut self, classify: T) -> RetryLayer<T, R, P, M> {
        self.funded = false;
        self.swap(|_, replay, pace| (classify, replay, pace))
    }

    /// Repeats requests, which are cloned unless this says otherwise (`Req: Clone` is asked for
    /// then; without it: `.replay(|r: &Req| r.try_clone())`): a [`Replay`](super::Replay), such as [`Once`](super::Once) or a closure.
    #[must_use]
    pub fn replay<T>(self, replay: T) -> RetryLayer<C, T, P, M> {
        self.swap(|classify, _, pace| (classify, replay, pace))
    }

    /// Spaces attempts out: a [`Pace`](super::Pace), such as a [`Backoff`] or a closure.
    #[must_use]
    #[doc(alias = "backoff")]
    pub fn pace<T>(self, pace: T) -> RetryLayer<C, R, T, M> {
        self.swap(|classify, replay, _| (classify, replay, pace))
    }

    /// Pays from this budget, which others may share.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Retries whatever it costs: [`Budget::unlimited`].
    #[must_use]
    pub fn no_budget(self) -> Self {
        self.budget(Budget::unlimited())
    }

    /// Each request's own budget pays, such as one a tenant ([`Budgets`](crate::Budgets)); the
    /// layer's pays for none. Goes after [`classify`](Self::classify), which takes the place of what
    /// judged before, and with it of what was said here.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_policy::{Budget, Budgets, RetryLayer};
    ///
    /// struct Order { tenant: u64 }
    /// let budgets = Budgets::new(10_000, Budget::default);
    /// let layer = RetryLayer::new().budget_by(move |order: &Order| budgets.of(order.tenant));
    /// ```
    #[must_use]
    pub fn budget_by<F>(mut self, whose: F) -> RetryLayer<Funded<C, F>, R, P, M> {
        self.funded = true;
        self.swap(|classify, replay, pace| (Funded { classify, whose }, replay, pace))
    }

    /// Writes on each request which attempt it is: a [`Stamp`](super::Stamp), such as a closure. Goes
    /// after [`replay`](Self::replay), which would undo it.
    #[must_use]
    pub fn stamping<T>(self, stamp: T) -> RetryLayer<C, Stamped<R, T>, P, M> {
        self.swap(|classify, replay, pace| (classify, Stamped { replay, stamp }, pace))
    }

    /// How much of a peer's hint ([`Verdict::RetryAfter`](super::Verdict::RetryAfter)) is obeyed;
    /// 60 s unless set. A longer hint is cut to this.
    #[must_use]
    pub fn longest_hint(mut self, longest: Duration) -> Self {
        self.obedience.longest = longest;
        self.obedience.too_long = TooLong::Cut;
        self
    }

    /// As [`longest_hint`](Self::longest_hint), but a longer one is the end of the call:
    /// [`RetryError::Deferred`](super::RetryError::Deferred).
    #[must_use]
    pub fn give_up_beyond(mut self, longest: Duration) -> Self {
        self.obedience.longest = longest;
        self.obedience.too_long = TooLong::GiveUp;
        self
    }

    /// How a peer's hint and the pace make a wait; [`Hints::Plus`] unless set.
    #[must_use]
    pub fn hints(mut self, hints: Hints) -> Self {
        self.obedience.hints = hints;
        self
    }

    /// What an attempt takes at least: one is not begun, nor waited for, with less than this left
    /// until the deadline. Zero unless set.
    #[must_use]
    pub fn shortest_attempt(mut self, least: Duration) -> Self {
        self.shortest_attempt = least;
        self
    }

    /// Draws jitter from this seed. Waits are a function of the seed, the layer's name, the
    /// caller's key ([`Scope::key`](murphy_core::Scope::key)) and the attempt; a call without a
    /// key counts as the n-th call of this layer that had to retry.
    ///
    /// Layers without a seed of their own share the process's ([`Seed::resolve`]), and do not
    /// wait in step: a call without a key then counts by its layer's place in the order in which
    /// they were made, too.
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = seed.into();
        self.chance = Chance::seeded(self.seed, &self.site);
        self
    }

    /// Names the layer in events and in its draws; `retry` unless set. Layers that were given one
    /// [`seed`](Self::seed) and one name draw the same jitter.
    #[must_use]
    pub fn named(mut self, site: impl Into<Cow<'static, str>>) -> Self {
        self.site = site.into();
        self.chance = self.chance.renamed(self.seed, &self.site);
        self
    }

    /// What a policy of tower's needs.
    #[cfg(feature = "tower")]
    pub(crate) fn without_replay(self) -> Policy<C, (), P> {
        Policy {
            classify: self.classify,
            replay: (),
            pace: self.pace,
            attempts: self.attempts,
            budget: self.budget,
            obedience: self.obedience,
            shortest_attempt: self.shortest_attempt,
            site: self.site,
            chance: self.chance,
        }
    }

    pub(crate) fn part(&self) -> Part
    where
        P: Pace,
    {
        let retries = 0..self.attempts.get() - 1;
        // Beyond so many nobody waits for a sum.
        let retries = retries.take(100_000);
        let add = |sum: Option<Duration>, n| {
            let wait = self.pace.longest_before(n)?;
            Some(sum?.saturating_add(wait))
        };
        Part::Retry {
            attempts: self.attempts.get(),
            waits: retries.fold(Some(Duration::ZERO), add),
            longest_hint: self.obedience.longest,
            budget: (!self.funded).then(|| self.budget.clone()),
        }
    }

    /// Errors are [`RetryError<S::Error>`](super::RetryError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `S::Error` but that it is `'static`.
    #[must_use]
    pub fn typed(self) -> RetryLayer<C, R, P, Typed> {
        self.swap(|classify, replay, pace| (classify, replay, pace))
    }

    fn swap<C2, R2, P2, M2>(
        self,
        hooks: impl FnOnce(C, R, P) -> (C2, R2, P2),
    ) -> RetryLayer<C2, R2, P2, M2> {
        let (classify, replay, pace) = hooks(self.classify, self.replay, self.pace);
        RetryLayer {
            classify,
            replay,
            pace,
            attempts: self.attempts,
            budget: self.budget,
            funded: self.funded,
            obedience: self.obedience,
            shortest_attempt: self.shortest_attempt,
            seed: self.seed,
            site: self.site,
            chance: self.chance,
            surface: PhantomData,
        }
    }
}

impl<S, C: Clone, R: Clone, P: Clone, M> Layer<S> for RetryLayer<C, R, P, M> {
    type Service = Retry<S, C, R, P, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Retry::new(
            inner,
            Arc::new(Policy {
                classify: self.classify.clone(),
                replay: self.replay.clone(),
                pace: self.pace.clone(),
                attempts: self.attempts,
                budget: self.budget.clone(),
                obedience: self.obedience,
                shortest_attempt: self.shortest_attempt,
                site: self.site.clone(),
                chance: self.chance.clone(),
            }),
        )
    }
}

impl<C: Clone, R: Clone, P: Clone, M> Clone for RetryLayer<C, R, P, M> {
    fn clone(&self) -> Self {
        Self {
            classify: self.classify.clone(),
            replay: self.replay.clone(),
            pace: self.pace.clone(),
            attempts: self.attempts,
            budget: self.budget.clone(),
            funded: self.funded,
            obedience: self.obedience,
            shortest_attempt: self.shortest_attempt,
            seed: self.seed,
            site: self.site.clone(),
            chance: self.chance.clone(),
            surface: PhantomData,
        }
    }
}

impl<C, R, P, M> fmt::Debug for RetryLayer<C, R, P, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryLayer")
            .field("site", &self.site)
            .field("attempts", &self.attempts)
            .field("budget", &self.budget)
            .field("obedience", &self.obedience)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
