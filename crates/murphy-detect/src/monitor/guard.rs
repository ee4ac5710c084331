//! Whoever was not awake judges nobody by the time that it slept.

use std::time::Duration;

use crate::Moment;

/// What an observer does about its own pauses. See [`Monitor::guard`](crate::Monitor::guard).
///
/// The observer promises to look at least every `tick`. A look (or a beat) that comes more than `limit` after that
/// tells of a pause: of the process, of the machine, of a starved task. Then the time since the look that was
/// promised is added to every deadline, and for a `grace` nobody is judged, and beats (those that waited in queues)
/// teach the detectors nothing. After a grace there is a judgement before there can be another grace: an observer
/// that stumbles again and again is late, not blind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    tick: Duration,
    limit: Duration,
    grace: Duration,
}

impl Guard {
    /// Looks every 100 ms, calls it a pause from 250 ms of lateness on, and allows a grace of 1 s.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tick: Duration::from_millis(100),
            limit: Duration::from_millis(250),
            grace: Duration::from_secs(1),
        }
    }

    /// How often the observer looks at least; 1 ms at least.
    #[must_use]
    pub fn tick(self, tick: Duration) -> Self {
        Self {
            tick: tick.max(Duration::from_millis(1)),
            ..self
        }
    }

    /// From how much lateness on it is a pause.
    #[must_use]
    pub const fn limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// For how long nobody is judged afterwards: one interval of the nodes that are watched, or more.
    #[must_use]
    pub const fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self::new()
    }
}

/// The guard at work. It splits time in two: what the clock says, and *judged* time, which stands still
/// while the observer does.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    rule: Option<Guard>,
    /// The last look.
    seen: Option<Moment>,
    /// Nanoseconds that do not count.
    lost: u64,
    /// The end of the last pause.
    resumed: Moment,
    /// Judged time until which nobody is judged.
    held: Moment,
    /// Nobody was judged since that was set.
    owes_judgement: bool,
}

impl Watch {
    pub(super) const fn new(rule: Option<Guard>) -> Self {
        Self {
            rule,
            seen: None,
            lost: 0,
            resumed: Moment::ZERO,
            held: Moment::ZERO,
            owes_judgement: false,
        }
    }

    pub(super) const fn is_on(&self) -> bool {
        self.rule.is_some()
    }

    /// How late the look at `now` is, if that is a pause.
    #[inline]
    fn pause(&self, now: Moment) -> Option<Duration> {
        let late = now.since(self.promised()?);
        (late > self.rule?.limit).then_some(late)
    }

    /// Judged time, less a pause that is only about to be noticed.
    #[inline]
    pub(super) fn judged(&self, now: Moment) -> Moment {
        let judged = self.at_present(now);
        match self.pause(now) {
            None => judged,
            Some(late) => Moment::after(judged.since(Moment::after(late))),
        }
    }

    /// What a moment of the detector's is in judged time, from now on.
    #[inline]
    pub(super) const fn at_present(&self, moment: Moment) -> Moment {
        Moment::from_nanos(moment.as_nanos().saturating_sub(self.lost))
    }

    /// When it will be `judged` unless there is another pause.
    pub(super) const fn real(&self, judged: Moment) -> Moment {
        Moment::from_nanos(judged.as_nanos().saturating_add(self.lost))
    }

    /// The observer is awake at `now`. If it was not, how late that is.
    #[inline]
    pub(super) fn wake(&mut self, now: Moment) -> Option<Duration> {
        self.rule?;
        let pause = self.pause(now);
        if let Some(late) = pause {
            self.lost = self.lost.saturating_add(Moment::after(late).as_nanos());
            self.resumed = now;
            self.seen = Some(now);
            if !std::mem::replace(&mut self.owes_judgement, true) {
                self.held = self.at_present(now).plus(self.rule?.grace);
            }
        }
        self.seen = self.seen.or(Some(now));
        pause
    }

    /// The observer looked at everything.
    pub(super) fn looked(&mut self, now: Moment) {
        if self.rule.is_some() {
            self.seen = Some(self.seen.map_or(now, |seen| seen.max(now)));
            self.owes_judgement &= self.is_holding(self.judged(now));
        }
    }

    #[inline]
    pub(super) fn is_holding(&self, judged: Moment) -> bool {
        judged < self.held
    }

    /// Whether somebody may be judged at `now`: not after a pause that is only about to be noticed.
    pub(super) fn is_judging(&self, now: Moment) -> bool {
        self.pause(now).is_none() && !self.is_holding(self.judged(now))
    }

    pub(super) const fn held(&self) -> Moment {
        self.held
    }

    /// Whether the observer has been away since `moment`.
    #[inline]
    pub(super) fn paused_since(&self, moment: Moment) -> bool {
        moment < self.resumed
    }

    /// When the observer promised to look again.
    pub(super) fn promised(&self) -> Option<Moment> {
        Some(self.seen?.plus(self.rule?.tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Moment {
        Moment::from_nanos(n * 1_000_000)
    }

    #[test]
    fn lateness_up_to_the_limit_is_no_pause() {
        let mut watch = Watch::new(Some(Guard::new()));
        assert_eq!(watch.wake(ms(5_000)), None, "the first look is never late");
        assert_eq!(watch.wake(ms(5_350)), None);
        assert_eq!(watch.wake(ms(5_351)), Some(Duration::from_millis(251)));
        assert_eq!(watch.judged(ms(5_351)), ms(5_100));
        assert!(watch.is_holding(ms(6_099)));
        assert!(!watch.is_holding(ms(6_100)));
    }

    #[test]
    fn a_pause_that_nobody_has_noticed_yet_counts_already() {
        let mut watch = Watch::new(Some(Guard::new()));
        watch.looked(ms(100));
        assert_eq!(watch.judged(ms(60_100)), ms(200));
        watch.wake(ms(60_100));
        assert_eq!(watch.judged(ms(60_150)), ms(250));
        assert_eq!(watch.real(ms(250)), ms(60_150));
    }

    #[test]
    fn there_is_a_judgement_between_two_graces() {
        let mut watch = Watch::new(Some(Guard::new()));
        watch.looked(ms(0));
        let mut look = |now| {
            let paused = watch.wake(ms(now)).is_some();
            let judges = !watch.is_holding(watch.judged(ms(now)));
            watch.looked(ms(now));
            (paused, judges)
        };
        // A tick of judged time passes with each.
        let judges = (1..=21).map(|n| look(n * 1000)).map(|(paused, judges)| {
            assert!(paused);
            judges
        });
        let judged: Vec<usize> = judges
            .enumerate()
            .filter(|(_, judges)| *judges)
            .map(|(n, _)| n)
            .collect();
        assert_eq!(judged, [10]);
    }

    #[test]
    fn without_a_rule_time_is_time() {
        let mut watch = Watch::new(None);
        watch.looked(ms(0));
        assert_eq!(watch.wake(ms(1_000_000)), None);
        assert_eq!(watch.judged(ms(1_000_000)), ms(1_000_000));
        assert_eq!(watch.promised(), None);
    }
}
