//! The knobs of a [`QuorumStore`].

use std::sync::Arc;
use std::time::Duration;

use murphy_core::{BadKnob, Clock, Seed};

use super::QuorumStore;

impl<S> QuorumStore<S> {
    /// How long a round waits for members; of an acquire, half of the ttl at most. 1 s unless set; whatever is set, from 1 ms to an hour.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.clamp(Duration::from_millis(1), Duration::from_secs(3600));
        self
    }

    /// How many ballots an acquire may take, from 1 to 64; 8 unless set. When they are used up it answers as if it were held.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] outside of the range.
    pub fn rounds(mut self, rounds: u32) -> Result<Self, BadKnob> {
        if !(1..=64).contains(&rounds) {
            return Err(BadKnob::new("rounds", rounds, "use 1 to 64; 8 suits most"));
        }
        self.rounds = rounds;
        Ok(self)
    }

    /// In which life of the whole its grants are. 0 unless set; a higher one that is met goes on.
    #[must_use]
    pub const fn era(mut self, era: u32) -> Self {
        self.era = era;
        self
    }

    /// Ranks are the next above what was heard of, and no clock is read: runs repeat, and members that forget take ranks
    /// back with them.
    #[must_use]
    pub const fn counting(mut self) -> Self {
        self.is_counting = true;
        self
    }

    /// Whose wall clock ranks are taken from, and backoff by. tokio's unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What the jitter of its backoff is drawn from. Fresh unless set.
    #[must_use]
    pub const fn seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }
}
