//! [`TimeoutLayer`]: how long, and who says so.

use std::marker::PhantomData;
use std::time::Duration;

use tower_layer::Layer;

use super::{Adaptive, By, ByAttempt, Estimate, Fixed, Sealed, Timeout, Within};
use crate::surface::{Boxed, Typed};

/// Puts a [`Timeout`] around a service.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer<L = Fixed, M = Boxed> {
    limit: L,
    surface: PhantomData<M>,
}

impl TimeoutLayer {
    /// At most `timeout` for each call, from its first poll that pends.
    ///
    /// tokio's timers are whole milliseconds and round up. [`Duration::ZERO`] ends whatever is
    /// not ready at once; more than thirty years count as thirty.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        Self {
            limit: Fixed::new(timeout),
            surface: PhantomData,
        }
    }
}

impl<F: Fn(u32) -> Duration> TimeoutLayer<ByAttempt<F>> {
    /// At most `timeout(n)` for the n-th attempt of an operation, 1 for the first, and at most what
    /// is left of the caller's deadline.
    ///
    /// Reads [`Scope::attempt`](murphy_core::Scope::attempt), which a [`Retry`](crate::Retry) above
    /// sets.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_policy::TimeoutLayer;
    /// use std::time::Duration;
    ///
    /// // A second, two, three: who is slow and not gone gets more time.
    /// let layer = TimeoutLayer::by_attempt(|n| Duration::from_secs(1) * n);
    /// ```
    #[must_use]
    pub const fn by_attempt(timeout: F) -> Self {
        Self {
            limit: ByAttempt(timeout),
            surface: PhantomData,
        }
    }
}

impl<E: Estimate> TimeoutLayer<Adaptive<E>> {
    /// At most what `estimate` says when the call is made, a [`RoundTrip`](super::RoundTrip) or a
    /// [`Quantile`](super::Quantile), and at most what is left of the caller's deadline.
    ///
    /// All services that the layer makes, and clones of the estimate, learn together: one for each
    /// peer, or for each kind of request. A call that pends reads the clock once more for it.
    #[must_use]
    pub const fn adaptive(estimate: E) -> Self {
        Self {
            limit: Adaptive(estimate),
            surface: PhantomData,
        }
    }
}

impl<M> TimeoutLayer<Fixed, M> {
    /// At most what is left of the caller's deadline
    /// ([`Scope::deadline`](murphy_core::Scope::deadline)), too. Costs a task-local, and a timer for
    /// each call that pends.
    #[must_use]
    pub fn within_deadline(self) -> TimeoutLayer<Within, M> {
        self.limited(|own| Within(own.timeout()))
    }

    /// At most what the closure says of a request, `|request: &Req| -> Option<Duration>`; the
    /// layer's own where it says nothing. And at most what is left of the caller's deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_policy::TimeoutLayer;
    /// use std::time::Duration;
    ///
    /// let second = Duration::from_secs(1);
    /// let report = |path: &&str| path.starts_with("/report").then_some(Duration::from_secs(60));
    /// let layer = TimeoutLayer::new(second).by(report);
    /// ```
    #[must_use]
    pub fn by<F>(self, timeout: F) -> TimeoutLayer<By<F>, M> {
        self.limited(|own| By {
            own: own.timeout(),
            of: timeout,
        })
    }

    fn limited<L>(self, limit: impl FnOnce(Fixed) -> L) -> TimeoutLayer<L, M> {
        TimeoutLayer {
            limit: limit(self.limit),
            surface: PhantomData,
        }
    }
}

/// With the `http` feature.
#[cfg(feature = "http")]
impl<M> TimeoutLayer<Fixed, M> {
    /// At most what a request's [`RequestTimeout`](super::RequestTimeout) extension says; the
    /// layer's own where there is none. And at most what is left of the caller's deadline.
    #[must_use]
    pub fn by_extension(self) -> TimeoutLayer<super::ByWire, M> {
        self.limited(|own| super::ByWire {
            own: own.timeout(),
            header: None,
        })
    }

    /// As [`by_extension`](Self::by_extension), else what the header `name` says, in milliseconds,
    /// but not more than `cap`.
    ///
    /// Whoever sends the header may mean harm. It is one value of one to eight digits; one with a
    /// sign, a point, a blank, more digits or none, or a second value, is ignored, counted
    /// (`murphy_policy_timeout_bad_header_total`) and told (`timeout.bad_header`).
    #[must_use]
    pub fn by_header(
        self,
        name: http::HeaderName,
        cap: Duration,
    ) -> TimeoutLayer<super::ByWire, M> {
        self.limited(|own| super::ByWire {
            own: own.timeout(),
            header: Some((name, cap)),
        })
    }
}

impl<L: Sealed, M> TimeoutLayer<L, M> {
    /// The longest that a call may take, if that is known beforehand.
    pub(crate) fn most(&self) -> Option<Duration> {
        self.limit.most()
    }
}

impl<L> TimeoutLayer<L> {
    /// Errors are [`TimeoutError<S::Error>`](super::TimeoutError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `S::Error`.
    #[must_use]
    pub fn typed(self) -> TimeoutLayer<L, Typed> {
        TimeoutLayer {
            limit: self.limit,
            surface: PhantomData,
        }
    }
}

impl<S, L: Clone, M> Layer<S> for TimeoutLayer<L, M> {
    type Service = Timeout<S, L, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Timeout {
            inner,
            limit: self.limit.clone(),
            surface: PhantomData,
        }
    }
}
