//! [`Probability`]: a number from 0 to 1, checked once.

use std::fmt;
use std::str::FromStr;

/// A probability, 0 to 1 inclusive. `0.05` and `5%` are the same one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Probability(f64);

/// A value that is no probability.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{value}` is not a probability: {remedy}")]
pub struct BadProbability {
    /// What was given.
    pub value: String,
    /// What would have been right.
    pub remedy: String,
}

impl Probability {
    /// Never.
    pub const NEVER: Self = Self(0.0);
    /// Always.
    pub const ALWAYS: Self = Self(1.0);

    /// A probability from a number in `0.0..=1.0`.
    ///
    /// # Errors
    ///
    /// [`BadProbability`] names the value: `1.3 is not a probability: use 0.0 to 1.0; did you mean 1.3%?`
    pub fn try_new(p: f64) -> Result<Self, BadProbability> {
        if (0.0..=1.0).contains(&p) {
            // `-0.0` compares as 0: normalised, so that it also prints as 0.
            return Ok(Self(p.abs()));
        }
        let guess = if p > 1.0 && p <= 100.0 {
            format!("; did you mean {p}%?")
        } else {
            String::new()
        };
        Err(BadProbability {
            value: p.to_string(),
            remedy: format!("use 0.0 to 1.0{guess}"),
        })
    }

    /// A probability from a number of percent, 0 to 100.
    ///
    /// # Errors
    ///
    /// As [`try_new`](Self::try_new).
    pub fn percent(p: f64) -> Result<Self, BadProbability> {
        if (0.0..=100.0).contains(&p) {
            return Self::try_new(p / 100.0);
        }
        Err(BadProbability {
            value: format!("{p}%"),
            remedy: "use 0% to 100%".into(),
        })
    }

    /// One in `n`: 1/n. `n = 0` is [`NEVER`](Self::NEVER).
    #[must_use]
    pub fn one_in(n: u32) -> Self {
        if n == 0 {
            Self::NEVER
        } else {
            Self(1.0 / f64::from(n))
        }
    }

    /// The number, 0 to 1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The count of 53-bit draws that hit: ⌈p · 2⁵³⌉.
    #[inline]
    #[must_use]
    pub const fn threshold(self) -> u64 {
        // p · 2⁵³ is exact (a power of two), so the only rounding is the ceiling.
        let scaled = self.0 * (1u64 << 53) as f64;
        let floor = scaled as u64;
        if (floor as f64) < scaled {
            floor + 1
        } else {
            floor
        }
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Probability {
    type Err = BadProbability;

    fn from_str(text: &str) -> Result<Self, BadProbability> {
        let bad = || BadProbability {
            value: text.chars().take(64).collect(),
            remedy: "write a number from 0 to 1 (`0.05`) or a percentage (`5%`)".into(),
        };
        let trimmed = text.trim();
        match trimmed.strip_suffix('%') {
            Some(percent) => Self::percent(percent.trim_end().parse().map_err(|_| bad())?),
            None => Self::try_new(trimmed.parse().map_err(|_| bad())?),
        }
    }
}

impl TryFrom<f64> for Probability {
    type Error = BadProbability;

    fn try_from(p: f64) -> Result<Self, BadProbability> {
        Self::try_new(p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_number_agree() {
        for (text, want) in [
            ("0.05", 0.05),
            ("5%", 0.05),
            (" 100 % ", 1.0),
            ("0", 0.0),
            ("1e-3", 0.001),
        ] {
            assert_eq!(text.parse::<Probability>().unwrap().get(), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_probability_is_refused_with_a_remedy() {
        for (text, says) in [
            ("1.3", "did you mean 1.3%?"),
            ("NaN", "use 0.0 to 1.0"),
            ("-0.1", "use 0.0 to 1.0"),
            ("130%", "0% to 100%"),
            ("inf", "use 0.0"),
            ("often", "`0.05`"),
            ("", "`0.05`"),
            ("%", "`0.05`"),
        ] {
            let e = text.parse::<Probability>().unwrap_err().to_string();
            assert!(e.contains(says), "{text}: {e}");
        }
    }

    #[test]
    fn thresholds_are_exact_at_the_ends() {
        assert_eq!(Probability::NEVER.threshold(), 0);
        assert_eq!(Probability::ALWAYS.threshold(), 1 << 53);
        assert_eq!(
            Probability::try_new(f64::MIN_POSITIVE).unwrap().threshold(),
            1
        );
        assert_eq!(Probability::try_new(0.5).unwrap().threshold(), 1 << 52);
    }
}
