//! What both stores of a process promise, on a paused clock.

#[expect(dead_code, reason = "others need the rest")]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{acquire, ask, asked, granted, held, lock, nonce, observe, release, renew, secs};
use murphy_lease::{Acquire, Claim, Holder, LeaseReply, LeaseRequest, MemoryStore, Rank, Ttl};
use tokio::time::{Instant, sleep, timeout};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Service, ServiceExt};

/// A test of each store.
macro_rules! of_each {
    ($($name:ident)*) => {
        mod memory {
            use super::*;
            $(#[tokio::test(start_paused = true)]
            async fn $name() {
                super::$name(MemoryStore::new()).await;
            })*
        }
        #[cfg(feature = "file")]
        mod file {
            $(#[tokio::test(start_paused = true)]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("leases");
                super::$name(murphy_lease::FileStore::open(path).unwrap()).await;
            })*
        }
    };
}

of_each! {
    one_at_a_time_and_each_above_the_last
    a_nonce_gets_the_same_grant_again
    a_renewal_is_for_him_who_holds_it
    a_late_release_ends_nobody_elses
    a_floor_is_passed_and_an_exact_rank_is_granted_once
    expiry_lets_the_next_have_it
    a_call_that_is_dropped_leaves_the_queue
    a_grant_to_a_call_that_is_dropped_is_taken_back
    the_wait_ends_with_held
    many_take_turns
}

/// A store as this file asks for it.
trait Store:
    Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug + Send, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Store for S where
    S: Service<LeaseRequest, Response = LeaseReply, Error: std::fmt::Debug + Send, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

async fn one_at_a_time_and_each_above_the_last(store: impl Store) {
    let mut last = Rank::ZERO;
    for bits in 1..50 {
        let grant = granted(acquire(&store, bits, Duration::ZERO).await);
        assert!(grant.rank > last);
        assert_eq!(grant.ttl, secs(10));
        last = grant.rank;
        assert_eq!(held(acquire(&store, 99, Duration::ZERO).await), secs(10));
        let remaining = secs(10);
        let holder = Some(Holder {
            rank: last,
            remaining,
        });
        assert_eq!(
            observe(&store).await,
            LeaseReply::Observed { high: last, holder }
        );
        assert!(release(&store, bits).await);
        assert!(!release(&store, bits).await);
    }
    let holder = None;
    assert_eq!(
        observe(&store).await,
        LeaseReply::Observed { high: last, holder }
    );
}

async fn a_nonce_gets_the_same_grant_again(store: impl Store) {
    let first = granted(acquire(&store, 1, Duration::ZERO).await);
    sleep(secs(4)).await;
    let again = granted(acquire(&store, 1, Duration::ZERO).await);
    assert_eq!((again.rank, again.ttl), (first.rank, secs(6)));
    sleep(secs(6)).await;
    // It is over: this is another.
    assert!(granted(acquire(&store, 1, Duration::ZERO).await).rank > first.rank);
}

async fn a_renewal_is_for_him_who_holds_it(store: impl Store) {
    let first = granted(acquire(&store, 1, Duration::ZERO).await).rank;
    sleep(secs(9)).await;
    let ttl = secs(10);
    assert_eq!(
        renew(&store, 1, first, 10).await,
        LeaseReply::Renewed { ttl }
    );
    assert_eq!(
        renew(&store, 1, first, 3).await,
        LeaseReply::Renewed { ttl }
    );
    let refused = LeaseReply::NotHolder { high: first };
    assert_eq!(renew(&store, 2, first, 10).await, refused);
    assert_eq!(renew(&store, 1, first.next().unwrap(), 10).await, refused);
    sleep(secs(10)).await;
    // Nobody took it, and it is over all the same.
    assert_eq!(renew(&store, 1, first, 10).await, refused);
}

async fn a_late_release_ends_nobody_elses(store: impl Store) {
    granted(acquire(&store, 1, Duration::ZERO).await);
    sleep(secs(10)).await;
    granted(acquire(&store, 2, Duration::ZERO).await);
    assert!(!release(&store, 1).await);
    assert_eq!(held(acquire(&store, 3, Duration::ZERO).await), secs(10));
}

async fn a_floor_is_passed_and_an_exact_rank_is_granted_once(store: impl Store) {
    let with = |bits, claim| {
        let asked = asked(bits, Duration::ZERO);
        ask(&store, LeaseRequest::Acquire(Acquire { claim, ..asked }))
    };
    let first = granted(with(1, Claim::Above(Rank::ZERO)).await).rank;
    release(&store, 1).await;
    let floor = Rank::new(first.era + 1, 70);
    let second = granted(with(2, Claim::Above(floor)).await).rank;
    assert!(second > floor && second.era == floor.era);
    release(&store, 2).await;
    let exact = Rank::new(second.era, second.seq + 100_000);
    assert_eq!(granted(with(3, Claim::Exactly(exact)).await).rank, exact);
    release(&store, 3).await;
    for rank in [exact, second] {
        let passed = LeaseReply::Passed { high: exact };
        assert_eq!(with(4, Claim::Exactly(rank)).await, passed);
    }
    assert!(granted(with(5, Claim::Above(Rank::ZERO)).await).rank > exact);
}

async fn expiry_lets_the_next_have_it(store: impl Store) {
    granted(acquire(&store, 1, Duration::ZERO).await);
    let start = Instant::now();
    granted(acquire(&store, 2, secs(60)).await);
    assert_eq!(start.elapsed(), secs(10));
}

async fn a_call_that_is_dropped_leaves_the_queue(mut store: impl Store) {
    granted(acquire(&store, 1, Duration::ZERO).await);
    let call = |bits| LeaseRequest::Acquire(asked(bits, secs(60)));
    let mut second = task::spawn(store.ready().await.unwrap().call(call(2)));
    let mut third = task::spawn(store.ready().await.unwrap().call(call(3)));
    assert_pending!(second.poll());
    assert_pending!(third.poll());
    drop(second);
    release(&store, 1).await;
    assert!(third.is_woken());
    granted(assert_ready_ok!(third.poll()));
}

async fn a_grant_to_a_call_that_is_dropped_is_taken_back(mut store: impl Store) {
    granted(acquire(&store, 1, Duration::ZERO).await);
    let call = |bits| LeaseRequest::Acquire(asked(bits, secs(60)));
    let mut second = task::spawn(store.ready().await.unwrap().call(call(2)));
    let mut third = task::spawn(store.ready().await.unwrap().call(call(3)));
    assert_pending!(second.poll());
    assert_pending!(third.poll());
    release(&store, 1).await;
    assert!(second.is_woken());
    assert_pending!(third.poll());
    drop(second);
    granted(assert_ready_ok!(third.poll()));
    drop(third);
    // What was heard of is kept.
    assert_eq!(held(acquire(&store, 4, Duration::ZERO).await), secs(10));
}

async fn the_wait_ends_with_held(store: impl Store) {
    granted(acquire(&store, 1, Duration::ZERO).await);
    let start = Instant::now();
    assert_eq!(held(acquire(&store, 2, secs(4)).await), secs(6));
    assert_eq!(start.elapsed(), secs(4));
    release(&store, 1).await;
    // And the queue is empty.
    granted(acquire(&store, 3, Duration::ZERO).await);
}

async fn many_take_turns(store: impl Store) {
    granted(acquire(&store, 1, Duration::ZERO).await);
    let turn = Arc::new(AtomicU32::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..32_u32 {
        let (store, turn) = (store.clone(), Arc::clone(&turn));
        tasks.spawn(async move {
            let bits = u128::from(n) + 100;
            granted(acquire(&store, bits, secs(3600)).await);
            assert_eq!(
                turn.fetch_add(1, Ordering::Relaxed),
                n,
                "first come, first served"
            );
            sleep(Duration::from_millis(20)).await;
            // Every third forgets.
            if n % 3 > 0 {
                assert!(release(&store, bits).await);
            }
        });
        tokio::task::yield_now().await;
    }
    release(&store, 1).await;
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(turn.load(Ordering::Relaxed), 32);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_wiped_carries_higher_tokens() {
    let store = MemoryStore::new();
    let mut last = Rank::ZERO;
    for bits in 0..1000 {
        // Without a pause between them, by this clock.
        let rank = granted(acquire(&store, bits, Duration::ZERO).await).rank;
        assert!(rank > last);
        last = rank;
        match bits % 3 {
            0 => store.wipe(),
            _ => assert!(release(&store, bits).await),
        }
    }
    sleep(secs(1)).await;
    // And so does another in its place.
    assert!(granted(acquire(&MemoryStore::new(), 1, Duration::ZERO).await).rank > last);
}

#[tokio::test(start_paused = true)]
async fn a_wipe_keeps_those_who_wait() {
    let store = MemoryStore::new();
    granted(acquire(&store, 1, Duration::ZERO).await);
    let mut next = task::spawn(store.clone().call(LeaseRequest::Acquire(asked(2, secs(5)))));
    assert_pending!(next.poll());
    store.wipe();
    granted(assert_ready_ok!(next.poll()));
    assert!(!release(&store, 1).await);
}

#[tokio::test(start_paused = true)]
async fn a_counting_store_gives_the_same_numbers_in_each_run_and_after_a_wipe() {
    let store = MemoryStore::new().counting();
    for _ in 0..2 {
        for seq in 1..4 {
            let grant = granted(acquire(&store, seq.into(), Duration::ZERO).await);
            assert_eq!(grant.rank, Rank::new(0, seq));
            release(&store, seq.into()).await;
        }
        store.wipe();
    }
}

#[tokio::test(start_paused = true)]
async fn an_era_is_above_all_before_it_and_never_falls() {
    let store = MemoryStore::new();
    let first = granted(acquire(&store, 1, Duration::ZERO).await).rank;
    release(&store, 1).await;
    for era in [3, 2] {
        let store = store.clone().era(era);
        let rank = granted(acquire(&store, 2, Duration::ZERO).await).rank;
        assert!(rank > first && rank.era == 3, "{rank}");
        release(&store, 2).await;
        store.wipe();
    }
    let exact = Claim::Exactly(Rank::new(2, u64::MAX));
    let passed = Acquire {
        claim: exact,
        ..asked(3, Duration::ZERO)
    };
    let passed = ask(&store, LeaseRequest::Acquire(passed)).await;
    assert!(
        matches!(passed, LeaseReply::Passed { high } if high.era == 3),
        "{passed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn at_its_bounds_it_says_so() {
    let store = MemoryStore::new().locks(2).waiters(1);
    let acquire_of = |name: &str, bits, wait| {
        let asked = asked(bits, wait);
        let lock = lock(name);
        store
            .clone()
            .oneshot(LeaseRequest::Acquire(Acquire { lock, ..asked }))
    };
    granted(acquire_of("a", 1, secs(0)).await.unwrap());
    granted(acquire_of("b", 2, secs(0)).await.unwrap());
    let full = acquire_of("c", 3, secs(0)).await.unwrap_err();
    assert!(full.to_string().contains("`locks = 2`"), "{full}");
    let waiting = acquire_of("a", 4, secs(60));
    let (waiting, full) = tokio::join!(waiting, async {
        tokio::task::yield_now().await;
        acquire_of("a", 5, secs(60)).await.unwrap_err()
    });
    assert!(full.to_string().contains("`waiters = 1`"), "{full}");
    granted(waiting.unwrap());
    // `b` is over, and forgotten.
    granted(acquire_of("c", 3, secs(0)).await.unwrap());
}

/// Real threads: one at a time, and nobody is forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_threads_one_at_a_time_and_nobody_is_forgotten() {
    let store = MemoryStore::new();
    let inside = Arc::new(AtomicU32::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16_u128 {
        let (store, inside) = (store.clone(), Arc::clone(&inside));
        tasks.spawn(async move {
            for round in 0..200_u128 {
                let bits = n << 64 | round;
                // Some give up at once: they leave the queue, or give it back.
                let ttl = Ttl::from_secs(60);
                let request = Acquire {
                    ttl,
                    ..asked(bits, secs(60))
                };
                let call = store.clone().oneshot(LeaseRequest::Acquire(request));
                if round % 5 == 0 {
                    drop(timeout(Duration::ZERO, call).await);
                    let (lock, nonce) = (lock(common::LOCK), nonce(bits));
                    ask(&store, LeaseRequest::Release { lock, nonce }).await;
                    continue;
                }
                granted(call.await.unwrap());
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                assert!(release(&store, bits).await);
            }
        });
    }
    let all = async {
        while let Some(done) = tasks.join_next().await {
            done.unwrap()
        }
    };
    timeout(secs(60), all)
        .await
        .expect("somebody was forgotten");
}

#[test]
#[should_panic(expected = "polled again")]
fn what_was_answered_is_not_polled_again() {
    let asked = LeaseRequest::Acquire(asked(1, Duration::ZERO));
    let mut call = task::spawn(MemoryStore::new().call(asked));
    assert_ready_ok!(call.poll());
    let _ = call.poll();
}
