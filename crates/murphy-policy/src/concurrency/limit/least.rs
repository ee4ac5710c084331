//! What replies take, against the least that they took lately.

use super::{Between, Limit, Round, bounded};

/// Keeps a small queue at the peer, judged by the least round-trip of late.
///
/// With `least`, the least mean of a round among the last 100 to 200, and `rtt`, the last one:
///
/// ```text
/// gradient = clamp(least / rtt, 0.5, 1)
/// limit    = 0.5 · limit + 0.5 · (limit · gradient + 0.05 · limit)
/// ```
///
/// A peer of capacity `c` (the calls that it works on at once, by Little's law) then holds `c / 0.95`:
/// replies take 5 % longer than unloaded, and a capacity that grew is seen. A round in which a
/// call failed takes a tenth off. It does not grow while less than half of it is used.
///
/// Under a load that never ends, the least would become that of a queue. So each hundredth round
/// is a *probe* with 15 % less, in which the queue drains.
///
/// For peers whose replies vary little from round to round; where they vary much, the least is
/// luck, and the limit falls with it: use [`Gradient`](super::Gradient). The idea is that of TCP
/// Vegas (Brakmo and Peterson, 1995) and of Envoy's gradient controller.
#[derive(Clone, Debug)]
pub struct LeastRtt {
    limit: Between,
    now: f64,
    before: f64,
    rounds: u32,
    // The limit to go back to after a probe.
    probing: Option<f64>,
}

bounded!(LeastRtt);

impl LeastRtt {
    const HEADROOM: f64 = 0.05;
    const SMOOTHING: f64 = 0.5;
    const LESS: f64 = 0.9;
    const PROBE: f64 = 0.85;
    const BACK: f64 = 0.95;
    const ROUNDS: u32 = 100;

    /// From 20, between 20 and 200.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limit: Between::DEFAULT,
            now: f64::INFINITY,
            before: f64::INFINITY,
            rounds: 0,
            probing: None,
        }
    }

    /// The least of late, with this one.
    fn least(&mut self, rtt: f64) -> f64 {
        self.now = self.now.min(rtt);
        self.now.min(self.before)
    }

    /// Begins a new half of what is remembered, with a probe in it.
    fn probe(&mut self) {
        self.rounds = 0;
        self.before = std::mem::replace(&mut self.now, f64::INFINITY);
        // A little less than before: the rounds that follow find no queue yet, and let it grow.
        self.probing = Some(self.limit.at * Self::BACK);
        self.limit = self.limit.set(self.limit.at * Self::PROBE);
    }
}

impl Default for LeastRtt {
    fn default() -> Self {
        Self::new()
    }
}

impl Limit for LeastRtt {
    fn limit(&self) -> u32 {
        self.limit.whole()
    }

    fn update(&mut self, round: Round) {
        let probed = self.probing.take();
        if let Some(back) = probed {
            self.limit = self.limit.set(back);
        }
        let at = self.limit.at;
        if round.dropped {
            self.limit = self.limit.set(at * Self::LESS);
            return;
        }
        let Some(rtt) = round
            .rtt
            .map(|rtt| rtt.as_secs_f64())
            .filter(|rtt| *rtt > 0.0)
        else {
            return;
        };
        let least = self.least(rtt);
        if probed.is_some() {
            return;
        }
        let target = at * (least / rtt).clamp(0.5, 1.0) + at * Self::HEADROOM;
        let new = at * (1.0 - Self::SMOOTHING) + target * Self::SMOOTHING;
        let most = if self.limit.is_idle(round.in_flight) {
            at
        } else {
            f64::INFINITY
        };
        self.limit = self.limit.set(new.min(most));
        self.rounds += 1;
        if self.rounds >= Self::ROUNDS {
            self.probe();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What a peer of `capacity` that takes a tenth of a second answers to `limit` calls at once.
    fn reply(capacity: f64, limit: u32) -> Round {
        let queue = (f64::from(limit) / capacity).max(1.0);
        Round::new(Duration::from_secs_f64(0.1 * queue), limit)
    }

    fn run(limit: &mut LeastRtt, capacity: f64, rounds: u32) {
        for _ in 0..rounds {
            limit.update(reply(capacity, limit.limit()));
        }
    }

    #[test]
    fn one_round_is_the_formula() {
        for (name, millis, in_flight, want) in [
            ("no queue", 100, 100, 102.5),
            ("a queue as long as the work", 200, 100, 77.5),
            ("longer counts as twice", 900, 100, 77.5),
            ("idle: no growth", 100, 49, 100.0),
            ("idle: less if it must be", 200, 49, 77.5),
        ] {
            let mut limit = LeastRtt::new().initial(100);
            limit.least(0.1);
            limit.update(Round::new(Duration::from_millis(millis), in_flight));
            assert!(
                (limit.limit.at - want).abs() < 1e-9,
                "{name}: {}",
                limit.limit.at
            );
        }
    }

    #[test]
    fn it_follows_the_capacity() {
        let mut limit = LeastRtt::new().between(1, 500).unwrap();
        for (capacity, rounds) in [(40.0, 40), (20.0, 12), (60.0, 60), (400.0, 110), (5.0, 60)] {
            run(&mut limit, capacity, rounds);
            let share = f64::from(limit.limit()) / capacity;
            assert!((0.9..1.15).contains(&share), "{capacity}: {share}");
        }
    }

    #[test]
    fn it_does_not_creep_under_a_load_that_never_ends() {
        let mut limit = LeastRtt::new();
        run(&mut limit, 40.0, 100_000);
        assert!((32..46).contains(&limit.limit()), "{}", limit.limit());
    }

    #[test]
    fn a_peer_that_became_slower_is_understood() {
        let mut limit = LeastRtt::new().between(1, 500).unwrap();
        run(&mut limit, 40.0, 250);
        // Three times the work, the same capacity.
        for _ in 0..400 {
            let mut round = reply(40.0, limit.limit());
            round.rtt = round.rtt.map(|rtt| rtt * 3);
            limit.update(round);
        }
        assert!((32..46).contains(&limit.limit()), "{}", limit.limit());
    }

    #[test]
    fn failures_take_a_tenth() {
        let mut limit = LeastRtt::new().initial(100);
        limit.update(Round {
            dropped: true,
            ..Round::new(Duration::from_secs(1), 100)
        });
        assert_eq!(limit.limit(), 90);
    }
}
