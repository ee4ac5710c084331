//! How a lock is acquired, through all that a network does.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_core::Scope;
use murphy_core::clock::{Drift, SkewedClock};
use murphy_lease::{
    AcquireError, Claim, Grant, Holder, Last, LeaseReply, LeaseRequest, Locks, MemoryStore, Rank,
    Renewal, Ttl, Why,
};
use tokio::time::{Instant, advance, sleep, timeout};
use tokio_test::{assert_ready_ok, task};

use crate::store::{Fate, Store, TTL, ms};

#[tokio::test(start_paused = true)]
async fn one_request_acquires_a_free_lock() {
    let store = Store::new();
    let lease = store.locks(1).acquire("orders").await.unwrap();
    assert_eq!(store.verbs(), ["acquire"]);
    assert_eq!(lease.token().unwrap().lock().as_str(), "orders");
}

#[test]
fn outside_of_a_runtime_what_need_not_wait_is_granted_and_at_once_lost() {
    let locks = Locks::new(MemoryStore::new());
    let mut asking = task::spawn(locks.acquire("orders").into_future());
    let lease = assert_ready_ok!(asking.poll());
    assert_eq!(lease.token().unwrap_err().why, Why::Unattended);
}

#[test]
#[should_panic(expected = "no reactor running")]
fn outside_of_a_runtime_nobody_waits() {
    let locks = Locks::new(MemoryStore::new());
    let mut first = task::spawn(locks.acquire("orders").into_future());
    let _held = assert_ready_ok!(first.poll());
    let _ = task::spawn(locks.acquire("orders").into_future()).poll();
}

#[tokio::test(start_paused = true)]
async fn a_grant_whose_reply_was_lost_is_had_by_asking_again() {
    let store = Store::new();
    store.next([Fate::ReplyLost]);
    let lease = store.locks(1).acquire("orders").await.unwrap();
    assert_eq!(store.verbs(), ["acquire", "acquire"]);
    assert_eq!(lease.token().unwrap().rank().seq, 1, "the same grant");
    let log = store.log();
    assert_eq!(log[0].1, log[1].1);
    // It runs from when it was first granted: more time is asked for at once.
    sleep(TTL.get()).await;
    assert!(lease.token().is_ok());
}

#[tokio::test(start_paused = true)]
async fn validity_is_counted_from_before_the_request_left() {
    let store = Store::new();
    store.next([Fate::Slow(ms(2_000))]);
    let locks = store.locks(1);
    let lease = locks
        .acquire("orders")
        .renewing(Renewal::Never)
        .await
        .unwrap();
    assert_eq!(lease.remaining(), ms(7_898));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_kept_and_says_what_was_last() {
    let began = Instant::now();
    let store = Store::new();
    let holder = store.locks(1).acquire("orders").await.unwrap();
    let locks = store.locks(2);
    let late = locks
        .acquire("orders")
        .deadline(ms(5_000))
        .await
        .unwrap_err();
    let AcquireError::Deadline {
        waited,
        attempts,
        last: Last::Held { rank, .. },
    } = late
    else {
        panic!("{late}");
    };
    assert_eq!(rank, holder.token().unwrap().rank());
    assert!(
        waited <= ms(5_000) && attempts > 1,
        "{attempts} in {waited:?}"
    );
    store.all(Fate::Lost);
    let late = locks.acquire("other").await.unwrap_err();
    assert!(
        matches!(
            late,
            AcquireError::Deadline {
                last: Last::Silence,
                ..
            }
        ),
        "{late}"
    );
    store.all(Fate::Fail);
    let late = locks
        .acquire("other")
        .deadline(Duration::ZERO)
        .await
        .unwrap_err();
    let AcquireError::Deadline {
        attempts: 1,
        last: Last::Store(said),
        ..
    } = late
    else {
        panic!("{late}");
    };
    assert_eq!(said, "the store is away");
    assert!(began.elapsed() <= ms(35_010));
}

/// The second request is not answered: not within the deadline, or not within what a request is given.
#[tokio::test(start_paused = true)]
async fn a_request_that_the_deadline_cuts_short_hides_nothing() {
    for (deadline, is_hidden) in [(ms(600), false), (ms(60_000), true)] {
        let store = Store::new();
        store.all(Fate::Lost);
        store.next([Fate::Fail]);
        let late = store.locks(1).acquire("orders").deadline(deadline).await;
        let Err(AcquireError::Deadline { attempts, last, .. }) = late else {
            panic!("{late:?}");
        };
        assert!(attempts > 1);
        assert_eq!(last == Last::Silence, is_hidden, "{last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_it_when_it_is_free() {
    let store = Store::new();
    let first = store.locks(1).acquire("orders").await.unwrap();
    let locks = store.locks(2);
    let second = tokio::spawn(async move { locks.acquire("orders").await });
    sleep(ms(20_000)).await;
    assert!(!second.is_finished());
    let rank = first.token().unwrap().rank();
    first.release().await.unwrap();
    // A pause is a second at most.
    let second = timeout(ms(1_001), second).await.unwrap().unwrap().unwrap();
    assert!(second.token().unwrap().rank() > rank);
}

#[tokio::test(start_paused = true)]
async fn a_try_asks_once() {
    let store = Store::new();
    let first = store.locks(1).try_acquire("orders").await.unwrap();
    let held = store.locks(2).try_acquire("orders").await.unwrap_err();
    let AcquireError::Held { rank, remaining } = held else {
        panic!("{held}")
    };
    assert_eq!(
        (rank, remaining),
        (first.token().unwrap().rank(), TTL.get())
    );
    store.next([Fate::Fail]);
    let failed = store.locks(3).try_acquire("other").await.unwrap_err();
    assert_eq!(failed, AcquireError::Store("the store is away".to_owned()));
    store.next([Fate::Lost]);
    let silent = store.locks(4).try_acquire("other").await.unwrap_err();
    assert!(
        matches!(silent, AcquireError::Deadline { attempts: 1, .. }),
        "{silent}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_granted_is_released_by_its_nonce() {
    for (fate, what) in [
        (Fate::ReplyLost, "the reply of a try was lost"),
        (Fate::Late(ms(100)), "it got there"),
    ] {
        let store = Store::new();
        store.next([fate]);
        let tried = store.locks(1).try_acquire("orders").deadline(ms(50)).await;
        assert!(tried.is_err());
        sleep(ms(1)).await;
        let log = store.log();
        let [
            (_, LeaseRequest::Acquire(asked)),
            (_, LeaseRequest::Release { nonce, .. }),
        ] = &log[..]
        else {
            panic!("{log:?}");
        };
        assert_eq!(asked.nonce, *nonce, "{what}");
        assert!(!store.is_held("orders").await, "{what}");
    }
}

/// Late it may still be granted, though what was asked after it was refused. And a place in a line is given up by whoever
/// waits no longer; where there is no line, there is nothing to give up.
#[tokio::test(start_paused = true)]
async fn what_may_be_left_at_the_store_is_owed_a_release_and_nothing_else_is() {
    let held = Fate::Answer(LeaseReply::Held(Holder {
        rank: Rank::new(0, 1),
        remaining: ms(10_000),
    }));
    for (first, others, verbs) in [
        (Fate::Lost, held.clone(), &["acquire", "release"]),
        (Fate::Pass, Fate::Pass, &["acquire", "release"]),
        (held.clone(), held, &["acquire", "acquire"]),
    ] {
        let store = Store::new();
        let holder = store.locks(1).acquire("orders").await.unwrap();
        store.next([first]);
        store.rule(move |request| match request {
            LeaseRequest::Acquire(_) => others.clone(),
            _ => Fate::Pass,
        });
        let locks = store.locks(2);
        let late = locks.acquire("orders").deadline(ms(5_000)).await;
        assert!(matches!(
            late,
            Err(AcquireError::Deadline {
                last: Last::Held { .. },
                ..
            })
        ));
        sleep(ms(1)).await;
        let mine = holder.stale_token().nonce();
        let asked = store.log().into_iter().map(|(_, asked)| asked);
        let asked: Vec<_> = asked
            .filter(|asked| nonce(asked).is_some_and(|it| it != mine))
            .collect();
        let last_two: Vec<_> = asked[asked.len() - 2..]
            .iter()
            .map(LeaseRequest::verb)
            .collect();
        assert_eq!(last_two, verbs);
    }
}

/// Each waits for longer than a lease, and so asks several times.
#[tokio::test(start_paused = true)]
async fn whoever_waits_for_longer_than_a_lease_keeps_his_place_in_line() {
    let (store, turns) = (Store::new(), Arc::new(Mutex::new(Vec::new())));
    let clients = (0..6_u64).map(|client| {
        let (locks, turns) = (store.locks(client), Arc::clone(&turns));
        tokio::spawn(async move {
            sleep(ms(client)).await;
            for _ in 0..3 {
                let asked = locks.acquire("orders").ttl(Ttl::from_secs(1));
                let lease = asked.await.unwrap();
                turns.lock().unwrap().push(client);
                sleep(ms(700)).await;
                lease.release().await.unwrap();
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    assert_eq!(*turns.lock().unwrap(), [0, 1, 2, 3, 4, 5].repeat(3));
}

/// By its clock it waited for less than it asked for, each time.
#[tokio::test(start_paused = true)]
async fn one_whose_clock_is_slow_keeps_its_place_in_line() {
    let (mut asked, slow) = (Vec::new(), Drift::ppm(-1_000.0).unwrap());
    for seed in 0..20 {
        let store = Store::new();
        let holder = store.locks(0).acquire("orders").await.unwrap();
        let locks = store.locks(seed).ttl(Ttl::from_secs(1));
        let clock = Arc::new(SkewedClock::new().drift(slow));
        let slow = tokio::spawn(locks.clock(clock).acquire("orders").into_future());
        sleep(ms(20_100)).await;
        asked.push(
            store
                .verbs()
                .iter()
                .filter(|verb| **verb == "acquire")
                .count(),
        );
        holder.release().await.unwrap();
        drop(slow.await.unwrap().unwrap());
    }
    assert!(asked.iter().all(|asked| *asked >= 22), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_scope_holds() {
    let store = Store::new();
    let _holder = store.locks(1).acquire("orders").await.unwrap();
    let began = Instant::now();
    let scope = Scope::default().with_deadline(began + ms(2_000));
    let locks = store.locks(2);
    let late = scope.enter(locks.acquire("orders").into_future()).await;
    assert!(matches!(late, Err(AcquireError::Deadline { .. })));
    assert!(began.elapsed() <= ms(2_000));
}

#[tokio::test(start_paused = true)]
async fn an_acquire_that_is_dropped_on_its_way_leaves_nothing_behind() {
    for after in [0, 1, 99, 100, 199] {
        let store = Store::new();
        store.all(Fate::Slow(ms(200)));
        let locks = store.locks(1);
        let acquire = locks.acquire("orders");
        assert!(timeout(ms(after), acquire.into_future()).await.is_err());
        store.all(Fate::Pass);
        sleep(ms(1)).await;
        assert_eq!(store.verbs(), ["acquire", "release"]);
        assert!(!store.is_held("orders").await, "dropped after {after} ms");
    }
    let store = Store::new();
    drop(store.locks(1).acquire("orders").into_future());
    sleep(ms(1)).await;
    assert!(store.verbs().is_empty(), "what never left needs no release");
}

#[tokio::test(start_paused = true)]
async fn a_release_of_what_was_not_had_is_tried_until_the_ttl_is_over() {
    let store = Store::new();
    store.all(Fate::ReplyLost);
    assert!(store.locks(1).try_acquire("orders").await.is_err());
    sleep(ms(60_000)).await;
    let log = store.log();
    assert!(log.len() > 3, "{log:?}");
    let last = log.last().unwrap().0 - log[0].0;
    // The try waited for a third, and what it may have been granted then runs for a ttl.
    assert!(last <= ms(13_334), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_comes_when_nothing_is_left_of_it_is_released_and_asked_for_anew() {
    let store = Store::new();
    store.next([Fate::Slow(ms(1))]);
    let locks = store.locks(1);
    let acquire = tokio::spawn(async move { locks.acquire("orders").await });
    tokio::task::yield_now().await;
    // The process stands still, and its clock goes on.
    advance(TTL.get()).await;
    let lease = acquire.await.unwrap().unwrap();
    assert!(lease.token().is_ok());
    sleep(ms(10)).await;
    let verbs = store.verbs();
    assert_eq!(verbs, ["acquire", "release", "acquire"]);
    let log = store.log();
    assert_ne!(
        nonce(&log[0].1),
        nonce(&log[2].1),
        "a late release takes the old one only"
    );
    assert_eq!(nonce(&log[0].1), nonce(&log[1].1));
    assert!(store.is_held("orders").await);
}

fn nonce(request: &LeaseRequest) -> Option<murphy_lease::Nonce> {
    match request {
        LeaseRequest::Acquire(asked) => Some(asked.nonce),
        LeaseRequest::Release { nonce, .. } => Some(*nonce),
        _ => None,
    }
}

/// In a line of a store it stood for longer than its ttl.
#[tokio::test(start_paused = true)]
async fn a_grant_out_of_a_line_is_renewed_before_it_is_handed_out() {
    let store = Store::new();
    let first = store.locks(1).acquire("orders").await.unwrap();
    // The store keeps the second request for almost a ttl, and then grants it.
    store.rule(|asked| match asked {
        LeaseRequest::Acquire(asked) if !asked.wait.is_zero() => Fate::Late(asked.wait - ms(10)),
        _ => Fate::Pass,
    });
    let locks = store.locks(2);
    let second = tokio::spawn(async move {
        let lease = locks
            .acquire("orders")
            .ttl(Ttl::from_secs(5))
            .await
            .unwrap();
        (lease.remaining(), lease)
    });
    sleep(ms(1_000)).await;
    first.release().await.unwrap();
    let (left, second) = second.await.unwrap();
    assert!(left > ms(4_900), "{left:?}");
    assert_eq!(second.token().unwrap().rank().seq, 2);
    let verbs = store.verbs();
    assert_eq!(verbs.last(), Some(&"renew"), "{verbs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_floor_is_asked_for_and_a_store_below_it_is_not_believed() {
    let store = Store::new();
    let floor = Rank::new(2, 70);
    let lease = store.locks(1).acquire("orders").above(floor).await.unwrap();
    assert!(lease.token().unwrap().rank() > floor);
    let log = store.log();
    let LeaseRequest::Acquire(asked) = &log[0].1 else {
        panic!()
    };
    assert_eq!(asked.claim, Claim::Above(floor));
    let grant = Grant {
        rank: floor,
        ttl: TTL.get(),
    };
    store.next([Fate::Answer(LeaseReply::Granted(grant))]);
    let low = store
        .locks(2)
        .acquire("other")
        .above(floor)
        .await
        .unwrap_err();
    assert_eq!(
        low.to_string(),
        "the store of leases makes no sense: to `acquire` it answered `granted` at 2.70, which is not above 2.70"
    );
    let none = store
        .locks(3)
        .acquire("third")
        .above(Rank::MAX)
        .await
        .unwrap_err();
    assert!(matches!(none, AcquireError::Exhausted { .. }), "{none}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_answers_nonsense_is_a_typed_error() {
    let (rank, high) = (Rank::new(0, 1), Rank::ZERO);
    for reply in [
        LeaseReply::Granted(Grant {
            rank,
            ttl: Duration::ZERO,
        }),
        LeaseReply::Granted(Grant {
            rank,
            ttl: Duration::MAX,
        }),
        LeaseReply::Granted(Grant {
            rank: Rank::ZERO,
            ttl: TTL.get(),
        }),
        LeaseReply::NotHolder { high },
        LeaseReply::Renewed { ttl: TTL.get() },
        LeaseReply::Released { was_held: true },
        LeaseReply::Observed { high, holder: None },
    ] {
        let store = Store::new();
        store.next([Fate::Answer(reply.clone())]);
        let said = store.locks(1).acquire("orders").await.unwrap_err();
        let AcquireError::Nonsense(bad) = said else {
            panic!("{said}")
        };
        assert_eq!((bad.to, bad.reply), ("acquire", reply.name()));
        sleep(ms(1)).await;
        assert_eq!(store.verbs(), ["acquire", "release"], "{reply:?}");
    }
    // A holder that has for ever, or no time at all, is asked about again, and not without pause.
    for remaining in [Duration::ZERO, Duration::MAX] {
        let store = Store::new();
        store.all(Fate::Answer(LeaseReply::Held(Holder { rank, remaining })));
        let late = store.locks(1).acquire("orders").deadline(ms(1_000)).await;
        assert!(matches!(late, Err(AcquireError::Deadline { .. })));
        assert!(store.verbs().len() < 1_000);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_is_not() {
    let store = Store::new();
    let locks = store.locks(1);
    let unnamed = locks.acquire("").await.unwrap_err();
    assert!(matches!(unnamed, AcquireError::Name(_)), "{unnamed}");
    let short = locks.acquire("orders").ttl(Ttl::MIN).await.unwrap_err();
    assert!(matches!(short, AcquireError::Knob(_)), "{short}");
    let short = locks
        .margin(ms(60_000))
        .acquire("orders")
        .await
        .unwrap_err();
    assert!(matches!(short, AcquireError::Knob(_)), "{short}");
    assert!(store.verbs().is_empty());
}

/// What others build on: a future that can be sent, a guard that can be shared.
#[test]
fn futures_are_send_and_guards_are_sync() {
    const fn is_send<T: Send>(_: &T) {}
    const fn is_sync<T: Send + Sync + 'static>() {}
    is_sync::<murphy_lease::Lease>();
    is_sync::<murphy_lease::Held>();
    is_sync::<murphy_lease::UnfencedLock>();
    is_sync::<murphy_lease::Locks<Store>>();
    is_send(
        &Store::new()
            .locks(1)
            .acquire(String::from("a"))
            .into_future(),
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_waited_for_is_handed_out_with_most_of_its_time_left() {
    let ttl = Duration::from_secs(10);
    for waited in 1..30 {
        let store = MemoryStore::new();
        let locks = Locks::new(store).ttl(Ttl::from_secs(10));
        let held = locks.acquire("orders").await.unwrap();
        let rival = tokio::spawn(async move {
            let lease = locks.acquire("orders").await.unwrap();
            lease.remaining()
        });
        sleep(Duration::from_secs(waited)).await;
        held.release().await.unwrap();
        let left = rival.await.unwrap();
        assert!(left > ttl / 4, "{left:?} is left after {waited} s");
    }
}

/// As where a configuration that is the same for all processes has the seed.
#[tokio::test(start_paused = true)]
async fn two_clients_of_one_seed_exclude_each_other() {
    let store = Store::new();
    let (one, two) = (store.locks(7), store.locks(7));
    let held = one.acquire("orders").await.unwrap();
    let rival = two.try_acquire("orders").await;
    assert!(matches!(rival, Err(AcquireError::Held { .. })), "{rival:?}");
    let first = held.stale_token().nonce();
    held.release().await.unwrap();
    let next = two.acquire("orders").await.unwrap();
    assert_ne!(next.stale_token().nonce(), first);
}
