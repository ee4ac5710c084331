//! Calls that faults strike, in virtual time: how many a second of real time, on one core.
//!
//! The clock is paused, so that nobody waits: what is left is the work of injecting, of tokio's
//! timers and of the ledger. seatbelt is absent: its delays run on a clock of its own, and under a
//! paused runtime they did not end.

use std::future::Future;
use std::time::Duration;

use murphy_core::{Distribution, Probability, Seed};
use murphy_fault::{Chaos, Fault, Plan, TimeLimit};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_fault::latency::LatencyLayer;
use tower_resilience_chaos::ChaosLayer;

use crate::service::{Broken, Prompt};

const MILLISECOND: Duration = Duration::from_millis(1);

/// One subject in one row.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Which question.
    pub row: &'static str,
    /// Who answers it.
    pub subject: &'static str,
    /// What exactly is measured.
    pub note: &'static str,
    run: fn(Load),
}

/// How many calls, from how many tasks.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// All calls together.
    pub calls: u64,
    /// They share the calls evenly.
    pub tasks: u64,
}

impl Case {
    /// Makes the calls, on a runtime of its own with one thread and a paused clock.
    pub fn run(&self, load: Load) {
        (self.run)(load);
    }
}

/// All cases.
pub const CASES: &[Case] = &[
    Case {
        row: "both_legs",
        subject: "murphy",
        note: "1 ms on the request leg and 1 ms on the reply leg, every record kept",
        run: |load| {
            let faults = [
                Fault::latency(Distribution::fixed(MILLISECOND), Probability::ALWAYS),
                Fault::slow_reply(Distribution::fixed(MILLISECOND), Probability::ALWAYS),
            ];
            murphy(load, &faults, false);
        },
    },
    Case {
        row: "both_legs",
        subject: "tokio",
        note: "the floor: two sleeps of 1 ms around the service, nothing recorded",
        run: |load| {
            let slow = service_fn(async |request: u64| {
                sleep(MILLISECOND).await;
                let reply = Prompt::default().oneshot(request).await;
                sleep(MILLISECOND).await;
                reply
            });
            paused(async { drive(slow, load, false).await });
        },
    },
    Case {
        row: "lost_request",
        subject: "murphy",
        note: "lost, under tokio's timeout of 1 ms, every record kept",
        run: |load| murphy(load, &[Fault::lost_request(Probability::ALWAYS)], true),
    },
    Case {
        row: "one_leg",
        subject: "murphy",
        note: "1 ms on the request leg, every record kept",
        run: |load| {
            let slow = Fault::latency(Distribution::fixed(MILLISECOND), Probability::ALWAYS);
            murphy(load, &[slow], false);
        },
    },
    Case {
        row: "one_leg",
        subject: "tower-resilience",
        note: "ChaosLayer, 1 ms before the call; it has no ledger",
        run: |load| {
            let chaos = ChaosLayer::builder().latency_rate(1.0);
            let chaos = chaos.min_latency(MILLISECOND).max_latency(MILLISECOND);
            let layer = chaos.build();
            paused(async { drive(layer.layer(Prompt::default()), load, false).await });
        },
    },
    Case {
        row: "one_leg",
        subject: "tower-fault",
        note: "LatencyLayer, 1 ms; it has no ledger",
        run: |load| {
            let layer = LatencyLayer::new(true, 1..2);
            paused(async { drive(layer.layer(Prompt::default()), load, false).await });
        },
    },
];

/// # Panics
///
/// When a record is missing: a call that is not recorded is cheaper.
fn murphy(load: Load, faults: &[Fault], lost: bool) {
    let records = load.calls * faults.len() as u64;
    let chaos = Chaos::new(Seed::new(1));
    let service = chaos.site("a->b").layer().layer(Prompt::default());
    let plan = faults
        .iter()
        .fold(Plan::new(), |plan, fault| plan.with("a->b", fault.clone()))
        .limits(|limits| limits.ledger = records as usize);
    paused(async {
        let armed = chaos.arm(&plan, TimeLimit::None).expect("a right plan");
        drive(service, load, lost).await;
        let ledger = armed.disarm();
        assert_eq!(ledger.overflowed(), 0, "the ledger keeps every record");
        let faulted: u64 = ledger.summaries().iter().map(|s| s.faulted).sum();
        assert_eq!(faulted, load.calls, "every call is struck");
    });
}

fn paused(work: impl Future<Output = ()>) {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(work);
}

async fn drive<S>(service: S, load: Load, lost: bool)
where
    S: Service<u64, Response = u64, Error = Broken> + Clone + Send + 'static,
    S::Future: Send,
{
    let mut tasks = Vec::new();
    for task in 0..load.tasks {
        let mut service = service.clone();
        let share = load.calls / load.tasks;
        tasks.push(tokio::spawn(async move {
            for n in task * share..(task + 1) * share {
                let service = service.ready().await.expect("it is always ready");
                let call = service.call(n);
                match lost {
                    true => assert!(timeout(MILLISECOND, call).await.is_err()),
                    false => _ = call.await.expect("it never fails"),
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("no task panics");
    }
}
