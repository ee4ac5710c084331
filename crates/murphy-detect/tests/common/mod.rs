//! What the tests share.

use std::time::Duration;

use murphy_detect::detector::Fixed;

/// Suspects after so many milliseconds of silence.
pub(crate) fn fixed(n: u64) -> Fixed {
    Fixed::try_new(ms(n)).unwrap()
}

/// `n` milliseconds.
pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
