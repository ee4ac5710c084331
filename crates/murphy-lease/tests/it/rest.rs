//! Leases of which nothing is due yet: they share a task, in the runtime that they were acquired in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use murphy_core::clock::{Sleep, Wall};
use murphy_core::{Clock, TokioClock};
use murphy_lease::{Locks, MemoryStore, ReleaseError, Renewal, Ttl};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, timeout};

use crate::keeper::Counting;
use crate::store::{Fate, Store, TTL, ms};

#[tokio::test(start_paused = true)]
async fn a_thousand_that_rest_have_one_timer_and_are_renewed_each_at_its_own_time() {
    let (store, timers) = (Store::new(), Counting::default());
    let locks = store.locks(1).clock(Arc::new(timers.clone()));
    let mut leases = Vec::new();
    for n in 0..1_000 {
        leases.push(locks.acquire(format!("{n}")).await.unwrap());
        tokio::task::yield_now().await;
        assert_eq!(timers.0.load(Ordering::Relaxed), 1, "{n}");
    }
    let began = Instant::now();
    sleep(TTL.get()).await;
    assert!(leases.iter().all(|lease| lease.token().is_ok()));
    let (third, log) = (TTL.get() / 3, store.log());
    let mut renewed: Vec<_> = log[1_000..].iter().map(|(at, _)| *at - began).collect();
    renewed.dedup();
    assert!(renewed[0] >= third.mul_f64(0.9));
    assert!(renewed.len() > 300, "in {} moments", renewed.len());
}

#[tokio::test(start_paused = true)]
async fn what_is_released_before_it_is_due_leaves_no_timer_behind() {
    let (store, timers) = (Store::new(), Counting::default());
    let locks = store.locks(1).clock(Arc::new(timers.clone()));
    for _ in 0..1_000 {
        let lease = locks.acquire("orders").await.unwrap();
        tokio::task::yield_now().await;
        lease.release().await.unwrap();
        assert!(timers.0.load(Ordering::Relaxed) <= 1);
    }
    sleep(TTL.get()).await;
    assert_eq!(timers.0.load(Ordering::Relaxed), 0, "nobody is waited for");
    assert!(!store.verbs().contains(&"renew"));
}

#[tokio::test(start_paused = true)]
async fn who_comes_and_goes_under_a_longer_one_has_nobody_look_at_all_that_rest() {
    let (store, timers) = (Store::new(), Counting::default());
    let locks = store.locks(1).clock(Arc::new(timers.clone()));
    let day = Ttl::from_secs(86_400);
    let long = locks.acquire("long").ttl(day).await.unwrap();
    for fate in [Fate::Pass, Fate::Late(ms(0))] {
        store.all(fate.clone());
        let before = timers.1.load(Ordering::Relaxed);
        for _ in 0..1_000 {
            let lease = locks.acquire("orders").await.unwrap();
            lease.release().await.unwrap();
            tokio::task::yield_now().await;
        }
        let looks = timers.1.load(Ordering::Relaxed) - before;
        assert!(looks < 100, "{fate:?}: {looks}");
    }
    assert!(long.token().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_short_one_is_renewed_in_time_behind_a_long_one() {
    let store = Store::new();
    let locks = store.locks(1);
    let _long = locks.acquire("long").await.unwrap();
    // The task sleeps for the long one by now.
    sleep(ms(1)).await;
    let ttl = Ttl::from_millis(300);
    let short = locks.acquire("short").ttl(ttl).await.unwrap();
    sleep(ttl.get() * 5).await;
    assert!(short.token().is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_that_rests_outlives_its_client() {
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    sleep(TTL.get() * 3).await;
    assert!(lease.token().is_ok(), "the client was dropped long ago");
}

#[tokio::test(start_paused = true)]
async fn one_that_rests_is_renewed_as_soon_as_more_is_needed() {
    let store = Store::new();
    for renewal in [Renewal::Auto, Renewal::Never] {
        let lease = store.locks(1).acquire("orders").renewing(renewal);
        let lease = lease.await.unwrap();
        sleep(TTL.get() / 4).await;
        let held = lease.held();
        let (needed, asked) = (TTL.get() * 9 / 10, Instant::now());
        held.ensure(needed).await.unwrap();
        assert!(asked.elapsed() <= ms(1), "{renewal:?}");
        assert!(held.remaining() >= needed);
        lease.release().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_goes_on_without_whoever_waited_for_it() {
    // At rest, and in its task.
    for age in [0, 5_000] {
        let store = Store::new();
        let lease = store.locks(1).acquire("orders").await.unwrap();
        sleep(ms(age)).await;
        store.next([Fate::Fail, Fate::Lost, Fate::Late(ms(20))]);
        let left = timeout(ms(1), lease.release()).await;
        assert!(left.is_err());
        assert!(store.is_held("orders").await);
        sleep(ms(4_000)).await;
        assert!(!store.is_held("orders").await, "{age}: {:?}", store.verbs());
    }
}

/// Panics once when it is told to.
#[derive(Clone, Debug, Default)]
struct Panicky(Arc<AtomicBool>);

impl Clock for Panicky {
    fn now(&self) -> Instant {
        assert!(!self.0.swap(false, Ordering::SeqCst), "the clock is broken");
        TokioClock.now()
    }

    fn wall(&self) -> Wall {
        TokioClock.wall()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        TokioClock.sleep_until(deadline)
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_clock_that_panicked_new_ones_are_renewed() {
    let (store, clock) = (Store::new(), Panicky::default());
    let locks = store.locks(1).clock(Arc::new(clock.clone()));
    let first = locks.acquire("first").await.unwrap();
    tokio::task::yield_now().await;
    // The task's look at its due time.
    sleep(ms(2_999)).await;
    clock.0.store(true, Ordering::SeqCst);
    sleep(ms(2)).await;
    assert!(!clock.0.load(Ordering::SeqCst), "it panicked");
    assert!(first.token().is_err());
    let second = locks.acquire("second").await.unwrap();
    drop(first);
    sleep(TTL.get() * 3).await;
    assert!(second.token().is_ok());
}

#[test]
fn under_threads_none_is_forgotten_between_rest_and_work() {
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(4).enable_all().build().unwrap();
    // Due after a fifth of it at the earliest, and used for as long as it takes to be so: many a release meets the task.
    let locks = Locks::new(MemoryStore::new()).ttl(Ttl::from_millis(30));
    let tasks: Vec<_> = (0..64_u64)
        .map(|n| {
            let locks = locks.clone();
            runtime.spawn(async move {
                for turn in 0..40 {
                    let lease = locks.acquire(format!("{n}")).await.unwrap();
                    sleep(ms([0, 9, 10, 11, 25][((n + turn) % 5) as usize])).await;
                    if turn % 3 == 0 {
                        drop(lease);
                        continue;
                    }
                    // On a busy machine its time may be up: that is said then, and nothing else.
                    match lease.release().await {
                        Ok(()) | Err(ReleaseError::Lost(_)) => {}
                        Err(ReleaseError::NotReleased(late)) if late.attempts == 0 => {}
                        Err(e) => panic!("{e}"),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
}
