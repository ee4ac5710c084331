//! One more for each round that went well, a tenth less for each that did not.

use std::time::Duration;

use super::{Between, Limit, Round, bounded};

/// Additive increase, multiplicative decrease, as in TCP (Chiu and Jain, 1989).
///
/// One more for each round, a tenth less after a round in which a call failed or the mean reply
/// took longer than [`timeout`](Self::timeout), no more while less than half of it is used.
#[derive(Clone, Debug)]
pub struct Aimd {
    limit: Between,
    timeout: Duration,
}

bounded!(Aimd);

impl Aimd {
    /// What slows it down unless [`timeout`](Self::timeout) says otherwise.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
    const LESS: f64 = 0.9;

    /// From 20, between 20 and 200, with a timeout of 5 s.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limit: Between::DEFAULT,
            timeout: Self::DEFAULT_TIMEOUT,
        }
    }

    /// What takes longer than this is too much. Near the time of an unloaded peer it finds that
    /// peer's capacity; far above, it lets a queue form as long as this.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Default for Aimd {
    fn default() -> Self {
        Self::new()
    }
}

impl Limit for Aimd {
    fn limit(&self) -> u32 {
        self.limit.whole()
    }

    fn update(&mut self, round: Round) {
        let at = self.limit.at;
        if round.dropped || round.rtt.is_some_and(|rtt| rtt > self.timeout) {
            self.limit = self.limit.set(at * Self::LESS);
        } else if !self.limit.is_idle(round.in_flight) {
            self.limit = self.limit.set(at + 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_up_a_tenth_down() {
        let fast = Round::new(Duration::from_secs(1), 100);
        let slow = Round::new(Duration::from_secs(6), 100);
        let failed = Round {
            dropped: true,
            ..fast
        };
        let idle = Round {
            in_flight: 24,
            ..fast
        };
        for (name, from, round, want) in [
            ("one more", 50, fast, 51),
            ("slow", 50, slow, 45),
            ("failed", 50, failed, 45),
            ("less than half is used", 50, idle, 50),
            ("never below", 20, slow, 20),
            ("never above", 200, fast, 200),
        ] {
            let mut aimd = Aimd::new().initial(from);
            aimd.update(round);
            assert_eq!(aimd.limit(), want, "{name}");
        }
    }

    #[test]
    fn bounds_that_cannot_be_are_named() {
        for (least, most) in [(0, 5), (6, 5), (1, u32::MAX)] {
            let e = Aimd::new().between(least, most).unwrap_err();
            assert_eq!(
                (e.field, e.value),
                ("concurrency.between", format!("{least} to {most}"))
            );
        }
        assert_eq!(Aimd::new().between(1, 5).unwrap().limit(), 5);
    }
}
