//! [`Horizon`]: tokens that cannot have been granted yet.

use std::time::Duration;

use murphy_core::Wall;

use super::Refused;
use crate::{FencingToken, Rank};

/// No token from the future: at most so far ahead of the resource's time of day, and of no era after this one.
///
/// Whoever can make up a token can fence out everybody with the highest there is, and for ever. Our stores derive a
/// token's number from their time of day in microseconds, or from a count that is far below it, so that a resource can
/// tell a number that nobody can have been granted yet. It is off unless it is set, for it trusts two clocks: a resource
/// whose clock is behind the store's by more than the slack refuses honest holders. Signed tokens are the better
/// answer where the caller is not trusted; both together bound what a stolen key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    slack: Duration,
    eras: u32,
}

impl Horizon {
    /// Numbers up to `slack` ahead of the resource's time of day, and era 0 alone. A minute is plenty between machines
    /// whose clocks are synchronised.
    #[must_use]
    pub const fn new(slack: Duration) -> Self {
        Self { slack, eras: 0 }
    }

    /// Eras up to this one: the one that the store of leases was set to, and it has to be raised here first.
    #[must_use]
    pub const fn eras(mut self, up_to: u32) -> Self {
        self.eras = up_to;
        self
    }

    /// The highest that is believed at this time of day.
    #[must_use]
    pub fn highest(&self, now: Wall) -> Rank {
        let micros = u64::try_from(now.nanos() / 1000).unwrap_or(0);
        let slack = u64::try_from(self.slack.as_micros()).unwrap_or(u64::MAX);
        Rank::new(self.eras, micros.saturating_add(slack))
    }

    /// Whether the token can have been granted by now.
    ///
    /// # Errors
    ///
    /// [`Refused::Future`].
    pub fn check(&self, token: &FencingToken, now: Wall) -> Result<(), Refused> {
        let (rank, highest) = (token.rank(), self.highest(now));
        // Each by itself: an earlier era's numbers are no higher.
        if rank.era > highest.era || rank.seq > highest.seq {
            return Err(Refused::Future { highest });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Nonce;

    #[test]
    fn what_nobody_can_have_been_granted_yet_is_refused() {
        let horizon = Horizon::new(Duration::from_secs(60)).eras(2);
        let now = Wall::from_nanos(1_000_000_000_000_000_000);
        let latest = 1_000_000_000_000_000 + 60_000_000;
        for (era, seq, believed) in [
            (0, 1, true),
            (2, latest, true),
            (2, latest + 1, false),
            (0, latest + 1, false),
            (0, u64::MAX, false),
            (3, 1, false),
        ] {
            let lock = "orders".parse().unwrap();
            let token = FencingToken::of(lock, Rank::new(era, seq), Nonce::from_bits(1));
            assert_eq!(horizon.check(&token, now).is_ok(), believed, "{era} {seq}");
        }
    }

    #[test]
    fn extreme_clocks_do_not_overflow() {
        for (nanos, slack, want) in [
            (i64::MIN, Duration::ZERO, 0),
            (i64::MAX, Duration::MAX, u64::MAX),
        ] {
            let highest = Horizon::new(slack).highest(Wall::from_nanos(nanos));
            assert_eq!(highest, Rank::new(0, want));
        }
    }
}
