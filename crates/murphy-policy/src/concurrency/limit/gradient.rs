//! The gradient of a short time over a long one.

use super::{Between, Limit, Round, bounded};

/// Netflix's `Gradient2`: the ratio of what replies took in the long run to what they take now.
///
/// With `long`, the exponential mean of 600 rounds (the plain mean of the first ten), and `short`,
/// the last one:
///
/// ```text
/// gradient = clamp(1.5 · long / short, 0.5, 1)
/// limit    = 0.8 · limit + 0.2 · (limit · gradient + 4)      between 20 and 200
/// ```
///
/// Where `long` is more than twice `short` it falls by 5 % a round. The limit stays as it is while
/// less than half of it is used. Failures that are no replies are not looked at (Netflix,
/// *concurrency-limits*, `Gradient2Limit`).
///
/// It tolerates replies that vary by half. It compares a peer with its own past: a peer that has
/// been saturated for as long as the mean remembers is its normal, and the limit creeps up towards
/// its maximum, by one for each five rounds or so. Set the maximum to what you can bear;
/// [`LeastRtt`](super::LeastRtt) does not creep.
#[derive(Clone, Debug)]
pub struct Gradient {
    limit: Between,
    long: Mean,
}

/// An exponential mean, plain at first.
#[derive(Clone, Debug, Default)]
struct Mean {
    count: u32,
    sum: f64,
    value: f64,
}

bounded!(Gradient);

impl Gradient {
    const TOLERANCE: f64 = 1.5;
    const QUEUE: f64 = 4.0;
    const SMOOTHING: f64 = 0.2;

    /// From 20, between 20 and 200.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limit: Between::DEFAULT,
            long: Mean::default(),
        }
    }
}

impl Default for Gradient {
    fn default() -> Self {
        Self::new()
    }
}

impl Mean {
    const WINDOW: f64 = 600.0;
    const WARMUP: u32 = 10;

    fn add(&mut self, sample: f64) -> f64 {
        if self.count < Self::WARMUP {
            self.count += 1;
            self.sum += sample;
            self.value = self.sum / f64::from(self.count);
        } else {
            let share = 2.0 / (Self::WINDOW + 1.0);
            self.value = self.value * (1.0 - share) + sample * share;
        }
        self.value
    }
}

impl Limit for Gradient {
    fn limit(&self) -> u32 {
        self.limit.whole()
    }

    fn update(&mut self, round: Round) {
        let Some(short) = round
            .rtt
            .map(|rtt| rtt.as_secs_f64())
            .filter(|rtt| *rtt > 0.0)
        else {
            return;
        };
        let long = self.long.add(short);
        if long / short > 2.0 {
            self.long.value *= 0.95;
        }
        if self.limit.is_idle(round.in_flight) {
            return;
        }
        let gradient = (Self::TOLERANCE * long / short).clamp(0.5, 1.0);
        let at = self.limit.at;
        let new = at * gradient + Self::QUEUE;
        self.limit = self
            .limit
            .set(at * (1.0 - Self::SMOOTHING) + new * Self::SMOOTHING);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(millis: &[u64], in_flight: u32) -> Gradient {
        let mut gradient = Gradient::new();
        for ms in millis {
            gradient.update(Round::new(Duration::from_millis(*ms), in_flight));
        }
        gradient
    }

    #[test]
    fn the_published_formula() {
        for (name, millis, want) in [
            ("the first", &[100][..], 20.8),
            ("as long as before", &[100, 100], 21.6),
            // long 200, 1.5 · 200 / 300 = 1
            ("half as long again is tolerated", &[100, 300], 21.6),
            // long 550, 1.5 · 550 / 1000 = 0.825: 0.8 · 20.8 + 0.2 · (20.8 · 0.825 + 4)
            ("ten times as long", &[100, 1000], 20.872),
            (
                "never below",
                &[100, 100_000, 100_000, 100_000, 900_000_000],
                20.0,
            ),
        ] {
            let at = after(millis, 100).limit.at;
            assert!(
                name == "never below" && at >= 20.0 || (at - want).abs() < 1e-9,
                "{name}: {at}"
            );
        }
    }

    #[test]
    fn a_tenfold_slowdown_halves_at_most() {
        let mut gradient = after(&[100; 100], 300);
        let before = gradient.limit.at;
        gradient.update(Round::new(Duration::from_secs(100), 300));
        let want = before * 0.8 + 0.2 * (before * 0.5 + 4.0);
        assert!((gradient.limit.at - want).abs() < 1e-9);
    }

    #[test]
    fn a_long_time_that_is_long_gone_decays() {
        // (100 + 10) / 2 = 55, which is more than twice 10.
        assert!((after(&[100, 10], 100).long.value - 0.055 * 0.95).abs() < 1e-12);
    }

    #[test]
    fn the_long_mean_is_plain_for_ten_and_then_slow() {
        let mut mean = Mean::default();
        for n in 0..10 {
            mean.add(f64::from(n));
        }
        assert!((mean.value - 4.5).abs() < 1e-12);
        assert!((mean.add(304.0_f64) - (4.5 * 599.0 + 304.0 * 2.0) / 601.0).abs() < 1e-9);
    }

    #[test]
    fn no_growth_while_less_than_half_is_used() {
        assert_eq!(after(&[100; 50], 9).limit.at, 20.0);
        assert!(after(&[100; 50], 10).limit.at > 20.0, "half is half");
    }

    #[test]
    fn it_ends_at_its_maximum() {
        assert_eq!(after(&[100; 1000], 999).limit(), 200);
    }

    #[test]
    fn a_round_without_a_reply_says_nothing() {
        let mut gradient = Gradient::new();
        gradient.update(Round {
            rtt: None,
            dropped: true,
            in_flight: 99,
        });
        assert_eq!(gradient.limit.at, 20.0);
    }
}
