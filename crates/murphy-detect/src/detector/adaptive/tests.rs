use std::time::Duration;

use super::super::tests::Path;
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const WAY: Duration = Duration::from_millis(20);

fn margin(intervals: f64) -> Adaptive {
    Adaptive::default().margin(Span::intervals(intervals).unwrap())
}

/// Milliseconds from the last arrival to the deadline.
fn patience(path: &Path<'_, Adaptive>, way: Duration) -> f64 {
    path.deadline.since(path.arrival(way)).as_secs_f64() * 1e3
}

#[test]
fn two_beats_may_be_lost() {
    let detector = Adaptive::default();
    let mut path = Path::new(&detector, SECOND);
    path.run(60, WAY);
    path.lose();
    path.lose();
    let before = path.deadline;
    let (at, _) = path.beat(WAY + Duration::from_millis(99));
    assert!(at < before);
    // That beats were lost is no restlessness: the late one is, a little.
    assert!(
        (patience(&path, WAY) - 3100.0).abs() < 10.0,
        "{}",
        patience(&path, WAY)
    );
}

#[test]
fn where_beats_come_restlessly_the_margin_grows_to_ten_deviations() {
    let detector = margin(0.5);
    let mut path = Path::new(&detector, SECOND);
    path.run(60, WAY);
    assert!((patience(&path, WAY) - 1500.0).abs() < 1.0);
    for _ in 0..200 {
        path.beat(WAY);
        path.beat(WAY + Duration::from_millis(400));
    }
    // Half of them 200 ms early, half of them 200 ms late.
    let grown = path
        .deadline
        .since(path.arrival(WAY + Duration::from_millis(200)));
    assert!((2.9..3.2).contains(&grown.as_secs_f64()), "{grown:?}");
}

#[test]
fn a_margin_that_was_asked_small_grows_in_proportion() {
    let grown = |asked: f64| {
        let detector = margin(asked);
        let mut path = Path::new(&detector, SECOND);
        for _ in 0..200 {
            path.beat(WAY);
            path.beat(WAY + Duration::from_millis(400));
        }
        path.deadline.since(path.arrival(WAY)).as_secs_f64() - 1.2
    };
    let (tenth, fifth) = (grown(0.1), grown(0.2));
    assert!(
        tenth > 0.25 && (fifth / tenth - 2.0).abs() < 0.05,
        "{tenth} {fifth}"
    );
}

#[test]
fn no_silence_is_forgiven_past_the_cap() {
    let cap = Span::intervals(2.5).unwrap();
    let detector = Adaptive::default().cap(cap).unwrap();
    let mut path = Path::new(&detector, SECOND);
    for n in 0..200 {
        let (at, deadline) = path.beat(SECOND * (n * 7919 % 5));
        assert!(deadline.since(at) <= SECOND * 5 / 2);
    }
}

#[test]
fn a_pause_of_the_senders_is_soon_forgotten() {
    let detector = margin(0.5);
    let mut path = Path::new(&detector, SECOND);
    path.run(60, WAY);
    path.sent = path.sent.plus(SECOND * 300);
    path.beat(WAY);
    assert!(patience(&path, WAY) < 4000.0, "{}", patience(&path, WAY));
    path.run(250, WAY);
    assert!(patience(&path, WAY) < 1600.0, "{}", patience(&path, WAY));
}

#[test]
fn a_sender_whose_period_is_longer_than_it_says_is_trusted() {
    let detector = margin(0.5);
    let mut path = Path::new(&detector, SECOND / 10);
    path.period = Duration::from_micros(103_500);
    for _ in 0..10_000 {
        let before = path.deadline;
        let (at, _) = path.beat(WAY);
        assert!(at < before, "suspected at beat {}", path.seq);
    }
}

#[test]
fn a_clock_that_was_set_is_learned_after_four_beats() {
    let detector = Adaptive::default();
    let mut path = Path::new(&detector, SECOND);
    path.run(60, WAY);
    let stopped = SECOND * 1000;
    path.run(3, stopped);
    assert_eq!(path.deadline, path.arrival(stopped), "still suspected");
    path.run(2, stopped);
    assert!(patience(&path, stopped) >= 3100.0);
}

#[test]
fn a_longer_way_is_learned_within_a_few_beats() {
    let detector = Adaptive::default();
    let mut path = Path::new(&detector, SECOND);
    path.run(60, WAY);
    let longer = SECOND * 5;
    let mut suspected = 0;
    for _ in 0..1000 {
        let before = path.deadline;
        let (at, _) = path.beat(longer);
        suspected += usize::from(at >= before);
    }
    assert!((1..=16).contains(&suspected), "{suspected}");
    assert!(
        (patience(&path, longer) - 3100.0).abs() < 1.0,
        "{}",
        patience(&path, longer)
    );
}

#[test]
fn its_state_is_a_cache_line() {
    assert!(
        size_of::<AdaptiveState>() <= 64,
        "{}",
        size_of::<AdaptiveState>()
    );
}

#[test]
fn knobs_that_cannot_be_are_refused() {
    assert!(Adaptive::default().deviations(-1.0).is_err());
    let error = Adaptive::default()
        .cap(Span::fixed(Duration::ZERO))
        .unwrap_err();
    assert!(error.to_string().starts_with("`cap = 0`: use"), "{error}");
}
