//! What lies between a sender's clock and the observer's.

use super::Beat;

/// How many beats in a row must be astray before they are believed.
const STRAYS: u8 = 4;

/// Arrival less sending: the difference of two clocks whose origins have nothing to do with each other, and the time
/// on the way. Differences wrap, so that any origins do.
///
/// A beat that deviates by more than a reach (seconds, or many intervals) says nothing about the way: it waited in
/// some queue, or a clock was set. Four of them in a row say that a clock was set, and the last one begins anew.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offset {
    nanos: u64,
    strays: u8,
    known: bool,
}

/// How a beat lies to those before it, in nanoseconds that it is later than they.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lateness {
    /// The first one, or the first one after a clock was set: as late as itself.
    Anew,
    /// One like the others.
    Near(i64),
    /// One that is not to be learned from.
    Astray(i64),
}

impl Offset {
    /// Places a beat.
    #[inline]
    pub(super) fn place(&mut self, beat: &Beat, reach: i64) -> Lateness {
        let nanos = beat.at.as_nanos().wrapping_sub(beat.sent.as_nanos());
        let late = nanos.wrapping_sub(self.nanos) as i64;
        if self.known && late.unsigned_abs() <= reach.unsigned_abs() {
            self.strays = 0;
            return Lateness::Near(late);
        }
        self.strays += 1;
        if self.known && self.strays < STRAYS {
            return Lateness::Astray(late);
        }
        *self = Self {
            nanos,
            strays: 0,
            known: true,
        };
        Lateness::Anew
    }

    /// Moves by so many nanoseconds.
    #[inline]
    pub(super) fn shift(&mut self, by: i64) {
        self.nanos = self.nanos.wrapping_add_signed(by);
    }
}
