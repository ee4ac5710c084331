//! [`Wish`]: what a failure detector should do.

use std::time::Duration;

use crate::BadKnob;

/// Ten thousand years: what is further off is never.
const LONGEST: Duration = Duration::from_secs(86_400 * 365 * 10_000);

/// What is asked of a failure detector: how soon, how seldom, how briefly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    detection: Duration,
    recurrence: Duration,
    duration: Duration,
}

impl Wish {
    /// A crash is found within `detection`; between two mistakes there is `recurrence` in the mean, at least; a
    /// mistake lasts `duration` in the mean, at most. (The paper's T_D, T_MR and T_M.)
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if one is nothing, or longer than ten thousand years.
    pub fn try_new(
        detection: Duration,
        recurrence: Duration,
        duration: Duration,
    ) -> Result<Self, BadKnob> {
        for (field, value) in [
            ("detection", detection),
            ("recurrence", recurrence),
            ("duration", duration),
        ] {
            if value.is_zero() || value > LONGEST {
                let remedy = "use more than nothing, and ten thousand years at most";
                return Err(BadKnob::new(field, format!("{value:?}"), remedy));
            }
        }
        Ok(Self {
            detection,
            recurrence,
            duration,
        })
    }

    /// Within what a crash is found.
    #[must_use]
    pub const fn detection(&self) -> Duration {
        self.detection
    }

    /// What is between two mistakes, in the mean.
    #[must_use]
    pub const fn recurrence(&self) -> Duration {
        self.recurrence
    }

    /// How long a mistake lasts, in the mean.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    pub(super) const fn found_within(self, detection: Duration) -> Self {
        Self { detection, ..self }
    }
}
