//! Odd senders, and the default detector.

use murphy_core::clock::{Clock, ManualClock, SkewedClock, Suspended};

use super::*;
use crate::Adaptive;

/// Beats that claim one interval, and leave and arrive when they do: milliseconds.
struct Sender {
    monitor: Monitor<&'static str, Adaptive>,
    interval: u64,
    seq: u64,
}

impl Sender {
    fn new(interval: u64) -> Self {
        Self {
            monitor: Monitor::new(Adaptive::default()),
            interval,
            seq: 0,
        }
    }

    fn beat(&mut self, sent: u64, arrived: u64) {
        let beat = Heartbeat {
            node: "a",
            incarnation: 1,
            seq: self.seq,
            sent: at(sent),
            interval: ms(self.interval),
        };
        self.seq += 1;
        self.monitor.record_heartbeat(at(arrived), &beat).unwrap();
    }

    fn suspicions(&mut self, now: u64) -> u64 {
        while self.monitor.poll(at(now)).is_some() {}
        self.monitor.counts().suspicions
    }

    /// How long after `crashed` it is found dead.
    fn found(&mut self, crashed: u64) -> u64 {
        (crashed..)
            .find(|&now| self.monitor.liveness(&"a", at(now)).is_dead())
            .map_or(u64::MAX, |now| now - crashed)
    }
}

#[test]
fn a_sender_whose_period_drifts_is_not_suspected() {
    let mut sender = Sender::new(1000);
    let mut now = 0;
    for _ in 0..10_000 {
        now += 1035;
        sender.beat(now, now + 20);
        assert_eq!(sender.suspicions(now + 20), 0);
    }
    let found = sender.found(now);
    assert!(found <= 10_020, "{found} ms");
}

#[test]
fn delayed_beats_delay_a_death_by_no_more_than_they_were() {
    let mut sender = Sender::new(1000);
    for sent in (0..60_000).step_by(1000) {
        sender.beat(sent, sent + 20);
    }
    // It crashed, and the last twenty beats come 15 s late, one a second.
    for sent in (60_000..80_000).step_by(1000) {
        sender.beat(sent, sent + 15_000);
    }
    let found = sender.found(79_000);
    assert!(found <= 15_000 + 10_000, "{found} ms");
}

#[test]
fn a_sender_whose_clock_leaps_is_found_when_it_crashes() {
    for leap in [3_600_000, 5_000] {
        let mut sender = Sender::new(1000);
        for now in (0..60_000).step_by(1000) {
            sender.beat(now, now + 20);
        }
        for now in (60_000..120_000).step_by(1000) {
            sender.beat(now + leap, now + 20);
        }
        let found = sender.found(119_000);
        assert!(found <= 10_020, "{found} ms after a leap of {leap} ms");
    }
}

#[test]
fn a_machine_that_was_suspended_kills_nobody() {
    for mode in [Suspended::IsLost, Suspended::Counts] {
        let true_time = ManualClock::new();
        let observer = SkewedClock::over(true_time.clone());
        let origin = observer.now();
        let now = || Moment::after(observer.now() - origin);
        let mut monitor = monitor().guard(Guard::new());
        for seq in 0..100 {
            monitor.record_heartbeat(now(), &beat("a", 1, seq)).unwrap();
            while monitor.poll(now()).is_some() {}
            true_time.advance(ms(100));
        }
        observer.suspend(ms(60_000), mode);
        true_time.advance(ms(60_000));
        assert!(monitor.is_alive(&"a", now()), "{mode:?}");
        while monitor.poll(now()).is_some() {}
        monitor.record_heartbeat(now(), &beat("a", 1, 700)).unwrap();
        true_time.advance(ms(100));
        while monitor.poll(now()).is_some() {}
        assert_eq!(monitor.counts().suspicions, 0, "{mode:?}");
    }
}

/// Believes what a sender claims: silent for an interval is silent for too long.
#[derive(Debug)]
struct Claimed;

impl Detector for Claimed {
    type State = ();

    fn start(&self) {}

    fn observe(&self, (): &mut (), beat: &Beat) -> Moment {
        beat.at.plus(beat.interval)
    }

    fn level(&self, (): &(), _: Moment) -> f64 {
        0.0
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}

/// A beat of "a" that claims an interval, at a time.
fn claim(monitor: &mut Monitor<&'static str, Claimed>, now: u64, interval: u64) {
    let beat = Heartbeat {
        interval: ms(interval),
        ..beat("a", 1, now)
    };
    monitor.record_heartbeat(at(now), &beat).unwrap();
    while monitor.poll(at(now)).is_some() {}
}

#[test]
fn a_deadline_that_comes_sooner_is_kept() {
    let mut monitor = Monitor::new(Claimed);
    claim(&mut monitor, 0, 10_000);
    claim(&mut monitor, 1000, 100);
    assert_eq!(monitor.next_deadline(), Some(at(1100)));
    let suspect = monitor.poll(at(1100));
    assert!(
        matches!(suspect, Some(Event::Suspect { .. })),
        "{suspect:?}"
    );
}

#[test]
fn a_beat_does_not_take_back_what_a_sign_of_life_gave() {
    let mut monitor = Monitor::new(Claimed);
    claim(&mut monitor, 0, 3000);
    monitor.touch(at(1000), &"a");
    claim(&mut monitor, 1100, 100);
    assert!(monitor.is_alive(&"a", at(3999)));
    claim(&mut monitor, 1200, 100);
    assert!(!monitor.is_alive(&"a", at(1300)), "it holds for one beat");
}
