//! Nothing of a lease outlives it: neither its store nor its clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use murphy_lease::{FencingToken, Lease, Locks, Watch};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use crate::store::{Fate, Store, TTL, ms};

struct Never;

impl Watch for Never {
    fn over(&self, _: &FencingToken) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

fn runtime() -> Runtime {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap()
}

/// A store, and whether anybody has it still.
fn store(fate: &Fate) -> (Store, Weak<()>) {
    let (store, life) = (Store::new(), Arc::new(()));
    let left = Arc::downgrade(&life);
    let mut is_first = true;
    let fate = fate.clone();
    store.rule(move |_| {
        let _ = &life;
        let fate = if is_first { Fate::Pass } else { fate.clone() };
        is_first = false;
        fate
    });
    (store, left)
}

fn plain(locks: Locks<Store>) -> Locks<Store> {
    locks
}

fn watched(locks: Locks<Store>) -> Locks<Store> {
    locks.watch(Never)
}

fn executed(locks: Locks<Store>) -> Locks<Store> {
    locks.executor(|task| drop(tokio::spawn(task)))
}

#[test]
fn what_keeps_a_lease_ends_with_it() {
    for set in [plain, watched, executed] {
        for fate in [
            Fate::Pass,
            Fate::Lost,
            Fate::ReplyLost,
            Fate::Fail,
            Fate::Slow(ms(10)),
        ] {
            for held_for in [ms(0), TTL.get() / 2, TTL.get() * 3] {
                for how in [
                    "dropped",
                    "released",
                    "given up",
                    "runtime",
                    "forgotten runtime",
                ] {
                    let (store, left) = store(&fate);
                    let runtime = runtime();
                    let locks = set(store.locks(1));
                    drop(store);
                    let (lease, held): (Lease, _) = runtime.block_on(async {
                        let lease = locks.acquire("orders").await.unwrap();
                        sleep(held_for).await;
                        let held = lease.held();
                        (lease, held)
                    });
                    drop(locks);
                    let mut kept = None;
                    match how {
                        "dropped" => runtime.block_on(async {
                            drop(lease);
                            sleep(TTL.get() * 3).await;
                        }),
                        "released" => runtime.block_on(async {
                            let _ = lease.release().await;
                            sleep(ms(1)).await;
                        }),
                        "given up" => runtime.block_on(async {
                            let released = lease.release();
                            let _ = tokio::time::timeout(ms(1), released).await;
                            sleep(TTL.get() * 3).await;
                        }),
                        "runtime" => {
                            drop(runtime);
                            drop(lease);
                        }
                        _ => {
                            drop(runtime);
                            kept = Some(lease);
                        }
                    }
                    assert!(
                        left.upgrade().is_none(),
                        "{how} after {held_for:?}, {fate:?}"
                    );
                    drop((kept, held));
                }
            }
        }
    }
}
