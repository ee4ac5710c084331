//! [`Delay`]: how long one request has before the next is sent.

use std::time::Duration;

use crate::timeout::{Estimate, Quantile};

/// Says when to stop waiting for one answer alone.
///
/// A [`Duration`] is one, the same for all requests; so is a closure `Fn(&Req) -> Option<Duration>`,
/// which computes it (`None`: this one is not hedged), and a
/// [`Quantile`](crate::timeout::Quantile) of the latencies that were seen.
pub trait Delay<Req> {
    /// How long to wait before the next request is sent, after the one before.
    fn delay(&self, request: &Req) -> Option<Duration>;

    /// Whether it wants to know how long requests take. Two clock reads a call.
    fn learns(&self) -> bool {
        false
    }

    /// A request was answered with a success after so long.
    fn answered(&self, after: Duration) {
        _ = after;
    }

    /// A request was given up after so long, because another was answered first, or the caller
    /// left: it would have taken at least that.
    fn censored(&self, after: Duration) {
        _ = after;
    }
}

impl<Req> Delay<Req> for Duration {
    #[inline]
    fn delay(&self, _: &Req) -> Option<Duration> {
        Some(*self)
    }
}

impl<F: Fn(&Req) -> Option<Duration>, Req> Delay<Req> for F {
    #[inline]
    fn delay(&self, request: &Req) -> Option<Duration> {
        self(request)
    }
}

/// After the time within which the fraction `q` of requests is answered, by its own factor: give it a
/// [`factor`](Quantile::factor) of 1. Until it has seen enough, after its ceiling.
///
/// Losers count with the time after which they were given up, so that it does not drift down with
/// the luck of the winners.
///
/// # Examples
///
/// ```
/// use murphy_policy::{HedgeLayer, hedge::Idempotent, timeout::Quantile};
/// use std::time::Duration;
///
/// let (floor, ceiling) = (Duration::from_millis(1), Duration::from_secs(1));
/// let p95 = Quantile::try_new(0.95, floor, ceiling)?.factor(1.0)?;
/// let layer = HedgeLayer::new(p95, Idempotent);
/// # Ok::<(), murphy_policy::BadKnob>(())
/// ```
impl<Req> Delay<Req> for Quantile {
    fn delay(&self, _: &Req) -> Option<Duration> {
        Some(self.timeout())
    }

    fn learns(&self) -> bool {
        true
    }

    fn answered(&self, after: Duration) {
        Estimate::answered(self, after);
    }

    fn censored(&self, after: Duration) {
        self.elapsed(after);
    }
}
