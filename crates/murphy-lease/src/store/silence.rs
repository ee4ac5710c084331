//! [`Silence`]: whether a connection is dead, from the calls that waited on it in vain.

use std::time::Duration;

use tokio::time::Instant;

/// For how long nothing was answered that was waited for. What nobody waits for does not count: then nothing is to be heard.
#[derive(Debug, Default)]
pub(super) struct Silence {
    answers: u64,
    since: Option<Instant>,
    waited: Duration,
}

impl Silence {
    #[cfg(feature = "etcd")]
    pub(super) const fn answers(&self) -> u64 {
        self.answers
    }

    #[cfg(any(feature = "etcd", test))]
    pub(super) fn answered(&mut self) {
        self.heard(self.answers + 1);
    }

    /// So many answers there have been by now.
    pub(super) fn heard(&mut self, answers: u64) {
        if self.answers != answers {
            self.answers = answers;
            (self.since, self.waited) = (None, Duration::ZERO);
        }
    }

    /// A call left at `at`, when there had been so many answers, and was given up now: whether the connection is dead.
    pub(super) fn in_vain(
        &mut self,
        answers: u64,
        at: Instant,
        now: Instant,
        limit: Duration,
    ) -> bool {
        if answers != self.answers {
            return false;
        }
        let since = *self.since.get_or_insert(at);
        self.waited += now.saturating_duration_since(at);
        let is_dead = self.waited >= limit && now.saturating_duration_since(since) >= limit;
        if is_dead {
            (self.since, self.waited) = (None, Duration::ZERO);
        }
        is_dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_dead_when_calls_have_waited_in_vain_for_long_enough() {
        let start = Instant::now();
        for (name, calls, want) in [
            ("one that waited long", &[(0, 1000)][..], true),
            ("one that left early", &[(0, 999)], false),
            (
                "short ones add up",
                &[(0, 400), (5000, 5400), (9000, 9200)],
                true,
            ),
            (
                "many at once wait no longer than one",
                &[(0, 300), (0, 300), (0, 300), (0, 300)],
                false,
            ),
            (
                "what nobody waits for is no silence",
                &[(0, 1), (60_000, 60_001)],
                false,
            ),
        ] {
            let mut silence = Silence::default();
            let mut is_dead = false;
            for (from, to) in calls {
                is_dead = silence.in_vain(0, start + ms(*from), start + ms(*to), LIMIT);
            }
            assert_eq!(is_dead, want, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_anybody_is_a_sign_of_life() {
        let start = Instant::now();
        let mut silence = Silence::default();
        assert!(!silence.in_vain(0, start, start + ms(900), LIMIT));
        silence.answered();
        assert!(!silence.in_vain(0, start, start + ms(5000), LIMIT));
        assert!(!silence.in_vain(1, start, start + ms(900), LIMIT), "anew");
        assert!(silence.in_vain(1, start, start + ms(1000), LIMIT));
        assert!(!silence.in_vain(1, start, start + ms(10), LIMIT), "once");
    }
}
