//! How fast a queue moves, judged by the turns that it gave.

use std::time::Duration;

use tokio::time::Instant;

/// Turns over time, as long as somebody waits. Older ones weigh less: both are halved when there
/// are [`MANY`] turns.
///
/// It forgets everything when the queue runs empty. So an estimate is never older than the queue
/// that it is about, and one that sheds everybody empties the queue and ends itself.
#[derive(Clone, Debug)]
pub(super) struct Drain {
    last: Option<Instant>,
    turns: u32,
    span: Duration,
}

const MANY: u32 = 64;

impl Drain {
    pub(super) const NEW: Self = Self {
        last: None,
        turns: 0,
        span: Duration::ZERO,
    };

    /// Somebody got a turn.
    pub(super) fn turn(&mut self, now: Instant) {
        if let Some(last) = self.last {
            self.turns += 1;
            self.span += now.saturating_duration_since(last);
        }
        if self.turns >= MANY {
            self.turns /= 2;
            self.span /= 2;
        }
        self.last = Some(now);
    }

    /// Nobody waits any more.
    pub(super) fn empty(&mut self) {
        *self = Self::NEW;
    }

    /// How long until the turn of whoever has `ahead` before him, if two turns were seen.
    pub(super) fn expected(&self, ahead: usize, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.last?);
        let interval = self.span.checked_div(self.turns)?;
        let turns = u32::try_from(ahead).ok()?.checked_add(1)?;
        // Part of the first interval is over; that it takes longer than others shows nothing yet.
        Some(
            interval
                .saturating_mul(turns)
                .saturating_sub(since.min(interval)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_turn_comes_when_those_ahead_had_theirs() {
        let start = Instant::now();
        let mut drain = Drain::NEW;
        assert_eq!(drain.expected(0, start), None);
        drain.turn(start);
        assert_eq!(drain.expected(0, start), None, "one turn is no speed");
        drain.turn(start + SECOND * 2);
        for (ahead, after, want) in [
            (0, 0, SECOND * 2),
            (3, 0, SECOND * 8),
            (3, 1, SECOND * 7),
            (0, 1, SECOND),
            (0, 9, Duration::ZERO),
            (1, 9, SECOND * 2),
        ] {
            let now = start + SECOND * 2 + SECOND * after;
            assert_eq!(
                drain.expected(ahead, now),
                Some(want),
                "{ahead} ahead, {after} s later"
            );
        }
    }

    #[test]
    fn turns_that_come_in_bursts_are_a_mean() {
        let start = Instant::now();
        let mut drain = Drain::NEW;
        for second in 0..100 {
            (0..10).for_each(|_| drain.turn(start + SECOND * second));
        }
        let ten = drain.expected(9, start + SECOND * 99).unwrap();
        assert!((SECOND / 2..SECOND * 3 / 2).contains(&ten), "{ten:?}");
    }

    #[test]
    fn an_empty_queue_knows_nothing() {
        let now = Instant::now();
        let mut drain = Drain::NEW;
        drain.turn(now);
        drain.turn(now + SECOND);
        drain.empty();
        assert_eq!(drain.expected(0, now + SECOND), None);
    }
}
