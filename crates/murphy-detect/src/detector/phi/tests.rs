//! akka's own sequences (`AccrualFailureDetectorSpec`), and what is ours.

use super::super::tests::{beats, every};
use super::*;

/// As akka's tests make one: no pause.
fn akka() -> Phi {
    Phi::akka().pause(Duration::ZERO)
}

/// φ so long after beats that came after these silences.
fn phi_after(detector: &Phi, silences: &[u64], millis_later: u64) -> f64 {
    let mut state = detector.start();
    let (mut at, mut deadline) = (Moment::ZERO, Moment::MAX);
    for (seq, silence) in (0..).zip(silences) {
        at = at.plus(Duration::from_millis(*silence));
        let beat = Beat {
            at,
            sent: at,
            seq,
            interval: Duration::from_secs(1),
            ends_outage: at >= deadline,
        };
        deadline = detector.observe(&mut state, &beat);
    }
    detector.level(&state, at.plus(Duration::from_millis(millis_later)))
}

fn available(detector: &Phi, silences: &[u64], millis_later: u64) -> bool {
    phi_after(detector, silences, millis_later) < detector.threshold()
}

#[test]
fn after_one_beat_phi_is_a_guess() {
    assert!((phi_after(&akka(), &[0], 1000) - 0.3).abs() < 0.2);
    assert!((phi_after(&akka(), &[0], 2000) - 4.5).abs() < 0.3);
    assert!(phi_after(&akka(), &[0], 3000) > 15.0);
}

#[test]
fn a_node_that_misses_beats_is_suspected() {
    let three = akka().suspect_from(3.0).unwrap();
    assert!(available(&three, &[0, 1000, 100], 100));
    assert!(!available(&three, &[0, 1000, 100], 7100));
}

#[test]
fn a_node_that_beats_again_is_available_and_its_outage_is_not_learned() {
    let mut silences = vec![0];
    silences.extend([1000; 999]);
    let five_minutes = 300_000;
    assert!(!available(&Phi::akka(), &silences, five_minutes));
    silences.push(five_minutes);
    assert!(available(&Phi::akka(), &silences, 100));
    silences.push(1000);
    assert!(!available(&Phi::akka(), &silences, 7100));
    silences.push(7100);
    assert!(available(&Phi::akka(), &silences, 900));
    silences.push(1000);
    assert!(available(&Phi::akka(), &silences, 900));
}

#[test]
fn an_outage_leaves_the_next_deadline_as_it_was() {
    let steady = every(Duration::from_secs(1), 1000);
    let outage = [&steady[..], &[Duration::from_secs(300)]].concat();
    for detector in [Phi::akka(), Phi::exact()] {
        let (before, after) = (beats(&detector, &steady), beats(&detector, &outage));
        assert_eq!(before.1.since(before.0), after.1.since(after.0));
    }
}

#[test]
fn the_pause_is_forgiven_and_no_more() {
    assert!(available(&Phi::akka(), &[0, 1000, 1000, 1000], 4000));
    let silences = [0, 1000, 1000, 1000, 1000, 1000];
    assert!(available(&Phi::akka(), &silences, 500));
    assert!(!available(
        &Phi::akka(),
        &[0, 1000, 1000, 1000, 1000, 1000, 1000],
        5000
    ));
}

#[test]
fn only_the_last_samples_count() {
    let three = akka().samples(3).unwrap();
    let slow = phi_after(&three, &[0, 100, 100, 100, 600, 500, 500, 500], 500);
    let fast = phi_after(&three, &[0, 100, 100, 100], 100);
    assert!((slow - fast).abs() < 1e-3, "{slow} {fast}");
}

#[test]
fn five_thousand_perfect_beats_are_no_reason_for_suspicion() {
    let detector = akka().samples(100).unwrap();
    let mut state = detector.start();
    let mut deadline = Moment::MAX;
    for seq in 0..5000 {
        let at = Moment::after(Duration::from_secs(seq));
        assert!(at < deadline, "suspected before beat {seq}");
        let interval = Duration::from_secs(1);
        deadline = detector.observe(
            &mut state,
            &Beat {
                at,
                sent: at,
                seq,
                interval,
                ends_outage: false,
            },
        );
    }
}

#[test]
fn akkas_defaults_find_a_crash_after_four_seconds_and_a_half() {
    let second = Duration::from_secs(1);
    for (detector, want) in [(Phi::akka(), 4.5226), (Phi::exact(), 4.5612)] {
        let (last, deadline) = beats(&detector, &every(second, 3000));
        let silence = deadline.since(last).as_secs_f64();
        assert!((silence - want).abs() < 1e-3, "{silence}");
    }
}

#[test]
fn knobs_that_cannot_be_are_refused() {
    let error = akka().suspect_from(f64::NAN).unwrap_err();
    assert_eq!(error.to_string(), "`threshold = NaN`: use 0.001 to 1000000");
    assert!(akka().samples(1).is_err());
    assert!(akka().min_deviation(Duration::ZERO).is_err());
}
