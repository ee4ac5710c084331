//! What a breaker opens at: knobs that can only hold what makes sense.

use std::time::Duration;

use crate::BadKnob;

/// A share of calls in millionths, so that 7 of 100 are 7 %: products of doubles would not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share(u32);

const WHOLE: f64 = 1e6;

impl Share {
    pub(super) fn try_new(field: &'static str, share: f64) -> Result<Self, BadKnob> {
        let millionths = (share * WHOLE).round();
        if !(1.0..=WHOLE).contains(&millionths) {
            let guess = if share > 1.0 && share <= 100.0 {
                format!("; did you mean {} ({share}%)?", share / 100.0)
            } else {
                String::new()
            };
            let remedy = format!("use 0.000001 to 1.0{guess}");
            return Err(BadKnob::new(field, share, remedy));
        }
        Ok(Self(millionths as u32))
    }

    /// Whether `part` of `whole` is this share or more.
    pub(super) const fn reached(self, part: u64, whole: u64) -> bool {
        part * WHOLE as u64 >= whole * self.0 as u64
    }
}

/// Which calls are looked at for a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    Calls(u32),
    Time(Duration),
}

/// When a closed breaker opens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) consecutive: Option<u32>,
    pub(super) failures: Option<Share>,
    pub(super) slow: Option<(Duration, Share)>,
    pub(super) window: Window,
    pub(super) least: u32,
}

/// How an open breaker finds out whether it may close.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trials {
    /// How many have to come back.
    pub(super) total: u32,
    /// How many are under way together.
    pub(super) at_once: u32,
    /// How many may fail.
    pub(super) tolerated: u32,
    /// How long all of it may take.
    pub(super) patience: Duration,
}

/// `value` if it is one or more.
pub(super) fn some(field: &'static str, value: u32, most: u32) -> Result<u32, BadKnob> {
    if (1..=most).contains(&value) {
        return Ok(value);
    }
    Err(BadKnob::new(field, value, format!("use 1 to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact() {
        for (share, part, whole, want) in [
            (0.07, 7, 100, true),
            (0.07, 6, 100, false),
            (0.57, 57, 100, true),
            (0.1, 3, 30, true),
            (1.0, 9, 10, false),
            (1.0, 10, 10, true),
            (0.000_001, 1, 1_000_000, true),
            (0.5, 1 << 32, 1 << 33, true),
        ] {
            let is = Share::try_new("share", share).unwrap().reached(part, whole);
            assert_eq!(is, want, "{part} of {whole} at {share}");
        }
    }

    #[test]
    fn a_share_that_cannot_be_is_named() {
        for share in [f64::NAN, -0.1, 0.0, 50.0, f64::INFINITY] {
            let e = Share::try_new("breaker.failure_rate", share).unwrap_err();
            assert_eq!(
                (e.field, e.value),
                ("breaker.failure_rate", share.to_string())
            );
        }
        let e = Share::try_new("breaker.failure_rate", 50.0).unwrap_err();
        assert!(e.remedy.ends_with("did you mean 0.5 (50%)?"), "{e}");
    }
}
