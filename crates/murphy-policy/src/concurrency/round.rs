//! Gathers calls into rounds.

use std::time::Duration;

use tokio::time::Instant;

use super::limit::Round;

/// The calls since the last update.
///
/// Only those that *began* since then count: the others were made under another limit, and would
/// have it corrected twice.
#[derive(Clone, Debug)]
pub(super) struct Gather {
    since: Option<Instant>,
    replies: u32,
    calls: u32,
    sum: Duration,
    in_flight: u32,
    dropped: bool,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Reply,
    Failure,
    /// Nobody waited any longer.
    Left,
    /// It was refused beneath, and says nothing.
    Withheld,
}

/// How many calls a round has.
const ENOUGH: u32 = 10;

impl Gather {
    pub(super) const fn new() -> Self {
        Self {
            since: None,
            replies: 0,
            calls: 0,
            sum: Duration::ZERO,
            in_flight: 0,
            dropped: false,
        }
    }

    /// A call ended at `now`, under this limit.
    pub(super) fn add(
        &mut self,
        began: Instant,
        now: Instant,
        in_flight: u32,
        end: End,
        limit: u32,
    ) -> Option<Round> {
        if began < *self.since.get_or_insert(began) {
            return None;
        }
        let rtt = now.saturating_duration_since(began);
        match end {
            End::Reply => self.reply(rtt),
            End::Failure => self.dropped = true,
            // It would have taken longer still. If that is news, it is a reply.
            End::Left if self.mean().is_some_and(|mean| rtt > mean) => self.reply(rtt),
            End::Left | End::Withheld => return None,
        }
        self.calls += 1;
        self.in_flight = self.in_flight.max(in_flight);
        if self.calls < ENOUGH.min(limit) {
            return None;
        }
        let round = Round {
            rtt: self.mean(),
            in_flight: self.in_flight,
            dropped: self.dropped,
        };
        *self = Self {
            since: Some(now),
            ..Self::new()
        };
        Some(round)
    }

    fn reply(&mut self, rtt: Duration) {
        self.replies += 1;
        self.sum = self.sum.saturating_add(rtt);
    }

    fn mean(&self) -> Option<Duration> {
        self.sum.checked_div(self.replies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn ten_calls_are_a_round_and_fewer_under_a_smaller_limit() {
        for (limit, want) in [(100, 10), (10, 10), (3, 3), (1, 1)] {
            let (mut gather, start) = (Gather::new(), Instant::now());
            let mut n = 0;
            let round = loop {
                n += 1;
                let end = start + SECOND * n;
                if let Some(round) = gather.add(start, end, n, End::Reply, limit) {
                    break round;
                }
            };
            assert_eq!(
                (n, round),
                (want, Round::new(SECOND * (want + 1) / 2, want))
            );
        }
    }

    #[test]
    fn what_began_before_the_last_update_does_not_count() {
        let (mut gather, start) = (Gather::new(), Instant::now());
        let now = start + SECOND;
        assert!(gather.add(start, now, 1, End::Reply, 1).is_some());
        assert!(gather.add(start, now + SECOND, 1, End::Reply, 1).is_none());
        assert!(gather.add(now, now + SECOND, 1, End::Reply, 1).is_some());
    }

    #[test]
    fn a_failure_is_no_reply_and_leaving_is_one_if_it_took_longer() {
        let (mut gather, start) = (Gather::new(), Instant::now());
        let mut add = |secs, end| gather.add(start, start + SECOND * secs, 1, end, 4);
        assert_eq!(add(9, End::Left), None, "longer than what?");
        assert_eq!(add(2, End::Reply), None);
        assert_eq!(add(1, End::Left), None, "it says nothing");
        assert_eq!(add(60, End::Failure), None);
        assert_eq!(add(4, End::Left), None);
        let round = add(3, End::Reply).unwrap();
        assert_eq!((round.rtt, round.dropped), (Some(SECOND * 3), true));
    }
}
