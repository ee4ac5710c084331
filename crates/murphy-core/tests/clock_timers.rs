//! Bent clocks over tokio's timers: what a pending one feels, and when it fires.

use std::sync::Arc;
use std::time::Duration;

use murphy_core::clock::{
    Clock, Drift, ManualClock, Offset, SkewedClock, Suspended, TokioClock, wait_past,
};
use tokio::time::Instant;
use tokio_test::task::spawn;

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

/// When a sleeper set for ten local seconds fires, in seconds of the base.
async fn fires_after(change: impl Fn(&SkewedClock)) -> Option<f64> {
    let clock = SkewedClock::new();
    let began = Instant::now();
    let deadline = clock.now() + 10 * SECOND;
    let mut asleep = tokio::spawn({
        let clock = clock.clone();
        async move {
            clock.sleep_until(deadline).await;
            assert!(clock.now() >= deadline);
        }
    });
    tokio::time::sleep(4 * SECOND).await;
    change(&clock);
    let fired = tokio::time::timeout(1000 * SECOND, &mut asleep).await;
    fired.ok()?.expect("not early");
    Some(began.elapsed().as_secs_f64())
}

#[tokio::test(start_paused = true)]
async fn a_pending_timer_feels_each_change() {
    let ppm = |ppm| Drift::ppm(ppm).expect("in range");
    let near = |fired: Option<f64>, want: f64| fired.is_some_and(|at| (at - want).abs() < 0.003);
    assert!(near(fires_after(|_| ()).await, 10.0));
    assert!(near(
        fires_after(|clock| clock.set_drift(ppm(1e6))).await,
        7.0
    ));
    assert!(near(
        fires_after(|clock| clock.set_drift(ppm(-5e5))).await,
        16.0
    ));
    assert!(near(
        fires_after(|clock| clock.jump(Offset::ahead(SECOND * 60))).await,
        10.0
    ));
    assert_eq!(fires_after(SkewedClock::freeze).await, None);
    let lost = |clock: &SkewedClock| clock.suspend(20 * SECOND, Suspended::IsLost);
    assert!(near(fires_after(lost).await, 30.0));
    let counts = |clock: &SkewedClock| clock.suspend(20 * SECOND, Suspended::Counts);
    assert!(near(fires_after(counts).await, 24.0));
}

#[tokio::test(start_paused = true)]
async fn a_frozen_machine_is_behind_until_it_is_synchronised() {
    let clock = SkewedClock::new().offset(Offset::ahead(SECOND));
    clock.freeze();
    tokio::time::sleep(15 * SECOND).await;
    assert!(clock.is_frozen());
    clock.thaw();
    assert_eq!(clock.skew(), Offset::behind(14 * SECOND));
    clock.sync();
    assert_eq!(clock.skew(), Offset::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_machine_wakes_with_the_right_time_of_day() {
    for (mode, gained) in [
        (Suspended::IsLost, SECOND),
        (Suspended::Counts, 11 * SECOND),
    ] {
        let clock = SkewedClock::new();
        let began = clock.now();
        clock.suspend(10 * SECOND, mode);
        tokio::time::sleep(11 * SECOND).await;
        assert_eq!(
            (clock.now() - began, clock.skew()),
            (gained, Offset::ZERO),
            "{mode:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_wait_takes_twice_the_error() {
    let error = Duration::from_millis(4);
    let clock: Arc<dyn Clock> = Arc::new(SkewedClock::new().error(error));
    let (stamp, began) = (clock.bound().latest(), Instant::now());
    wait_past(&*clock, stamp).await;
    assert!(clock.bound().earliest() > stamp);
    let took = began.elapsed();
    assert!(
        took > 2 * error && took <= 2 * error + Duration::from_millis(2),
        "{took:?}"
    );
}

#[test]
fn a_commit_wait_is_not_over_at_the_stamp_itself() {
    let clock = ManualClock::new();
    let mut waiting = spawn(wait_past(&clock, clock.wall()));
    assert!(waiting.poll().is_pending());
    clock.advance(NANO);
    assert!(waiting.poll().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_commit_wait_is_not_fooled_by_a_clock_that_is_set_back() {
    let clock = SkewedClock::new();
    let stamp = clock.wall() + SECOND;
    let waiting = tokio::spawn({
        let clock = clock.clone();
        async move {
            wait_past(&clock, stamp).await;
            assert!(clock.wall() > stamp);
        }
    });
    tokio::time::sleep(SECOND / 2).await;
    clock.jump(Offset::behind(5 * SECOND));
    tokio::time::sleep(2 * SECOND).await;
    assert!(!waiting.is_finished());
    waiting.await.expect("in the end");
    assert_eq!(TokioClock.bound().width(), Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleeper_that_races_with_a_thaw_wakes() {
    for n in 0..2_000u32 {
        let clock = SkewedClock::new();
        clock.freeze();
        let sleeper = clock.clone();
        let deadline = clock.now() + NANO;
        let asleep = tokio::spawn(async move { sleeper.sleep_until(deadline).await });
        for _ in 0..n % 64 {
            std::hint::spin_loop();
        }
        clock.thaw();
        let woken = tokio::time::timeout(20 * SECOND, asleep).await;
        woken.expect("no wake-up is lost").expect("no panic");
    }
}
