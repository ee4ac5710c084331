//! A million silent losses leave nothing behind: no task, no timer, no memory. By themselves in
//! this binary, one after the other, since they count what the whole process allocates.

use std::alloc::System;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use cap::Cap;
use murphy_core::{Probability, Seed};
use murphy_fault::{Chaos, Fault, Plan, TimeLimit};
use tests::{SITE, ms};
use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Held by the test that counts.
static ALONE: Mutex<()> = Mutex::new(());

/// What a process may grow by that is no leak: a table that was rehashed, a queue's last block.
const SLACK: usize = 16 << 10;

/// What is held: tasks, and bytes.
fn held() -> (usize, usize) {
    (
        Handle::current().metrics().num_alive_tasks(),
        MEMORY.allocated(),
    )
}

/// Calls in rounds until the ledger and all else that is bounded is full; then `rounds` more leave
/// nothing behind. Returns the calls after that.
async fn nothing_is_left(name: &str, rounds: u64, mut round: impl AsyncFnMut()) {
    // Bounded is not small: the ledger keeps 65,536 records.
    for _ in 0..70 {
        round().await;
    }
    let (tasks, bytes) = held();
    for _ in 0..rounds {
        round().await;
    }
    let (tasks_after, bytes_after) = held();
    assert_eq!(tasks_after, tasks, "{name}: tasks");
    assert!(
        bytes_after <= bytes + SLACK,
        "{name}: {} bytes",
        bytes_after - bytes
    );
}

#[test]
fn cuts_and_holds_leave_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let chaos = Chaos::new(Seed::new(42));
        let network = chaos.network();
        network.nodes(["api", "payments"]).unwrap();
        let mut service = chaos
            .site(SITE)
            .layer()
            .layer(service_fn(async |n: u64| Ok::<u64, BoxError>(n)));
        // A thousand callers at a time, each with a deadline.
        let mut silent = async || {
            let mut calls = Vec::with_capacity(1_000);
            for n in 0..1_000 {
                let call = service.ready().await.unwrap().call(n);
                calls.push(timeout(ms(5), call));
            }
            for call in calls {
                assert!(call.await.is_err());
            }
        };
        let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
        let (api, payments) = (["api"], ["payments"]);
        let cut = network.partition(api, payments).unwrap();
        nothing_is_left("cut requests", 930, &mut silent).await;
        cut.heal();
        let cut = network.partition_oneway(payments, api).unwrap();
        nothing_is_left("cut replies", 30, &mut silent).await;
        cut.heal();
        let held = network.hold(api, payments).unwrap();
        nothing_is_left("held requests", 30, &mut silent).await;
        held.release();
        let held = network.hold(payments, api).unwrap();
        nothing_is_left("held replies", 30, &mut silent).await;
        held.release();
        assert_eq!(armed.ledger().summaries()[0].calls, 1_300_000);

        // Held, and let go.
        let mut late = async || {
            for _ in 0..500 {
                let held = network.hold(api, payments).unwrap();
                let call = tokio::spawn(service.clone().oneshot(7));
                tokio::task::yield_now().await;
                held.release();
                call.await.unwrap().unwrap();
            }
        };
        nothing_is_left("holds", 30, &mut late).await;
    });
}

#[test]
fn silent_losses_leave_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let ran = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&ran);
        let chaos = Chaos::new(Seed::new(42));
        let mut service = chaos
            .site(SITE)
            .layer()
            .keyed_by(|n: &u64| *n)
            .layer(service_fn(move |n: u64| {
                let count = Arc::clone(&count);
                async move {
                    tokio::time::sleep(ms(10)).await;
                    count.fetch_add(1, SeqCst);
                    Ok::<u64, BoxError>(n)
                }
            }));
        let mut key = 0;
        let arm = |fault| {
            chaos
                .arm(&Plan::new().with(SITE, fault), TimeLimit::None)
                .unwrap()
        };

        // A thousand callers at a time, each with a deadline and a key of its own.
        let mut lost = async || {
            let mut calls = Vec::with_capacity(1_000);
            for _ in 0..1_000 {
                key += 1;
                let call = service.ready().await.unwrap().call(key);
                calls.push(timeout(ms(5), call));
            }
            for call in calls {
                assert!(call.await.is_err());
            }
            // Whatever runs on has done so by then.
            tokio::time::sleep(ms(20)).await;
        };
        let armed = arm(Fault::lost_request(Probability::ALWAYS));
        nothing_is_left("lost requests", 930, &mut lost).await;
        assert_eq!(armed.ledger().summaries()[0].faulted, 1_000_000);
        assert_eq!(ran.load(SeqCst), 0);
        drop(armed);

        let armed = arm(Fault::lost_reply(Probability::ALWAYS));
        nothing_is_left("lost replies", 30, &mut lost).await;
        assert_eq!(armed.ledger().summaries()[0].faulted, 100_000);
        assert_eq!(ran.load(SeqCst), 100_000);
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    });
}
