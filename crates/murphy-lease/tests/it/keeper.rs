//! The task of a lease: renewal, loss, and what was asked when.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use murphy_core::clock::{Sleep, Wall};
use murphy_core::{Clock, TokioClock};
use murphy_lease::{FencingToken, LeaseRequest, Locks, Renewal, Watch, Why};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep, timeout};
use tower::ServiceExt;

use crate::kinds::{Fault, Kind};
use crate::store::{Fate, Store, TTL, ms};

/// Whatever is under way then, and whichever store it comes from. Where one of three lines may be lost, two are.
#[tokio::test(start_paused = true)]
async fn a_blackhole_at_any_moment_and_it_is_lost_when_its_time_is_up() {
    for kind in Kind::ALL {
        for fault in [Fault::Lost, Fault::ReplyLost, Fault::Refused] {
            for after in (0..20_000).step_by(333) {
                let (lease, faults) = kind.lease(after).await;
                sleep(ms(after)).await;
                let is_spared = move |line| kind.spares_one() && line == after as usize % 3;
                faults.rule(move |line| match is_spared(line) {
                    true => Fault::Nothing,
                    false => fault,
                });
                let until = Instant::now() + lease.remaining();
                let lost = lease.lost().await;
                assert_eq!(lost.why, Why::Expired);
                let late = Instant::now().saturating_duration_since(until);
                let at = format!("{kind:?}, {fault:?} after {after} ms");
                assert!(late <= ms(1), "{at}: {late:?}");
                assert_eq!(lease.token().unwrap_err(), lost, "{at}");
            }
        }
    }
}

/// tokio's clock, and how many of its timers there are; and how many there have been.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counting(pub(crate) Arc<AtomicUsize>, pub(crate) Arc<AtomicUsize>);

impl Clock for Counting {
    fn now(&self) -> Instant {
        TokioClock.now()
    }

    fn wall(&self) -> Wall {
        TokioClock.wall()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        self.0.fetch_add(1, Ordering::Relaxed);
        self.1.fetch_add(1, Ordering::Relaxed);
        let ended = Ended(Arc::clone(&self.0));
        Sleep::new(async move {
            TokioClock.sleep_until(deadline).await;
            drop(ended);
        })
    }
}

struct Ended(Arc<AtomicUsize>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_lease_has_one_timer() {
    let (store, timers) = (Store::new(), Counting::default());
    let locks = store.locks(1).clock(Arc::new(timers.clone()));
    let lease = locks.acquire("orders").await.unwrap();
    let held = lease.held();
    for _ in 0..10_000 {
        sleep(ms(7)).await;
        held.token().unwrap();
        assert_eq!(timers.0.load(Ordering::Relaxed), 1);
    }
    lease.release().await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(timers.0.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn renewals_that_fail_until_the_last_tick_have_not_lost_it() {
    for kind in Kind::ALL {
        for seed in 0..50 {
            let (lease, faults) = kind.lease(seed).await;
            let until = Instant::now() + lease.remaining();
            faults.rule(move |_| match Instant::now() + ms(1) < until {
                true => Fault::Refused,
                false => Fault::Nothing,
            });
            sleep(TTL.get() * 2).await;
            assert!(lease.token().is_ok(), "{kind:?}, seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_comes_back_in_the_last_tick_is_in_time_and_one_later_is_not() {
    for (early, is_kept) in [(1, true), (0, false)] {
        let store = Store::new();
        let lease = store.locks(1).acquire("orders").await.unwrap();
        let until = Instant::now() + lease.remaining();
        // All are lost but the last: that one is on its way from a sixth before the end on.
        store.rule(move |_| {
            let now = Instant::now();
            match until - now < ms(1500) {
                true => Fate::Slow(until - now - ms(early)),
                false => Fate::Fail,
            }
        });
        sleep(until + ms(5) - Instant::now()).await;
        assert_eq!(lease.token().is_ok(), is_kept, "{early} ms before the end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_after_the_end_brings_nothing_back() {
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    store.all(Fate::Slow(ms(1_000)));
    let until = Instant::now() + lease.remaining();
    // The process stands still while a renewal is under way, and its answer is there before the clock was looked at.
    sleep(ms(3_500)).await;
    advance(until - Instant::now()).await;
    assert_eq!(lease.token().unwrap_err().why, Why::Expired);
    sleep(TTL.get()).await;
    assert!(lease.token().is_err());
    assert_eq!(lease.remaining(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_at_a_third_of_its_time_and_its_rank_stays() {
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    let token = lease.token().unwrap().clone();
    sleep(TTL.get() * 10).await;
    assert_eq!(*lease.token().unwrap(), token);
    let log = store.log();
    let gaps: Vec<_> = log.windows(2).map(|two| two[1].0 - two[0].0).collect();
    assert!(gaps.len() >= 27, "{gaps:?}");
    for gap in &gaps {
        assert!((ms(3000)..=ms(3668)).contains(gap), "{gap:?}");
    }
    assert_ne!(gaps[0], gaps[1], "with jitter");
}

#[tokio::test(start_paused = true)]
async fn who_is_not_the_holder_any_more_has_lost_it_at_once() {
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    let nonce = lease.stale_token().nonce();
    let lock = "orders".try_into().unwrap();
    store
        .ask(murphy_lease::LeaseRequest::Release { lock, nonce })
        .await;
    let lost = timeout(ms(3_700), lease.lost()).await.unwrap();
    assert_eq!(lost.why, Why::Refused);
    drop(lease);
    sleep(TTL.get()).await;
    assert_eq!(
        store.verbs(),
        ["acquire", "renew"],
        "nothing is left to release"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_ends() {
    let store = Store::new();
    let locks = store.locks(1);
    let lease = locks
        .acquire("orders")
        .renewing(Renewal::Never)
        .await
        .unwrap();
    assert_eq!(lease.remaining(), ms(9_898));
    lease.expiring().await;
    assert!(lease.token().is_ok() && lease.remaining() < TTL.get() / 3 + ms(1));
    assert_eq!(lease.lost().await.why, Why::Expired);
    assert_eq!(store.verbs(), ["acquire"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_only_while_the_work_moves() {
    let store = Store::new();
    let locks = store.locks(1);
    let renewing = Renewal::WhileProgress(ms(2_000));
    let lease = locks.acquire("orders").renewing(renewing).await.unwrap();
    for _ in 0..40 {
        sleep(ms(1_000)).await;
        lease.tick();
    }
    assert!(lease.token().is_ok());
    // It stands still for longer, and moves again before the end: that is renewed at once.
    sleep(ms(6_000)).await;
    let before = store.verbs().len();
    lease.tick();
    sleep(ms(1)).await;
    assert_eq!(store.verbs().len(), before + 1);
    assert!(lease.remaining() > ms(9_000));
    assert_eq!(lease.lost().await.why, Why::Expired);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_answers_a_renewal_with_nonsense_has_not_renewed_it() {
    use murphy_lease::LeaseReply::{Released, Renewed};
    for reply in [
        Renewed {
            ttl: Duration::ZERO,
        },
        Renewed { ttl: Duration::MAX },
        Released { was_held: true },
    ] {
        let store = Store::new();
        let lease = store.locks(1).acquire("orders").await.unwrap();
        let until = Instant::now() + lease.remaining();
        store.all(Fate::Answer(reply));
        assert_eq!(lease.lost().await.why, Why::Expired);
        assert!(Instant::now() - until <= ms(1));
        assert!(store.verbs().len() < 200, "{}", store.verbs().len());
    }
}

/// Says what it is told, of any lease.
struct Word(watch::Receiver<bool>);

impl Watch for Word {
    fn over(&self, _: &FencingToken) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut word = self.0.clone();
        Box::pin(async move {
            if word.wait_for(|over| *over).await.is_err() {
                std::future::pending().await
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_its_watch_says_is_over_is_lost_at_once_and_not_released() {
    let store = Store::new();
    let (say, word) = watch::channel(false);
    let lease = store.locks(1).watch(Word(word)).acquire("orders").await;
    let lease = lease.unwrap();
    sleep(ms(500)).await;
    let until = Instant::now();
    say.send(true).unwrap();
    assert_eq!(lease.lost().await.why, Why::Refused);
    assert_eq!(Instant::now(), until);
    lease.release().await.unwrap_err();
    assert_eq!(store.verbs(), ["acquire"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_says_nothing_or_is_gone_changes_nothing() {
    let store = Store::new();
    let (say, word) = watch::channel(false);
    let lease = store.locks(1).watch(Word(word)).acquire("orders").await;
    let lease = lease.unwrap();
    sleep(TTL.get() * 3).await;
    drop(say);
    sleep(TTL.get() * 3).await;
    assert!(lease.token().is_ok());
    lease.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_heard_while_a_renewal_hangs() {
    let store = Store::new();
    let (say, word) = watch::channel(false);
    let lease = store.locks(1).watch(Word(word)).acquire("orders").await;
    let lease = lease.unwrap();
    store.all(Fate::Lost);
    sleep(TTL.get() / 2).await;
    say.send(true).unwrap();
    assert_eq!(lease.lost().await.why, Why::Refused);
}

/// A client that reads from a flooded connection, say: tokio has it yield, and each turn is used up by it.
#[tokio::test(start_paused = true)]
async fn a_renewal_that_spins_does_not_hold_up_the_loss() {
    let inner = Store::new();
    let store = tower::service_fn(move |asked: LeaseRequest| {
        let inner = inner.clone();
        async move {
            if matches!(asked, LeaseRequest::Renew(_)) {
                loop {
                    tokio::task::consume_budget().await;
                }
            }
            inner.oneshot(asked).await
        }
    });
    let locks = Locks::new(store).ttl(TTL).clock(Arc::new(TokioClock));
    let lease = locks.acquire("orders").await.unwrap();
    // The task is never idle, so that the clock does not move by itself. Nobody asks for the token.
    let lost = lease.child_token();
    for _ in 0..TTL.get().as_millis() + 1 {
        advance(ms(1)).await;
        for _ in 0..4 {
            yield_now().await;
        }
    }
    for _ in 0..200 {
        yield_now().await;
    }
    assert!(lost.is_cancelled());
}

#[test]
fn guards_outlive_their_runtime() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
    };
    let locks = Locks::new(Store::new());
    let first = runtime().unwrap();
    let [dropped, released, within] =
        ["a", "b", "c"].map(|lock| first.block_on(locks.acquire(lock).into_future()).unwrap());
    let (rival, inside) = (locks.clone(), within.held());
    let mut waits = Box::pin(async move { rival.acquire("a").await });
    first.block_on(async {
        assert!(timeout(ms(20), &mut waits).await.is_err());
        tokio::spawn(async move { within.lost().await });
    });
    drop(first);
    for held in [dropped.held(), released.held(), inside] {
        assert!(held.token().is_err());
    }
    // None of these has a runtime any more.
    drop((waits, dropped));
    let outcome = runtime().unwrap().block_on(released.release());
    assert!(outcome.is_err(), "nobody said that it is given back");
}
