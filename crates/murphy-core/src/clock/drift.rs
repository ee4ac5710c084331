//! [`Drift`]: by how much a clock runs fast or slow.

use std::fmt;
use std::time::Duration;

const BILLION: u128 = 1_000_000_000;

/// The rate of a clock beside the true one, in parts per million: `+200ppm` gains 200 µs a second.
///
/// From −999 999 ppm (a millionth of the true speed) to +999 000 000 ppm (a thousand times it), in
/// steps of 0.001 ppm. A quartz is good for 10 to 100 ppm; Linux steers by up to 500.
#[doc(alias = "clock skew")]
#[doc(alias = "clock drift")]
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Drift {
    /// Parts per billion, more than −10⁹.
    ppb: i64,
}

/// A number that is no drift.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("drift: `{value}` ppm is not a rate of a clock: {remedy}")]
pub struct BadDrift {
    /// What was given.
    pub value: String,
    /// What would have been right.
    pub remedy: String,
}

impl Drift {
    /// The true rate.
    pub const NONE: Self = Self { ppb: 0 };

    /// So many parts per million: fast, or slow if negative. Rounded to 0.001 ppm.
    ///
    /// # Errors
    ///
    /// [`BadDrift`] names the value, and what is nearest to it.
    pub fn ppm(ppm: f64) -> Result<Self, BadDrift> {
        let bad = |remedy: &str| BadDrift {
            value: ppm.to_string(),
            remedy: format!("use -999999 to 999000000; {remedy}"),
        };
        if ppm.is_nan() {
            return Err(bad("0 is the true rate"));
        }
        if ppm < -999_999.0 {
            return Err(bad("a clock that stands still is frozen: use `freeze`"));
        }
        if ppm > 999_000_000.0 {
            return Err(bad("the nearest is 999000000, a thousand times as fast"));
        }
        Ok(Self {
            ppb: (ppm * 1000.0).round() as i64,
        })
    }

    /// The parts per million.
    #[must_use]
    pub const fn as_ppm(self) -> f64 {
        self.ppb as f64 / 1000.0
    }

    /// What the clock moves on by while this much true time passes, rounded down.
    pub(super) fn local(self, elapsed: Duration) -> Duration {
        let (whole, rest) = (elapsed.as_secs(), elapsed.subsec_nanos());
        // ⌊(whole · 10⁹ + rest) · rate / 10⁹⌋, in pieces that cannot overflow.
        nanos(u128::from(whole) * self.rate() + u128::from(rest) * self.rate() / BILLION)
    }

    /// How much true time must pass until the clock has moved on by `local`, rounded up: the
    /// least `t` with `self.local(t) >= local`. Nothing, if that is too far to be said.
    pub(super) fn elapsed(self, local: Duration) -> Option<Duration> {
        let scaled = local.as_nanos().checked_mul(BILLION)?;
        Some(nanos(scaled.div_ceil(self.rate())))
    }

    /// Local nanoseconds in a true second: 10³ to 10¹².
    fn rate(self) -> u128 {
        u128::from(1_000_000_000u64.saturating_add_signed(self.ppb))
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+}ppm", self.as_ppm())
    }
}

impl fmt::Debug for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drift({self})")
    }
}

/// Saturates.
fn nanos(nanos: u128) -> Duration {
    match u64::try_from(nanos / BILLION) {
        Ok(seconds) => Duration::new(seconds, (nanos % BILLION) as u32),
        Err(_) => Duration::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_clock_gains_what_its_drift_says() {
        for (ppm, want) in [
            (0.0, 1_000_000_000),
            (200.0, 1_000_200_000),
            (-200.0, 999_800_000),
            (0.001, 1_000_000_001),
            (1_000_000.0, 2_000_000_000),
            (-999_999.0, 1_000),
            (999_000_000.0, 1_000_000_000_000),
        ] {
            let drift = Drift::ppm(ppm).unwrap();
            assert_eq!(drift.local(SECOND), Duration::from_nanos(want), "{ppm}");
            assert_eq!(drift.elapsed(drift.local(SECOND)), Some(SECOND), "{ppm}");
        }
    }

    #[test]
    fn what_is_no_drift_is_refused_with_a_remedy() {
        for (ppm, says) in [
            (f64::NAN, "0 is the true rate"),
            (-1_000_000.0, "`freeze`"),
            (f64::NEG_INFINITY, "-999999"),
            (1e9, "nearest is 999000000"),
        ] {
            let e = Drift::ppm(ppm).unwrap_err().to_string();
            assert!(e.contains(says) && e.contains("drift"), "{e}");
        }
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        for ppm in [-999_999.0, 0.0, 999_000_000.0] {
            let drift = Drift::ppm(ppm).unwrap();
            assert!(drift.local(Duration::MAX) >= SECOND);
            let _ = drift.elapsed(Duration::MAX);
        }
        assert_eq!(Drift::NONE.local(Duration::MAX), Duration::MAX);
    }

    #[test]
    fn a_drift_is_printed_with_its_sign() {
        assert_eq!(Drift::ppm(200.0).unwrap().to_string(), "+200ppm");
        assert_eq!(Drift::ppm(-0.5).unwrap().to_string(), "-0.5ppm");
    }
}
