//! An instant as one number, so that one load tells how long a lease is valid: seconds since it began, 30 bits up, and
//! nanoseconds. They have the order of their instants, and are taken apart by a shift where a count of nanoseconds takes a
//! division.

use std::time::Duration;

use tokio::time::Instant;

/// The first instant. Numbers below stand for something else.
pub(super) const EPOCH: u64 = 8;

/// Nanoseconds are below a thousand million, and what is added below fits in beside them.
const BITS: u32 = 30;

/// 544 years are for ever.
const LONGEST: u64 = (1 << (64 - BITS)) - 1;

pub(super) fn mark(origin: Instant, instant: Instant) -> u64 {
    let since = instant.saturating_duration_since(origin);
    let seconds = since.as_secs().min(LONGEST);
    (seconds << BITS | u64::from(since.subsec_nanos())) + EPOCH
}

/// For how long after the beginning; nothing for what is no instant.
#[inline]
pub(super) fn since(mark: u64) -> Duration {
    let mark = mark.saturating_sub(EPOCH);
    let nanos = mark & ((1 << BITS) - 1);
    Duration::new(mark >> BITS, nanos as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_have_the_order_of_instants_and_lose_nothing(
            a in 0..u64::MAX >> 4, b in 0..u64::MAX >> 4,
        ) {
            let origin = Instant::now();
            let [a, b] = [a, b].map(Duration::from_nanos);
            let [mark_a, mark_b] = [a, b].map(|since| mark(origin, origin + since));
            prop_assert_eq!(mark_a.cmp(&mark_b), a.cmp(&b));
            prop_assert_eq!((since(mark_a), since(mark_b)), (a, b));
            prop_assert!(mark_a >= EPOCH);
        }
    }

    #[test]
    fn the_ends_are_kept() {
        let origin = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(mark(origin + second, origin), EPOCH, "before it began");
        assert_eq!(mark(origin, origin), EPOCH);
        for none in 0..=EPOCH {
            assert_eq!(since(none), Duration::ZERO);
        }
        let longest = Duration::from_secs(LONGEST);
        for long in [longest, longest + second, 3 * longest] {
            let far = mark(origin, origin + long - Duration::from_nanos(1));
            assert_eq!(since(far).as_secs(), (long.as_secs() - 1).min(LONGEST));
        }
    }
}
