//! [`BreakerLayer`]: the knobs.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::Seed;
use tower_layer::Layer;

use super::core::Core;
use super::knobs::Knobs;
use super::rules::{Rules, Share, Trials, Window, some};
use super::{Breaker, BreakerHandle};
use crate::surface::{Boxed, Typed};
use crate::throttle::chance::Source;
use crate::{AnyError, Backoff, BadKnob, Pace};

/// Puts a [`Breaker`] around a service.
///
/// All services that one layer makes, and clones of the layer, share one breaker. A setter makes a
/// new one: take the [`handle`](Self::handle) last.
///
/// # Examples
///
/// ```
/// use murphy_policy::BreakerLayer;
/// use std::time::Duration;
///
/// let layer = BreakerLayer::new()
///     .failure_rate(0.5)?
///     .over(Duration::from_secs(10))?
///     .slow_calls(Duration::from_secs(2), 0.8)?
///     .probation(3, 1)?
///     .named("api->payments");
/// # Ok::<(), murphy_policy::BadKnob>(())
/// ```
pub struct BreakerLayer<C = AnyError, M = Boxed> {
    classify: C,
    knobs: Knobs,
    core: Arc<Core>,
    surface: PhantomData<M>,
}

impl BreakerLayer {
    /// How many failures in a row open a breaker unless [`consecutive`](Self::consecutive) says
    /// otherwise.
    pub const DEFAULT_CONSECUTIVE: u32 = 5;
    /// How many calls a share is judged over unless [`over_calls`](Self::over_calls) or
    /// [`over`](Self::over) says otherwise.
    pub const DEFAULT_CALLS: u32 = 100;
    /// How many calls must be known before a share is judged, unless
    /// [`at_least`](Self::at_least) says otherwise.
    pub const DEFAULT_LEAST: u32 = 20;
    /// How long the first opening lasts unless [`open_for`](Self::open_for) says otherwise.
    pub const DEFAULT_OPEN: Duration = Duration::from_secs(5);
    /// What openings grow to unless [`open_pace`](Self::open_pace) says otherwise.
    pub const DEFAULT_LONGEST: Duration = Duration::from_secs(60);
    /// By how much openings are lengthened at most unless [`jitter`](Self::jitter) says otherwise.
    pub const DEFAULT_JITTER: f64 = 0.1;
    /// How long trials have to come back unless [`patience`](Self::patience) says otherwise.
    pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(60);

    /// Opens at five failures in a row, for 5 s, and twice as long each time that the trial fails,
    /// up to 60 s, and up to a tenth of that on top; one trial call decides. No share of failures
    /// or slow calls is judged, and no clock is read while it is closed.
    #[must_use]
    pub fn new() -> Self {
        let knobs = Knobs {
            rules: Rules {
                consecutive: Some(Self::DEFAULT_CONSECUTIVE),
                failures: None,
                slow: None,
                window: Window::Calls(Self::DEFAULT_CALLS),
                least: Self::DEFAULT_LEAST,
            },
            trials: Trials {
                total: 1,
                at_once: 1,
                tolerated: 0,
                patience: Self::DEFAULT_PATIENCE,
            },
            pace: Arc::new(Backoff::exponential(
                Self::DEFAULT_OPEN,
                Self::DEFAULT_LONGEST,
            )),
            jitter: Self::DEFAULT_JITTER,
            source: Source::shared(),
            site: "breaker".into(),
        };
        Self {
            classify: AnyError,
            core: knobs.core(),
            knobs,
            surface: PhantomData,
        }
    }
}

impl Default for BreakerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<C, M> BreakerLayer<C, M> {
    fn set(mut self, f: impl FnOnce(&mut Knobs)) -> Self {
        f(&mut self.knobs);
        self.core = self.knobs.core();
        self
    }

    /// Opens at that many failures in a row: 1 to a million.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where it would be none.
    pub fn consecutive(self, failures: u32) -> Result<Self, BadKnob> {
        let failures = some("breaker.consecutive", failures, MOST_CALLS)?;
        Ok(self.set(|knobs| knobs.rules.consecutive = Some(failures)))
    }

    /// Does not count failures in a row. With no share judged either, it opens only by
    /// [`force_open`](BreakerHandle::force_open).
    #[must_use]
    pub fn no_consecutive(self) -> Self {
        self.set(|knobs| knobs.rules.consecutive = None)
    }

    /// Opens when this share of the calls in the window failed, or more: up to 1.0, not 0.
    ///
    /// # Errors
    ///
    /// [`BadKnob`]: `breaker.failure_rate = 50: use 0.000001 to 1.0; did you mean 0.5 (50%)?`
    pub fn failure_rate(self, share: f64) -> Result<Self, BadKnob> {
        let share = Share::try_new("breaker.failure_rate", share)?;
        Ok(self.set(|knobs| knobs.rules.failures = Some(share)))
    }

    /// Opens when this share of the calls in the window took longer than `after`, or more; a trial
    /// that does fails. Calls are then timed, from `call` to the reply: two looks at the clock.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where the share is not above 0 and at most 1.0.
    pub fn slow_calls(self, after: Duration, share: f64) -> Result<Self, BadKnob> {
        let share = Share::try_new("breaker.slow_calls", share)?;
        Ok(self.set(|knobs| knobs.rules.slow = Some((after, share))))
    }

    /// Judges shares over the last `calls`: 1 to a million, two bits each; 100 unless set.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where it would be none, or more than a million.
    pub fn over_calls(self, calls: u32) -> Result<Self, BadKnob> {
        let calls = some("breaker.over_calls", calls, MOST_CALLS)?;
        Ok(self.set(|knobs| knobs.rules.window = Window::Calls(calls)))
    }

    /// Judges shares over the calls that came back in the last `span`, to a sixteenth of it, from
    /// 16 ms to a day. The clock is then read once a call.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where it is shorter or longer.
    pub fn over(self, span: Duration) -> Result<Self, BadKnob> {
        if !(Duration::from_millis(16)..=Duration::from_secs(86_400)).contains(&span) {
            let value = format!("{span:?}");
            return Err(BadKnob::new("breaker.over", value, "use 16 ms to a day"));
        }
        Ok(self.set(|knobs| knobs.rules.window = Window::Time(span)))
    }

    /// Judges no share before the window holds that many calls; 20 unless set, and never more than
    /// [`over_calls`](Self::over_calls). 0 is 1.
    #[must_use]
    #[doc(alias = "minimum_throughput")]
    pub fn at_least(self, calls: u32) -> Self {
        self.set(|knobs| knobs.rules.least = calls)
    }

    /// Stays open that long each time.
    #[must_use]
    #[doc(alias = "reset_timeout")]
    pub fn open_for(self, wait: Duration) -> Self {
        self.open_pace(Backoff::exponential(wait, wait))
    }

    /// Stays open for what the pace says: its `n` is 0 when a closed breaker opens, and one more
    /// each time that its trials fail.
    #[must_use]
    #[doc(alias = "backoff")]
    pub fn open_pace(self, pace: impl Pace + Send + Sync + 'static) -> Self {
        self.set(|knobs| knobs.pace = Arc::new(pace))
    }

    /// Stays open for up to this share longer, so that many callers do not return together: 0.0 to
    /// 1.0. The n-th opening's draw is a function of the seed, the breaker's name and n.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where it is neither.
    pub fn jitter(self, share: f64) -> Result<Self, BadKnob> {
        if !(0.0..=1.0).contains(&share) {
            return Err(BadKnob::new("breaker.jitter", share, "use 0.0 to 1.0"));
        }
        Ok(self.set(|knobs| knobs.jitter = share))
    }

    /// Closes when `trials` calls came back well, `at_once` of them under way together at most.
    /// One of each unless set.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] where either is none, or more than a million.
    #[doc(alias = "half_open")]
    pub fn probation(self, trials: u32, at_once: u32) -> Result<Self, BadKnob> {
        let trials = some("breaker.probation.trials", trials, MOST_CALLS)?;
        let at_once = some("breaker.probation.at_once", at_once, MOST_CALLS)?;
        Ok(self.set(|knobs| (knobs.trials.total, knobs.trials.at_once) = (trials, at_once)))
    }

    /// Closes also if that many trials failed; none unless set. One more opens it again at once.
    #[must_use]
    pub fn tolerate(self, failures: u32) -> Self {
        self.set(|knobs| knobs.trials.tolerated = failures)
    }

    /// How long trials have to come back, from the first on; 60 s unless set. Seen when a call
    /// comes after that, while some are out: it finds the breaker open again, and trials that return
    /// later count for nothing.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        self.set(|knobs| knobs.trials.patience = patience)
    }

    /// Judges outcomes: a [`Classify`](crate::Classify), such as a closure. What succeeded or is
    /// terminal was answered by the peer and counts as success, all else as a failure; what a policy
    /// beneath refused ([`Kind::Withheld`](crate::Kind::Withheld)), or what ended here
    /// ([`Kind::Ended`](crate::Kind::Ended)), counts as neither, as a call that was dropped. It is asked about attempt 1 of 1.
    #[must_use]
    pub fn classify<T>(self, classify: T) -> BreakerLayer<T, M> {
        BreakerLayer {
            classify,
            knobs: self.knobs,
            core: self.core,
            surface: PhantomData,
        }
    }

    /// Draws jitter from this seed; `MURPHY_SEED` or a fresh one unless set.
    #[must_use]
    pub fn seed(self, seed: impl Into<Seed>) -> Self {
        let source = Source::seeded(seed.into());
        self.set(|knobs| knobs.source = source)
    }

    /// Names the breaker in errors, events and draws; `breaker` unless set.
    #[must_use]
    pub fn named(self, site: impl Into<Arc<str>>) -> Self {
        self.set(|knobs| knobs.site = site.into())
    }

    /// Errors are [`BreakerError<S::Error>`](super::BreakerError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `S::Error` but that it is `'static`.
    #[must_use]
    pub fn typed(self) -> BreakerLayer<C, Typed> {
        BreakerLayer {
            classify: self.classify,
            knobs: self.knobs,
            core: self.core,
            surface: PhantomData,
        }
    }

    /// A hand on the breaker of this layer as it is now: setters make another.
    #[must_use]
    pub fn handle(&self) -> BreakerHandle {
        BreakerHandle::new(Arc::clone(&self.core))
    }
}

const MOST_CALLS: u32 = 1_000_000;

impl<S, C: Clone, M> Layer<S> for BreakerLayer<C, M> {
    type Service = Breaker<S, C, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Breaker::new(inner, self.classify.clone(), Arc::clone(&self.core))
    }
}

impl<C: Clone, M> Clone for BreakerLayer<C, M> {
    fn clone(&self) -> Self {
        Self {
            classify: self.classify.clone(),
            knobs: self.knobs.clone(),
            core: Arc::clone(&self.core),
            surface: PhantomData,
        }
    }
}

impl<C, M> fmt::Debug for BreakerLayer<C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerLayer")
            .field("site", &self.knobs.site)
            .field("rules", &self.knobs.rules)
            .field("trials", &self.knobs.trials)
            .finish_non_exhaustive()
    }
}
