//! [`ThrottleLayer`]: the knobs.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Lane, Seed};
use tower_layer::Layer;

use super::Throttle;
use super::chance::Source;
use super::core::Core;
use crate::surface::{Boxed, Typed};
use crate::{AnyError, BadKnob};

/// Puts a [`Throttle`] around a service.
///
/// All services that one layer makes, and clones of the layer, share its window. A setter begins a
/// new one.
///
/// # Examples
///
/// ```
/// use murphy_policy::ThrottleLayer;
/// use std::time::Duration;
///
/// let layer = ThrottleLayer::new()
///     .k(1.5)?
///     .over(Duration::from_secs(60))?
///     .named("api->payments");
/// # Ok::<(), murphy_policy::BadKnob>(())
/// ```
pub struct ThrottleLayer<C = AnyError, M = Boxed> {
    classify: C,
    knobs: Knobs,
    core: Arc<Core>,
    surface: PhantomData<M>,
}

#[derive(Clone)]
struct Knobs {
    k: f64,
    span: Duration,
    floor: u32,
    source: Source,
    site: Arc<str>,
}

impl ThrottleLayer {
    /// How many calls are sent for each that is accepted, unless [`k`](Self::k) says otherwise.
    pub const DEFAULT_K: f64 = 2.0;
    /// How far the window reaches back unless [`over`](Self::over) says otherwise.
    pub const DEFAULT_SPAN: Duration = Duration::from_secs(120);
    /// How many calls the window holds before one is rejected, unless [`floor`](Self::floor) says
    /// otherwise.
    pub const DEFAULT_FLOOR: u32 = 10;

    /// K = 2 over two minutes, as in the book, and no rejection below ten calls; the seed in
    /// `MURPHY_SEED` or else a fresh one.
    #[must_use]
    pub fn new() -> Self {
        let knobs = Knobs {
            k: Self::DEFAULT_K,
            span: Self::DEFAULT_SPAN,
            floor: Self::DEFAULT_FLOOR,
            source: Source::shared(),
            site: "throttle".into(),
        };
        Self {
            classify: AnyError,
            core: knobs.core(),
            knobs,
            surface: PhantomData,
        }
    }
}

impl Default for ThrottleLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Knobs {
    fn core(&self) -> Arc<Core> {
        let chance = self.source.chance(&self.site, "throttle", Lane::Fires);
        let site = Arc::clone(&self.site);
        Arc::new(Core::new(self.k, self.span, self.floor, chance, site))
    }
}

impl<C, M> ThrottleLayer<C, M> {
    fn set(mut self, f: impl FnOnce(&mut Knobs)) -> Self {
        f(&mut self.knobs);
        self.core = self.knobs.core();
        self
    }

    /// Sends at most about `k` calls for each that the peer accepts: 1.0 to 100.0.
    ///
    /// Near 1.0 wastes little of the peer's time on rejections and is slow to see that it accepts
    /// more again; 2.0 lets it reject one for each that it accepts.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where it is neither: `throttle.k = 0.5: use 1.0 to 100.0; ..`
    pub fn k(self, k: f64) -> Result<Self, BadKnob> {
        if !(1.0..=100.0).contains(&k) {
            let remedy = "use 1.0 to 100.0; below 1.0 a healthy peer would be throttled";
            return Err(BadKnob::new("throttle.k", k, remedy));
        }
        Ok(self.set(|knobs| knobs.k = k))
    }

    /// Counts over the last `span`, to a sixteenth of it: 16 ms to a day, 2 min unless set. A
    /// window shorter than what a reply takes sees requests without their accepts, and rejects.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where it is shorter or longer.
    pub fn over(self, span: Duration) -> Result<Self, BadKnob> {
        if !(Duration::from_millis(16)..=Duration::from_secs(86_400)).contains(&span) {
            let value = format!("{span:?}");
            return Err(BadKnob::new("throttle.over", value, "use 16 ms to a day"));
        }
        Ok(self.set(|knobs| knobs.span = span))
    }

    /// Rejects nothing while the window holds fewer calls; 10 unless set.
    #[must_use]
    pub fn floor(self, calls: u32) -> Self {
        self.set(|knobs| knobs.floor = calls)
    }

    /// Judges outcomes: a [`Classify`](crate::Classify), such as a closure. What succeeded or is
    /// terminal was accepted by the peer; what is worth a retry, or forbids one, was not; what a policy
    /// beneath refused ([`Kind::Withheld`](crate::Kind::Withheld)), or what ended here
    /// ([`Kind::Ended`](crate::Kind::Ended)), counts as if it had not been requested. It is asked about attempt 1 of 1.
    ///
    /// To count only what the peer says it has no room for, call other failures terminal here.
    #[must_use]
    pub fn classify<T>(self, classify: T) -> ThrottleLayer<T, M> {
        ThrottleLayer {
            classify,
            knobs: self.knobs,
            core: self.core,
            surface: PhantomData,
        }
    }

    /// Draws from this seed. Whether a call is rejected is a function of the counts, the seed, the
    /// throttle's name, and the caller's key and attempt ([`Scope`](murphy_core::Scope)); a call
    /// without a key counts as the n-th of this layer.
    #[must_use]
    pub fn seed(self, seed: impl Into<Seed>) -> Self {
        let source = Source::seeded(seed.into());
        self.set(|knobs| knobs.source = source)
    }

    /// Names the throttle in errors, events and draws; `throttle` unless set.
    #[must_use]
    pub fn named(self, site: impl Into<Arc<str>>) -> Self {
        self.set(|knobs| knobs.site = site.into())
    }

    /// Errors are [`ThrottleError<S::Error>`](super::ThrottleError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `S::Error` but that it is `'static`.
    #[must_use]
    pub fn typed(self) -> ThrottleLayer<C, Typed> {
        ThrottleLayer {
            classify: self.classify,
            knobs: self.knobs,
            core: self.core,
            surface: PhantomData,
        }
    }
}

impl<S, C: Clone, M> Layer<S> for ThrottleLayer<C, M> {
    type Service = Throttle<S, C, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Throttle::new(inner, self.classify.clone(), Arc::clone(&self.core))
    }
}

impl<C: Clone, M> Clone for ThrottleLayer<C, M> {
    fn clone(&self) -> Self {
        Self {
            classify: self.classify.clone(),
            knobs: self.knobs.clone(),
            core: Arc::clone(&self.core),
            surface: PhantomData,
        }
    }
}

impl<C, M> fmt::Debug for ThrottleLayer<C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrottleLayer")
            .field("site", &self.knobs.site)
            .field("k", &self.knobs.k)
            .field("over", &self.knobs.span)
            .field("floor", &self.knobs.floor)
            .finish_non_exhaustive()
    }
}
