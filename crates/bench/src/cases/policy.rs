//! Budgets, hedges, breakers and all else of the caller's side, while nothing goes wrong.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use murphy_policy::concurrency::Aimd;
use murphy_policy::hedge::Idempotent;
use murphy_policy::timeout::Quantile;
use murphy_policy::{
    BreakerLayer, Budget, BulkheadLayer, ConcurrencyLayer, DeadlineLayer, FallbackLayer,
    HedgeLayer, RetryLayer, Stack, ThrottleLayer, TimeoutLayer,
};
use seatbelt::{RecoveryInfo, ResilienceContext};
use tick::Clock;
use tower::Layer;
use tower::retry::budget::{Budget as _, TpsBudget};

use super::cases;
use crate::drive::{Run, awaited, ready};
use crate::service::{Broken, Hesitant, Prompt};

const SECOND: Duration = Duration::from_secs(1);

cases! {
    "nothing" over "nothing" {
        "bare": "an empty loop" => Box::new(|calls| (0..calls).for_each(|n| _ = std::hint::black_box(n)));
    }
    "budget" over "nothing" {
        "murphy": "Budget: a deposit of a whole attempt, and its withdrawal" => budget(Budget::try_new(1.0, 1));
        "murphy-default": "Budget as it comes, while nothing is withdrawn" => deposits();
        "one-swap": "a compare-and-swap of a word that nobody else has: what taking out, exactly, takes at the least" => one_word(swap);
        "two-swaps": "two of them: the least where paying in takes one, too" => one_word(|word| {
            swap(word);
            swap(word);
        });
        "murphy-finagle": "Budget::finagle of the same: a clock and a lock" => budget(Budget::finagle(SECOND * 10, 10, 1.0));
        "tower": "TpsBudget as it comes: a deposit, and a withdrawal" => tps();
    }
    "budget.two_at_once" over "nothing" {
        "murphy": "Budget that is never full: a deposit of each of two threads" => at_once(Budget::try_new(1e-9, 1).expect("a ratio").cap(u32::MAX), Budget::deposit);
        "one-swap": "two threads, each a compare-and-swap of the same word" => at_once(AtomicU64::new(0), swap);
        "tower": "TpsBudget as it comes: a deposit of each of two threads" => at_once(TpsBudget::default(), TpsBudget::deposit);
    }
    "hedge.fast" over "ready" {
        "murphy": "HedgeLayer after 5 s" =>
            ready(|| HedgeLayer::new(SECOND * 5, Idempotent).layer(Prompt::default()));
        "murphy-quantile": "HedgeLayer after the 95th percentile" => ready(|| {
            let p95 = Quantile::try_new(0.95, Duration::from_millis(1), SECOND).expect("a quantile");
            HedgeLayer::new(p95, Idempotent).layer(Prompt::default())
        });
        "tower": "Hedge at the 95th percentile" => ready(|| tower_hedge(Prompt::default()));
        "tower-resilience": "HedgeLayer after 5 s" => ready(|| {
            let layer = tower_resilience_hedge::HedgeLayer::builder().delay(SECOND * 5);
            layer.build().layer(Prompt::default())
        });
        "seatbelt": "Hedging after 5 s" => ready(|| seatbelt_hedge(Prompt::default()));
    }
    "breaker.closed" over "ready" {
        "murphy": "BreakerLayer as it comes: failures in a row" =>
            ready(|| BreakerLayer::new().layer(Prompt::default()));
        "murphy-rate": "half of the last hundred calls" => ready(|| {
            let layer = BreakerLayer::new().failure_rate(0.5).expect("a share");
            layer.layer(Prompt::default())
        });
        "tower-resilience": "CircuitBreakerLayer: half of the last hundred calls" => ready(|| {
            let layer = tower_resilience_circuitbreaker::CircuitBreakerLayer::builder();
            let layer = layer.failure_rate_threshold(0.5).sliding_window_size(100);
            layer.build().expect("right bounds").layer(Prompt::default())
        });
        "seatbelt": "Breaker: a tenth within 30 s" => ready(|| seatbelt_breaker(Prompt::default()));
    }
    "policy.deadline" over "ready" {
        "murphy": "DeadlineLayer" => ready(|| DeadlineLayer::new(SECOND * 5).layer(Prompt::default()));
    }
    "policy.fallback" over "ready" {
        "murphy": "FallbackLayer with a value" =>
            ready(|| FallbackLayer::value(7_u64).layer(Prompt::default()));
    }
    "policy.throttle" over "ready" {
        "murphy": "ThrottleLayer as it comes" => ready(|| ThrottleLayer::new().layer(Prompt::default()));
    }
    "policy.bulkhead" over "ready" {
        "murphy": "BulkheadLayer of 100 places" => ready(|| {
            let layer = BulkheadLayer::new(100).expect("places");
            layer.layer(Prompt::default())
        });
    }
    "policy.concurrency" over "ready" {
        "murphy": "ConcurrencyLayer, AIMD" =>
            ready(|| ConcurrencyLayer::new(Aimd::default()).layer(Prompt::default()));
    }
    "policy.stack" over "ready" {
        "murphy": "Deadline > Retry > Breaker > Timeout" => ready(|| stack(Prompt::default()));
    }
    "policy.stack_pends" over "pends" {
        "murphy": "the same, over a service that pends once" => awaited(|| stack(Hesitant::default()));
    }
}

fn one_word(step: impl Fn(&AtomicU64) + 'static) -> Run {
    let word = AtomicU64::new(0);
    Box::new(move |calls| (0..calls).for_each(|_| step(&word)))
}

#[inline]
fn swap(word: &AtomicU64) {
    let word = std::hint::black_box(word);
    _ = word.fetch_update(Relaxed, Relaxed, |n| n.checked_add(1));
}

/// This thread and another do the same to one thing, so often each.
fn at_once<T: Sync + 'static>(shared: T, step: impl Fn(&T) + Sync + 'static) -> Run {
    Box::new(move |calls| {
        let all = || (0..calls).for_each(|_| step(&shared));
        std::thread::scope(|scope| {
            scope.spawn(all);
            all();
        });
    })
}

fn budget(budget: Result<Budget, murphy_policy::BadKnob>) -> Run {
    let budget = budget.expect("right bounds");
    Box::new(move |calls| {
        for _ in 0..calls {
            budget.deposit();
            if let Some(permit) = budget.acquire() {
                permit.sent();
            }
        }
    })
}

fn deposits() -> Run {
    let budget = Budget::default();
    (0..1_000).for_each(|_| budget.deposit());
    Box::new(move |calls| (0..calls).for_each(|_| budget.deposit()))
}

fn tps() -> Run {
    let runtime = crate::drive::runtime();
    let budget = {
        let _entered = runtime.enter();
        TpsBudget::default()
    };
    Box::new(move |calls| {
        let _entered = runtime.enter();
        for _ in 0..calls {
            budget.deposit();
            _ = std::hint::black_box(budget.withdraw());
        }
    })
}

type TowerHedge<S> = tower::hedge::Hedge<S, Often>;

fn tower_hedge<S: tower::Service<u64, Error = Broken> + Clone>(inner: S) -> TowerHedge<S> {
    tower::hedge::Hedge::new(inner, Often, 100, 0.95, SECOND * 10)
}

/// Whatever may be cloned may be hedged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Often;

impl tower::hedge::Policy<u64> for Often {
    fn clone_request(&self, request: &u64) -> Option<u64> {
        Some(*request)
    }

    fn can_retry(&self, _: &u64) -> bool {
        true
    }
}

fn seatbelt_hedge<S>(inner: S) -> seatbelt::hedging::Hedging<u64, Result<u64, Broken>, S> {
    let context = ResilienceContext::new(Clock::new_tokio());
    let layer = seatbelt::hedging::Hedging::layer("hedge", &context)
        .clone_input()
        .recovery_with(|reply: &Result<u64, Broken>, _| recovery(reply))
        .hedging_delay(SECOND * 5);
    layer.layer(inner)
}

fn recovery(reply: &Result<u64, Broken>) -> RecoveryInfo {
    match reply {
        Ok(_) => RecoveryInfo::never(),
        Err(_) => RecoveryInfo::retry(),
    }
}

fn seatbelt_breaker<S>(inner: S) -> seatbelt::breaker::Breaker<u64, Result<u64, Broken>, S> {
    let context = ResilienceContext::new(Clock::new_tokio());
    let layer = seatbelt::breaker::Breaker::layer("breaker", &context)
        .recovery_with(|reply: &Result<u64, Broken>, _| recovery(reply))
        .rejected_input_error(|_, _| Broken);
    layer.layer(inner)
}

fn stack<S>(inner: S) -> impl tower::Service<u64>
where
    S: tower::Service<u64, Response = u64, Error = Broken> + Clone + 'static,
{
    let stack = Stack::new()
        .layer(DeadlineLayer::new(SECOND * 10))
        .layer(RetryLayer::new())
        .layer(BreakerLayer::new())
        .layer(TimeoutLayer::new(SECOND * 3));
    stack.build().expect("sound").service(inner)
}
