//! A machine that sleeps when it is told.

use std::sync::Mutex;

use super::*;
use crate::clock::Offset;

const SECOND: Duration = Duration::from_secs(1);

/// Clocks that take a moment to be read, as real ones do: each reading moves both on by a microsecond.
#[derive(Default)]
struct Told(Mutex<(Duration, Duration)>);

impl Told {
    fn sleeps(&self, by: Duration) {
        self.0.lock().unwrap().0 += by;
    }

    fn read(&self) -> (Duration, Duration) {
        let mut both = self.0.lock().unwrap();
        both.0 += Duration::from_micros(1);
        both.1 += Duration::from_micros(1);
        *both
    }
}

impl Clocks for Told {
    const DIFFER: bool = true;

    fn boot(&self) -> Duration {
        self.read().0
    }

    fn awake(&self) -> Duration {
        self.read().1
    }
}

fn machine() -> &'static Awake<Told> {
    let machine = Awake::new(Told::default());
    machine.look();
    Box::leak(Box::new(machine))
}

#[test]
fn a_machine_that_does_not_sleep_is_not_taken_to_have() {
    let machine = machine();
    for _ in 0..1000 {
        assert_eq!(machine.slept(), Duration::ZERO);
    }
}

#[test]
fn what_it_slept_is_counted_and_never_goes_back() {
    let machine = machine();
    let mut last = Duration::ZERO;
    for sleeps in 1..100 {
        machine.clocks.sleeps(SECOND);
        let slept = machine.slept();
        // But for the moment that a reading takes.
        assert!(slept <= sleeps * SECOND && slept + SECOND / 1000 > sleeps * SECOND);
        assert!(slept >= last);
        last = slept;
    }
    // A reading that was interrupted for long says less: what is known stays.
    machine.clocks.0.lock().unwrap().1 += 50 * SECOND;
    assert_eq!(machine.slept(), last);
}

#[tokio::test(start_paused = true)]
async fn a_sleeper_whose_time_came_in_the_sleep_wakes_within_a_second() {
    let (machine, began) = (machine(), Instant::now());
    let deadline = machine.now() + 3600 * SECOND;
    let sleeper = tokio::spawn(sleep_until(machine, deadline));
    tokio::time::sleep(10 * SECOND).await;
    assert!(!sleeper.is_finished());
    machine.clocks.sleeps(7200 * SECOND);
    sleeper.await.unwrap();
    assert!(began.elapsed() <= 11 * SECOND, "{:?}", began.elapsed());
    assert!(machine.now() >= deadline);
}

#[tokio::test(start_paused = true)]
async fn under_a_paused_runtime_time_is_virtual() {
    let (began, wall) = (BootClock.now(), BootClock.wall());
    let hour = 3600 * SECOND;
    BootClock.sleep_until(began + hour).await;
    assert_eq!(BootClock.now() - began, hour);
    assert_eq!(BootClock.wall() - wall, Offset::ahead(hour));
    BootClock.sleep_until(began).await;
    assert_eq!(
        BootClock.now() - began,
        hour,
        "what is past is not waited for"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_at_the_end_of_time_never_comes() {
    let mut last = Instant::now();
    for shift in (0..63).rev() {
        last = last
            .checked_add(Duration::from_secs(1 << shift))
            .unwrap_or(last);
    }
    let never = BootClock.sleep_until(last);
    let waited = tokio::time::timeout(60 * SECOND, never).await;
    assert!(waited.is_err());
}

#[test]
fn one_reading_counts_what_it_slept() {
    let machine = machine();
    let (began, wall) = (machine.now(), machine.wall());
    machine.clocks.sleeps(3600 * SECOND);
    let slept = machine.now() - began;
    assert!(slept >= 3600 * SECOND - SECOND / 1000, "{slept:?}");
    assert!(machine.wall() - wall >= Offset::ahead(3600 * SECOND - SECOND / 1000));
}

#[test]
fn time_does_not_go_back_when_a_paused_runtime_is_seen() {
    for _ in 0..1000 {
        let machine = Awake::new(System);
        let one = machine.now();
        machine.is_virtual.store(true, Ordering::Relaxed);
        assert!(machine.now() >= one);
    }
}

#[tokio::test]
async fn a_runtime_that_is_paused_later_is_seen_when_a_sleeper_wakes_too_early() {
    let began = BootClock.now();
    tokio::time::pause();
    BootClock.sleep_until(began + 3600 * SECOND).await;
    assert!(BootClock.now() - began >= 3600 * SECOND);
}

#[test]
fn time_never_goes_back_under_threads() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut last = BootClock.now();
                for _ in 0..10_000 {
                    let now = BootClock.now();
                    assert!(now >= last);
                    last = now;
                }
            });
        }
    });
}
