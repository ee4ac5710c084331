//! One client in several runtimes, of which some end, and some are not run.

use std::future::IntoFuture;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use murphy_lease::{AcquireError, Lease, Locks, MemoryStore, ReleaseError, Why};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use crate::store::{Fate, Store, TTL, ms};

fn runtime() -> Runtime {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap()
}

/// For a ttl of it, counted by its own runtime.
fn held_for_a_ttl(runtime: &Runtime, lease: &Lease) -> bool {
    runtime.block_on(async { sleep(TTL.get() + ms(1)).await });
    lease.token().is_ok()
}

#[test]
fn it_can_be_released_or_dropped_outside_of_any_runtime() {
    for fate in [Fate::Pass, Fate::Late(Duration::ZERO)] {
        let (store, runtime) = (Store::new(), runtime());
        let locks = store.locks(1);
        let lease = runtime.block_on(async { locks.acquire("orders").await.unwrap() });
        // A sleep of the store's is one of the lease's runtime.
        store.all(fate);
        let released = std::thread::scope(|threads| {
            let released = threads.spawn(|| futures_executor::block_on(lease.release()));
            while !released.is_finished() {
                runtime.block_on(tokio::task::yield_now());
            }
            released.join().unwrap()
        });
        released.unwrap();
        let lease = runtime.block_on(async { locks.acquire("orders").await.unwrap() });
        drop(lease);
        runtime.block_on(async {
            sleep(ms(1)).await;
            assert!(!store.is_held("orders").await);
        });
    }
}

#[test]
fn the_end_of_one_runtime_is_nothing_to_the_leases_of_another() {
    let store = Store::new();
    let (locks, other) = (store.locks(1), runtime());
    let kept = other.block_on(async { locks.acquire("kept").await.unwrap() });
    for _ in 0..3 {
        let runtime = runtime();
        let lease = runtime.block_on(async { locks.acquire("orders").await.unwrap() });
        drop(runtime);
        assert_eq!(lease.token().unwrap_err().why, Why::Unattended);
        let released = other.block_on(lease.release());
        assert!(
            matches!(released, Err(ReleaseError::Lost(_))),
            "{released:?}"
        );
        assert!(kept.token().is_ok());
        // Nobody gives back what was not kept.
        other.block_on(async { sleep(TTL.get() + ms(1)).await });
        assert!(!other.block_on(store.is_held("orders")));
    }
    assert!(held_for_a_ttl(&other, &kept));
}

#[test]
fn a_runtime_that_ends_while_nobody_rests_takes_nothing_along() {
    let locks = Locks::new(MemoryStore::new()).ttl(TTL);
    for _ in 0..3 {
        // The next may well have the number of the last.
        let runtime = runtime();
        let acquire = async || locks.acquire("orders").await.unwrap();
        runtime.block_on(async { acquire().await.release().await.unwrap() });
        let lease = runtime.block_on(acquire());
        assert!(held_for_a_ttl(&runtime, &lease));
        runtime.block_on(lease.release()).unwrap();
    }
}

#[test]
fn a_release_whose_leases_runtime_ends_says_that_it_is_not_confirmed() {
    for foreign in [false, true] {
        let store = Store::new();
        let a = runtime();
        let lease = a.block_on(async { store.locks(1).acquire("orders").await.unwrap() });
        store.all(Fate::Lost);
        let mut release = Box::pin(lease.release());
        let b = runtime();
        if foreign {
            assert!(futures_util::FutureExt::now_or_never(&mut release).is_none());
        } else {
            b.block_on(async { assert!(timeout(ms(1), &mut release).await.is_err()) });
        }
        drop(a);
        let said = catch_unwind(AssertUnwindSafe(|| {
            if foreign {
                futures_executor::block_on(release)
            } else {
                b.block_on(release)
            }
        }));
        let said = said.expect("no panic");
        assert!(said.is_err(), "{said:?}");
    }
}

#[test]
fn a_client_keeps_nothing_of_runtimes_that_are_gone() {
    let fds = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let locks = Locks::new(MemoryStore::new());
    let keeper = runtime();
    let _held = keeper.block_on(async { locks.acquire("orders").await.unwrap() });
    let before = fds();
    for _ in 0..50 {
        let runtime = runtime();
        let held = runtime.block_on(async { locks.try_acquire("orders").await });
        assert!(matches!(held, Err(AcquireError::Held { .. })));
    }
    let after = fds();
    assert!(after < before + 50, "{before} {after}");
}

/// Asked for once in `a`, which runs until the wait after that is over.
fn asked_for_in(store: &Store, a: &Runtime) -> Acquiring {
    store.next([Fate::Fail]);
    let mut acquiring = store.locks(1).acquire("orders").into_future();
    a.block_on(async {
        assert!(timeout(Duration::ZERO, &mut acquiring).await.is_err());
        sleep(ms(1_000)).await;
    });
    acquiring
}

type Acquiring = <murphy_lease::Acquiring<Store> as IntoFuture>::IntoFuture;

#[test]
fn one_that_is_acquired_in_two_runtimes_is_bounded_by_the_second() {
    let (store, a, b) = (Store::new(), runtime(), runtime());
    let mut acquiring = asked_for_in(&store, &a);
    store.all(Fate::Lost);
    let said = b.block_on(async { timeout(ms(60_000), &mut acquiring).await });
    assert!(
        matches!(said, Ok(Err(AcquireError::Deadline { .. }))),
        "{said:?}"
    );
}

#[test]
fn a_request_under_way_is_given_up_by_whichever_runtime_waits_for_it() {
    let (store, a, b) = (Store::new(), runtime(), runtime());
    store.all(Fate::Lost);
    let mut acquiring = store.locks(1).acquire("orders").into_future();
    a.block_on(async { assert!(timeout(Duration::ZERO, &mut acquiring).await.is_err()) });
    let said = b.block_on(async { timeout(ms(60_000), &mut acquiring).await });
    assert!(
        matches!(said, Ok(Err(AcquireError::Deadline { .. }))),
        "{said:?}"
    );
}

#[test]
fn one_that_is_granted_in_another_runtime_than_it_was_asked_for_in_is_kept_there() {
    let (store, a, b) = (Store::new(), runtime(), runtime());
    let mut acquiring = asked_for_in(&store, &a);
    store.next([Fate::Fail]);
    b.block_on(async { assert!(timeout(Duration::ZERO, &mut acquiring).await.is_err()) });
    drop(a);
    let lease = b.block_on(acquiring).unwrap();
    b.block_on(async { sleep(TTL.get() * 3).await });
    assert!(lease.token().is_ok(), "{:?}", lease.token());
}

#[test]
fn a_release_in_a_runtime_without_timers_goes_on() {
    let store = Store::new();
    let a = runtime();
    let lease = a.block_on(async { store.locks(1).acquire("orders").await.unwrap() });
    store.next([Fate::Fail]);
    let b = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let released = b.spawn(async move { lease.release().await });
    while !released.is_finished() {
        a.block_on(async {
            tokio::task::yield_now().await;
            sleep(ms(1)).await
        });
    }
    let said = b.block_on(released).expect("no panic");
    assert!(
        matches!(said, Ok(()) | Err(ReleaseError::NotReleased(_))),
        "{said:?}"
    );
}
