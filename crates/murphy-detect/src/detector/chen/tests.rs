use std::time::Duration;

use super::super::tests::Path;
use super::*;

const WAY: Duration = Duration::from_millis(20);

/// Whole milliseconds to the deadline, from when the last beat was sent.
fn patience(path: &Path<'_, Chen>) -> u128 {
    let since_sent = path.deadline.since(path.arrival(Duration::ZERO));
    since_sent.as_micros().div_ceil(1000)
}

fn chen(margin_ms: u64) -> Chen {
    Chen::new(Span::fixed(Duration::from_millis(margin_ms)))
}

#[test]
fn a_beat_is_expected_an_interval_and_the_mean_way_after_the_last_was_sent() {
    let detector = chen(500);
    let mut path = Path::new(&detector, Duration::from_secs(1));
    path.run(100, WAY);
    assert_eq!(patience(&path), 1520);
}

#[test]
fn a_beat_that_was_late_puts_off_no_deadline() {
    let detector = chen(500);
    let mut path = Path::new(&detector, Duration::from_secs(1));
    path.run(100, WAY);
    path.beat(Duration::from_millis(340));
    // A thirty-second of it is learned.
    assert_eq!(patience(&path), 1530);
}

#[test]
fn a_sender_whose_period_is_longer_than_it_says_is_trusted() {
    let detector = chen(350).samples(1000).unwrap();
    let mut path = Path::new(&detector, Duration::from_millis(100));
    path.period = Duration::from_micros(103_500);
    for _ in 0..20_000 {
        let before = path.deadline;
        let (at, _) = path.beat(WAY);
        assert!(at < before, "suspected at beat {}", path.seq);
    }
    assert_eq!(patience(&path), 470);
}

#[test]
fn a_clock_that_was_set_is_learned_after_four_beats() {
    for seconds in [60, 1_000_000] {
        let detector = chen(500);
        let mut path = Path::new(&detector, Duration::from_secs(1));
        path.run(100, WAY);
        // The sender's clock stood still while the beats were on their way.
        let stopped = Duration::from_secs(seconds);
        path.run(3, stopped);
        assert_eq!(path.deadline, path.arrival(stopped), "still suspected");
        path.run(1, stopped);
        assert_eq!(
            path.deadline.since(path.arrival(stopped)),
            Duration::from_millis(1500)
        );
    }
}

#[test]
fn a_sender_that_claims_the_future_gains_a_bounded_time() {
    for ahead in [10, 100_000_000] {
        let detector = chen(500);
        let mut path = Path::new(&detector, Duration::from_secs(1));
        path.run(100, WAY);
        let at = path.arrival(WAY).plus(Duration::from_secs(1));
        let beat = Beat {
            at,
            sent: path.sent.plus(Duration::from_secs(ahead)),
            seq: 101,
            interval: Duration::from_secs(1),
            ends_outage: false,
        };
        let deadline = detector.observe(&mut path.state, &beat);
        assert_eq!(deadline.since(at), Duration::from_secs(3));
    }
}
