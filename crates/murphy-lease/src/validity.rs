//! [`Validity`]: for how long a holder may believe what it was granted.

use std::time::Duration;

use murphy_core::BadKnob;
use murphy_core::clock::Drift;
use tokio::time::Instant;

use crate::Ttl;

const BILLION: u64 = 1_000_000_000;

/// How a holder counts: from before its request left, less what the two clocks may have drifted apart, less a margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    /// Parts per billion, at most a billion.
    drift: u64,
    margin: Duration,
}

impl Validity {
    /// Longer than anything that a store grants: a day, and what it may have had to round up.
    pub(crate) const LONGEST: Duration = Duration::from_secs(2 * 24 * 60 * 60);

    pub(crate) fn drift(mut self, drift: Drift) -> Self {
        // Whichever of the two is the slow one.
        let ppb = (drift.as_ppm().abs() * 1000.0).round() as u64;
        self.drift = ppb.min(BILLION);
        self
    }

    pub(crate) const fn margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// How much of a lease of this length its holder may use.
    pub(crate) fn window(self, granted: Duration) -> Duration {
        let (granted, kept) = (granted.min(Self::LONGEST), BILLION - self.drift);
        // Of each second so many nanoseconds, and the same share of the rest: as one product it needs more than 64 bits.
        let rest = u64::from(granted.subsec_nanos()) * kept / BILLION;
        Duration::from_nanos(granted.as_secs() * kept + rest).saturating_sub(self.margin)
    }

    /// Until when it may use one that it asked for at `sent`: not at that instant any more.
    pub(crate) fn until(self, sent: Instant, granted: Duration) -> Instant {
        sent.checked_add(self.window(granted)).unwrap_or(sent)
    }

    /// That something is left of a lease of this length.
    pub(crate) fn check(self, ttl: Ttl) -> Result<(), BadKnob> {
        if !self.window(ttl.get()).is_zero() {
            return Ok(());
        }
        let remedy = format!(
            "less {} ppm of drift and {:?} of margin nothing is left of it; use a longer ttl",
            self.drift / 1000,
            self.margin
        );
        Err(BadKnob::new("ttl", ttl, remedy))
    }

    /// Whether a store can have meant it.
    pub(crate) fn is_sane(granted: Duration) -> bool {
        !granted.is_zero() && granted <= Self::LONGEST
    }
}

/// A drift of 1 % and a margin of 2 ms, as Redlock's clients have it.
impl Default for Validity {
    fn default() -> Self {
        let (drift, margin) = (10_000_000, Duration::from_millis(2));
        Self { drift, margin }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_hundredth_and_two_milliseconds_are_not_used() {
        let validity = Validity::default();
        for (granted, window) in [(0, 0), (2, 0), (1000, 988), (10_000, 9898)] {
            assert_eq!(validity.window(ms(granted)), ms(window), "{granted}");
        }
        let slow = Drift::ppm(-500_000.0).unwrap();
        assert_eq!(validity.drift(slow).window(ms(1000)), ms(498));
        let wild = Drift::ppm(2_000_000.0).unwrap();
        assert_eq!(validity.drift(wild).window(ms(1000)), ms(0));
    }

    #[test]
    fn a_lease_of_which_nothing_is_left_is_refused() {
        let validity = Validity::default();
        let said = validity.check(Ttl::MIN).unwrap_err().to_string();
        assert_eq!(
            said,
            "`ttl = 1ms`: less 10000 ppm of drift and 2ms of margin nothing is left of it; use a longer ttl"
        );
        assert!(validity.check(Ttl::from_millis(3)).is_ok());
    }

    proptest! {
        #[test]
        fn no_lease_is_used_longer_than_it_runs(
            granted: Duration, margin: Duration, ppm in -999_999.0..9e8f64,
        ) {
            let validity = Validity::default().margin(margin).drift(Drift::ppm(ppm).unwrap());
            let window = validity.margin(Duration::ZERO).window(granted);
            let (kept, granted) = (BILLION - validity.drift, granted.min(Validity::LONGEST));
            let product = granted.as_nanos() * u128::from(kept) / u128::from(BILLION);
            prop_assert_eq!(window.as_nanos(), product);
            prop_assert!(validity.window(granted) <= granted);
            let now = Instant::now();
            prop_assert!(validity.until(now, granted) - now <= granted);
        }
    }
}
