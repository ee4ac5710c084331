//! [`Pace`]: when to renew, and how long to wait after a failure.

use std::time::Duration;

use murphy_core::{Key, Lane, Point, Seed, Stream};

use crate::Nonce;

/// tokio's timers are whole milliseconds: a shorter wait is none.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Waits with jitter, drawn for one nonce: the same again under the same seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    renew: Stream,
    retry: Stream,
    key: Key,
}

impl Pace {
    /// For no nonce yet.
    pub(crate) fn new(seed: Seed, site: &str) -> Self {
        let stream = |of| Stream::new(seed, site, of, Lane::Jitter);
        let (renew, retry) = (stream("lease.renew"), stream("lease.retry"));
        let key = Key::new(0);
        Self { renew, retry, key }
    }

    pub(crate) fn of(self, nonce: Nonce) -> Self {
        let key = nonce.key();
        Self { key, ..self }
    }

    /// A third of it, and up to a tenth of that more or less, for the `n`-th renewal.
    pub(crate) fn third(self, granted: Duration, n: u64) -> Duration {
        let draw = self.renew.at(Point::keyed(self.key, n));
        (granted / 3).mul_f64(0.9 + 0.2 * draw.unit())
    }

    /// Up to `base`, twice that, four times that .. at most `cap`, after `streak` failures in a row (one at least) and `n`
    /// waits in all: full jitter, and never less than a tick.
    pub(crate) fn wait(self, base: Duration, cap: Duration, streak: u32, n: u64) -> Duration {
        let doubled = 1u32.checked_shl(streak.saturating_sub(1));
        let window = base.saturating_mul(doubled.unwrap_or(u32::MAX)).min(cap);
        let draw = self.retry.at(Point::keyed(self.key, n));
        window.mul_f64(draw.unit()).max(TICK)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pace(nonce: u128) -> Pace {
        Pace::new(Seed::new(7), "test").of(Nonce::from_bits(nonce))
    }

    #[test]
    fn a_wait_is_drawn_again_as_it_was_and_differs_from_nonce_to_nonce() {
        let drawn = |nonce| {
            let second = Duration::from_secs(1);
            [1, 2].map(|n| {
                (
                    pace(nonce).third(second, n),
                    pace(nonce).wait(second, second, 1, n),
                )
            })
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    proptest! {
        #[test]
        fn jitter_keeps_its_bounds(nonce: u128, n: u64, streak: u32, secs in 0u64..172_800) {
            let granted = Duration::from_secs(secs);
            let third = pace(nonce).third(granted, n);
            prop_assert!(third >= (granted / 3).mul_f64(0.9) && third <= (granted / 3).mul_f64(1.1));
            let wait = pace(nonce).wait(granted / 60, granted / 12, streak, n);
            prop_assert!(wait >= TICK && wait <= (granted / 12).max(TICK));
        }
    }
}
