//! Whatever is done to a clock, its monotonic side goes on, and nobody sleeps too short or for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use murphy_core::clock::{
    Clock, Drift, Interval, ManualClock, Offset, SkewedClock, Sleep, Suspended, Wall,
};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;
use tokio_test::task::{Spawn, spawn};

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

/// What can be done to a clock.
#[derive(Clone, Copy, Debug)]
enum Change {
    Advance(Duration),
    Drift(Drift),
    Jump(Offset),
    Set(Wall),
    Slew(Offset, Duration),
    Freeze,
    Thaw,
    Suspend(Duration, Suspended),
    Sync,
}

fn length() -> impl Strategy<Value = Duration> {
    prop_oneof![
        6 => (0..20_000_000_000u64).prop_map(Duration::from_nanos),
        2 => (0..5u64).prop_map(Duration::from_nanos),
        1 => (any::<u64>(), 0..1_000_000_000u32).prop_map(|(s, n)| Duration::new(s, n)),
        1 => Just(Duration::MAX),
    ]
}

fn offset() -> impl Strategy<Value = Offset> {
    prop_oneof![
        4 => (-20_000_000_000..20_000_000_000i64).prop_map(Offset::from_nanos),
        1 => any::<i64>().prop_map(Offset::from_nanos),
    ]
}

fn drift() -> impl Strategy<Value = Drift> {
    let ppm = prop_oneof![
        -500.0..500.0,
        -999_999.0..3_000_000.0,
        Just(999_000_000.0),
        Just(-999_999.0),
    ];
    ppm.prop_map(|ppm| Drift::ppm(ppm).expect("in range"))
}

fn change() -> impl Strategy<Value = Change> {
    let suspended = prop_oneof![Just(Suspended::Counts), Just(Suspended::IsLost)];
    prop_oneof![
        6 => length().prop_map(Change::Advance),
        2 => drift().prop_map(Change::Drift),
        1 => offset().prop_map(Change::Jump),
        1 => any::<i64>().prop_map(|n| Change::Set(Wall::from_nanos(n))),
        1 => (offset(), length()).prop_map(|(by, over)| Change::Slew(by, over)),
        1 => Just(Change::Freeze),
        2 => Just(Change::Thaw),
        1 => (length(), suspended).prop_map(|(by, mode)| Change::Suspend(by, mode)),
        1 => Just(Change::Sync),
    ]
}

fn make<C: Clock>(change: Change, clock: &SkewedClock<C>, base: &ManualClock) {
    match change {
        Change::Advance(by) => base.advance(by),
        Change::Drift(drift) => clock.set_drift(drift),
        Change::Jump(by) => clock.jump(by),
        Change::Set(to) => clock.set_wall(to),
        Change::Slew(by, over) => clock.slew(by, over),
        Change::Freeze => clock.freeze(),
        Change::Thaw => clock.thaw(),
        Change::Suspend(by, mode) => clock.suspend(by, mode),
        Change::Sync => clock.sync(),
    }
}

/// Polls as an executor does: first once, then only when woken.
struct Sleeper {
    deadline: Instant,
    sleep: Spawn<Sleep>,
    is_awake: bool,
}

impl Sleeper {
    fn new(clock: &dyn Clock, after: Duration) -> Option<Self> {
        let deadline = clock.now().checked_add(after)?;
        let mut sleep = spawn(clock.sleep_until(deadline));
        let is_awake = sleep.poll().is_ready();
        Some(Self {
            deadline,
            sleep,
            is_awake,
        })
    }

    fn run(&mut self) -> bool {
        while !self.is_awake && self.sleep.is_woken() {
            self.is_awake = self.sleep.poll().is_ready();
        }
        self.is_awake
    }
}

proptest! {
    #[test]
    fn monotonic_time_never_goes_back_and_sleepers_wake_exactly_when_it_is_time(
        changes in vec(change(), 0..40),
        waits in vec(length(), 1..6),
    ) {
        let base = ManualClock::new();
        let clock = SkewedClock::over(base.clone());
        let mut sleepers: Vec<_> = waits.iter().filter_map(|&wait| Sleeper::new(&clock, wait)).collect();
        let mut before = clock.now();
        for change in changes {
            make(change, &clock, &base);
            let now = clock.now();
            prop_assert!(now >= before, "{change:?}");
            before = now;
            for sleeper in &mut sleepers {
                // Once it is time it stays so: the monotonic clock never goes back.
                prop_assert_eq!(sleeper.run(), now >= sleeper.deadline, "{:?}", change);
            }
            let late = Sleeper::new(&clock, waits[0]);
            sleepers.extend(late);
        }
    }

    #[test]
    fn a_bent_clock_over_a_bent_clock_keeps_its_promises(
        changes in vec((any::<bool>(), change()), 0..40),
        wait in length(),
    ) {
        let base = ManualClock::new();
        let inner = SkewedClock::over(base.clone());
        let outer: SkewedClock<Arc<dyn Clock>> = SkewedClock::over(Arc::new(inner.clone()));
        let mut sleeper = Sleeper::new(&outer, wait);
        let mut before = outer.now();
        for (is_inner, change) in changes {
            match is_inner {
                true => make(change, &inner, &base),
                false => make(change, &outer, &base),
            }
            let now = outer.now();
            prop_assert!(now >= before);
            before = now;
            if let Some(sleeper) = &mut sleeper {
                prop_assert_eq!(sleeper.run(), now >= sleeper.deadline, "{:?}", change);
            }
        }
    }

    #[test]
    fn readings_do_not_change_what_is_read(
        changes in vec((change(), any::<bool>()), 0..40),
    ) {
        let base = ManualClock::new();
        let read = SkewedClock::over(base.clone());
        let unread = SkewedClock::over(base.clone());
        for (change, is_read) in changes {
            make(change, &read, &base);
            if !matches!(change, Change::Advance(_)) {
                make(change, &unread, &base);
            }
            if is_read {
                let _ = (read.now(), read.wall(), read.bound(), read.skew());
            }
        }
        prop_assert_eq!((read.now() - unread.now(), read.wall()), (Duration::ZERO, unread.wall()));
    }

    #[test]
    fn a_time_of_day_survives_arithmetic_and_print(
        nanos in any::<i64>(), by in offset(), length in length(), digits in 0..12usize,
    ) {
        let wall = Wall::from_nanos(nanos);
        let _ = (wall + by, wall - by, wall - length, (wall - Wall::MIN) + -by, by.to_string());
        let around = Interval::around(wall + length, length);
        prop_assert!(around.contains(wall + length) && !around.certainly_before(around));
        let text = wall.to_string();
        let rounded = format!("{wall:.digits$}");
        prop_assert!(rounded.ends_with('Z'));
        if (0..i64::MAX).contains(&nanos) {
            prop_assert_eq!(text.parse::<Wall>(), Ok(wall));
        }
    }

    #[test]
    fn no_text_that_is_no_time_of_day_panics(text in any::<String>()) {
        let _ = text.parse::<Wall>();
    }
}

/// Threads that change it, threads that read it and a base that runs: it never goes back.
#[test]
fn monotonic_time_never_goes_back_under_threads() {
    let clock = SkewedClock::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut before = clock.now();
                while !done.load(Relaxed) {
                    let now = clock.now();
                    assert!(now >= before, "{:?} back", before - now);
                    before = now;
                }
            })
        });
        for n in 0..20_000u32 {
            match n % 6 {
                0 => clock.set_drift(Drift::ppm(900_000.0).expect("in range")),
                1 => clock.freeze(),
                2 => clock.jump(Offset::behind(SECOND)),
                3 => clock.thaw(),
                4 => clock.set_drift(Drift::ppm(-900_000.0).expect("in range")),
                _ => clock.suspend(NANO * 100, Suspended::Counts),
            }
        }
        done.store(true, Relaxed);
        let _ = readers.map(|reader| reader.join().expect("it never goes back"));
    });
}

/// A base that lets somebody in between a sleeper's look at the clock and its wait.
struct Meddled {
    base: ManualClock,
    meddle: std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Clock for Meddled {
    fn now(&self) -> Instant {
        self.base.now()
    }

    fn wall(&self) -> Wall {
        self.base.wall()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        if let Some(meddle) = self.meddle.lock().expect("no panic").take() {
            meddle();
        }
        self.base.sleep_until(deadline)
    }
}

#[test]
fn a_change_between_the_look_and_the_wait_is_not_missed() {
    let base = ManualClock::new();
    let meddled = Arc::new(Meddled {
        base: base.clone(),
        meddle: Default::default(),
    });
    let clock = SkewedClock::over(Arc::clone(&meddled));
    let twice = Drift::ppm(1e6).expect("in range");
    let faster = clock.clone();
    *meddled.meddle.lock().expect("no panic") = Some(Box::new(move || faster.set_drift(twice)));
    let mut sleeper = Sleeper::new(&clock, 10 * SECOND).expect("not too late");
    base.advance(5 * SECOND);
    assert!(sleeper.run());
}
