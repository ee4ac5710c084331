//! When half of the world seems to die at once it is more likely that the observer lost its sight.

use std::time::Duration;

use crate::{BadKnob, Moment};

/// Holds nodes at *suspect* while too many would go down within one window.
///
/// Counted are the nodes that are suspected, and those that went down in the last `window`; when they are more than
/// `least`, and more than `share` of these and the living, the mode is on, and ends by itself as soon as they are not.
/// Nodes that had gone down before stay so. A [`suspect_for`](crate::Monitor::suspect_for) of an interval or more
/// lets it see a fall before the first death.
///
/// It ends by itself or by [`Monitor::convict`](crate::Monitor::convict) only: a majority that is really dead stays
/// suspected until then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SafeMode {
    share: f64,
    least: u32,
    window: Duration,
}

impl SafeMode {
    /// More than 2 nodes, and more than half, within 10 s.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            share: 0.5,
            least: 2,
            window: Duration::from_secs(10),
        }
    }

    /// Which share of the nodes may go down at once: above 0, up to 1 (never on).
    ///
    /// # Errors
    ///
    /// [`BadKnob`] for any other number.
    pub fn share(self, share: f64) -> Result<Self, BadKnob> {
        if share > 0.0 && share <= 1.0 {
            return Ok(Self { share, ..self });
        }
        let remedy = match share {
            s if s > 1.0 && s <= 100.0 => format!("did you mean {}?", s / 100.0),
            _ => "use a share above 0, up to 1".into(),
        };
        Err(BadKnob::new("safe_mode.share", share, remedy))
    }

    /// How many may always.
    #[must_use]
    pub const fn least(self, least: u32) -> Self {
        Self { least, ..self }
    }

    /// For how long a death is remembered.
    #[must_use]
    pub const fn window(self, window: Duration) -> Self {
        Self { window, ..self }
    }
}

impl Default for SafeMode {
    fn default() -> Self {
        Self::new()
    }
}

const PARTS: u64 = 16;

#[derive(Clone, Debug)]
pub(super) struct Safe {
    rule: Option<SafeMode>,
    on: bool,
    /// Deaths by sixteenth of a window.
    falls: [u32; PARTS as usize],
    part: u64,
    /// Judged time until which an operator overruled it.
    overruled: Moment,
}

impl Safe {
    pub(super) const fn new(rule: Option<SafeMode>) -> Self {
        Self {
            rule,
            on: false,
            falls: [0; PARTS as usize],
            part: 0,
            overruled: Moment::ZERO,
        }
    }

    pub(super) const fn has_rule(&self) -> bool {
        self.rule.is_some()
    }

    pub(super) const fn is_on(&self) -> bool {
        self.on
    }

    /// Counts again, and says whether that changed anything.
    pub(super) fn weigh(&mut self, now: Moment, alive: u32, suspect: u32) -> Option<bool> {
        let rule = self.rule?;
        self.turn(now, rule.window);
        let fallen: u32 = self.falls.iter().fold(0, |sum, n| sum.saturating_add(*n));
        let down = suspect.saturating_add(fallen);
        let all = f64::from(down.saturating_add(alive));
        let too_many = down > rule.least && f64::from(down) > rule.share * all;
        let on = too_many && now >= self.overruled;
        (std::mem::replace(&mut self.on, on) != on).then_some(on)
    }

    pub(super) fn fell(&mut self, now: Moment) {
        if let Some(rule) = self.rule {
            self.turn(now, rule.window);
            let part = &mut self.falls[(self.part % PARTS) as usize];
            *part = part.saturating_add(1);
        }
    }

    /// Off for one window, whatever is counted.
    pub(super) fn overrule(&mut self, now: Moment) {
        if let Some(rule) = self.rule {
            self.overruled = now.plus(rule.window);
        }
    }

    /// How long until whoever is held is looked at again.
    pub(super) fn patience(&self) -> Duration {
        let window = self.rule.map_or(Duration::ZERO, |rule| rule.window);
        (window / PARTS as u32).max(Duration::from_millis(10))
    }

    fn turn(&mut self, now: Moment, window: Duration) {
        let length = Moment::after(window).as_nanos() / PARTS;
        let part = now.as_nanos() / length.max(1);
        let begun = part.saturating_sub(self.part).min(PARTS);
        for earlier in 0..begun {
            self.falls[((part - earlier) % PARTS) as usize] = 0;
        }
        self.part = self.part.max(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(n: u64) -> Moment {
        Moment::from_nanos(n * 1_000_000_000)
    }

    #[test]
    fn it_takes_more_than_two_and_more_than_half() {
        for (alive, suspect, on) in [
            (0, 1, false),
            (0, 2, false),
            (0, 3, true),
            (3, 3, false),
            (3, 4, true),
            (97, 3, false),
        ] {
            let mut safe = Safe::new(Some(SafeMode::new()));
            assert_eq!(
                safe.weigh(s(0), alive, suspect),
                on.then_some(true),
                "{alive} {suspect}"
            );
        }
    }

    #[test]
    fn a_window_of_nothing_at_the_end_of_time_is_one() {
        let mut safe = Safe::new(Some(SafeMode::new().window(Duration::ZERO)));
        for now in [Moment::ZERO, Moment::MAX, s(1), Moment::MAX] {
            safe.fell(now);
            safe.weigh(now, 1, 0);
        }
    }

    #[test]
    fn deaths_count_for_a_window() {
        let mut safe = Safe::new(Some(SafeMode::new()));
        for _ in 0..5 {
            safe.fell(s(100));
        }
        assert_eq!(safe.weigh(s(109), 4, 0), Some(true));
        assert_eq!(safe.weigh(s(111), 4, 0), Some(false));
        assert_eq!(safe.weigh(s(1 << 32), 0, 3), Some(true));
    }

    #[test]
    fn it_can_be_overruled_for_a_window() {
        let mut safe = Safe::new(Some(SafeMode::new()));
        assert_eq!(safe.weigh(s(0), 0, 9), Some(true));
        safe.overrule(s(1));
        assert_eq!(safe.weigh(s(1), 0, 9), Some(false));
        assert_eq!(safe.weigh(s(11), 0, 9), Some(true));
    }

    #[test]
    fn a_bad_share_names_a_better_one() {
        let error = SafeMode::new().share(50.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`safe_mode.share = 50`: did you mean 0.5?"
        );
        for share in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(SafeMode::new().share(share).is_err(), "{share}");
        }
    }
}
