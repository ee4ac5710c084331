//! What holds for every detector, whatever it is told.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// `n` beats every `interval`: silences, of which the first is before the first beat.
pub(super) fn every(interval: Duration, n: usize) -> Vec<Duration> {
    vec![interval; n]
}

/// Beats after these silences, as akka would take them: the last one's arrival, and the deadline.
pub(super) fn beats<D: Detector>(detector: &D, silences: &[Duration]) -> (Moment, Moment) {
    let mut state = detector.start();
    let (mut at, mut deadline) = (Moment::ZERO, Moment::MAX);
    for (seq, silence) in (0..).zip(silences) {
        at = at.plus(*silence);
        let beat = Beat {
            at,
            sent: at,
            seq,
            interval: Duration::from_secs(1),
            ends_outage: at >= deadline,
        };
        deadline = detector.observe(&mut state, &beat);
    }
    (at, deadline)
}

/// A sender that beats, and the way its beats take.
#[derive(Debug)]
pub(super) struct Path<'a, D: Detector> {
    detector: &'a D,
    pub(super) state: D::State,
    /// What the sender says that its interval is.
    pub(super) interval: Duration,
    /// What it truly is.
    pub(super) period: Duration,
    /// The sender's clock; the observer's is at the same, plus an hour.
    pub(super) sent: Moment,
    pub(super) seq: u64,
    at: Moment,
    pub(super) deadline: Moment,
}

impl<'a, D: Detector> Path<'a, D> {
    pub(super) fn new(detector: &'a D, interval: Duration) -> Self {
        Self {
            detector,
            state: detector.start(),
            interval,
            period: interval,
            sent: Moment::ZERO,
            seq: 0,
            at: Moment::ZERO,
            deadline: Moment::MAX,
        }
    }

    /// One beat, which is so long on its way: its arrival, and the deadline.
    pub(super) fn beat(&mut self, way: Duration) -> (Moment, Moment) {
        self.seq += 1;
        self.sent = self.sent.plus(self.period);
        self.at = self.at.max(self.arrival(way));
        let beat = Beat {
            at: self.at,
            sent: self.sent,
            seq: self.seq,
            interval: self.interval,
            ends_outage: self.at >= self.deadline,
        };
        self.deadline = self.detector.observe(&mut self.state, &beat);
        (self.at, self.deadline)
    }

    pub(super) fn run(&mut self, beats: u64, way: Duration) {
        for _ in 0..beats {
            self.beat(way);
        }
    }

    /// One that is lost.
    pub(super) fn lose(&mut self) {
        self.seq += 1;
        self.sent = self.sent.plus(self.period);
    }

    /// When the last beat would have come.
    pub(super) fn arrival(&self, way: Duration) -> Moment {
        self.sent.plus(Duration::from_secs(3600)).plus(way)
    }
}

/// Numbers of all sizes.
fn any_nanos() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..3u64,
        0..10_000_000_000u64,
        any::<u64>(),
        (0..3u64).prop_map(|n| u64::MAX - n),
        (0..64u32).prop_map(|bits| 1 << bits),
    ]
}

fn any_beat() -> impl Strategy<Value = (u64, Beat)> {
    let interval = prop_oneof![
        Just(Duration::from_secs(1)),
        any_nanos().prop_map(Duration::from_nanos),
        Just(Duration::MAX),
    ];
    (
        any_nanos(),
        any_nanos(),
        any_nanos(),
        interval,
        any::<bool>(),
    )
        .prop_map(|(step, sent, seq, interval, ends_outage)| {
            let beat = Beat {
                at: Moment::ZERO,
                sent: Moment::from_nanos(sent),
                seq,
                interval,
                ends_outage,
            };
            (step, beat)
        })
}

/// Tells a detector anything, and holds it to what the trait says.
fn obeys<D: Detector>(
    detector: &D,
    told: &[(u64, Beat)],
    asked: &[u64],
) -> Result<(), TestCaseError> {
    let mut state = detector.start();
    let mut at = Moment::ZERO;
    for (step, beat) in told {
        at = at.plus(Duration::from_nanos(*step));
        let deadline = detector.observe(&mut state, &Beat { at, ..*beat });
        prop_assert!(
            deadline >= at,
            "{detector:?}: {deadline:?} is before {at:?}"
        );
        let near = deadline.as_nanos();
        let mut moments = vec![
            0,
            at.as_nanos(),
            near.saturating_sub(1),
            near,
            near.saturating_add(1),
            u64::MAX,
        ];
        moments.extend(
            asked
                .iter()
                .map(|&after| at.as_nanos().saturating_add(after)),
        );
        moments.sort_unstable();
        let mut before = 0.0;
        for moment in moments {
            let now = Moment::from_nanos(moment);
            let level = detector.level(&state, now);
            prop_assert!(level.is_finite() && level >= 0.0, "{detector:?}: {level}");
            prop_assert!(
                level >= before,
                "{detector:?}: {before} fell to {level} at {now:?}"
            );
            let suspected = level >= detector.threshold();
            prop_assert_eq!(
                suspected,
                now >= deadline,
                "{:?}: {} at {:?} of {:?}",
                detector,
                level,
                now,
                deadline
            );
            before = level;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_is_told_no_detector_panics_or_contradicts_itself(
        told in prop::collection::vec(any_beat(), 1..40),
        asked in prop::collection::vec(any_nanos(), 0..20),
        threshold in 0.01..300.0,
    ) {
        let margin = Span::intervals(0.1).unwrap();
        let (told, asked) = (&told[..], &asked[..]);
        obeys(&Adaptive::default(), told, asked)?;
        obeys(&Adaptive::default().margin(Span::fixed(Duration::MAX)).cap(Span::fixed(Duration::MAX)).unwrap(), told, asked)?;
        obeys(&Fixed::try_new(Duration::from_secs(4)).unwrap(), told, asked)?;
        obeys(&Fixed::try_new(Duration::MAX).unwrap(), told, asked)?;
        obeys(&Phi::akka().suspect_from(threshold).unwrap(), told, asked)?;
        obeys(&Phi::exact().suspect_from(threshold).unwrap().samples(5).unwrap(), told, asked)?;
        let narrow = Phi::exact().min_deviation(Duration::from_micros(1)).unwrap().pause(Duration::ZERO);
        obeys(&narrow, told, asked)?;
        obeys(&Exponential::cassandra().suspect_from(threshold).unwrap(), told, asked)?;
        obeys(&Exponential::chitchat(), told, asked)?;
        obeys(&Chen::new(margin), told, asked)?;
        obeys(&Chen::new(Span::fixed(Duration::MAX)), told, asked)?;
        obeys(&TwoWindow::new(margin), told, asked)?;
    }
}

#[test]
fn before_the_first_beat_there_is_no_suspicion() {
    fn level<D: Detector>(detector: &D) -> f64 {
        detector.level(&detector.start(), Moment::ZERO)
    }
    assert_eq!(level(&Phi::akka()), 0.0);
    assert_eq!(level(&Exponential::chitchat()), 0.0);
}

/// How long a dead node is trusted for 20 beats of it that leave a queue one by one, every 15 s (Scylla's #8488), in
/// seconds.
fn trusted_behind_a_queue<D: Detector>(detector: &D) -> f64 {
    let second = Duration::from_secs(1);
    let mut path = Path::new(detector, second);
    path.run(100, second / 50);
    let trusted = (1..=20).map(|beat| {
        let (at, deadline) = path.beat(second * 14 * beat);
        deadline.since(at).as_secs_f64()
    });
    trusted.sum()
}

#[test]
fn beats_that_waited_in_a_queue_keep_nobody_alive_who_is_judged_by_when_they_were_sent() {
    let fixed = Fixed::try_new(Duration::from_secs(4)).unwrap();
    let chen = Chen::new(Span::intervals(2.1).unwrap());
    let trusted = trusted_behind_a_queue(&fixed);
    assert_eq!(trusted, 80.0);
    // One in four begins anew, as if a clock had been set.
    for trusted in [
        trusted_behind_a_queue(&chen),
        trusted_behind_a_queue(&Adaptive::default()),
    ] {
        assert!(trusted < 20.0, "{trusted}");
    }
}
