//! Retries that never have to.

use std::future::{Future, Ready, ready as done};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use ::backon::Retryable;

use murphy_policy::{Budget, RetryLayer};
use seatbelt::{RecoveryInfo, ResilienceContext};
use tick::Clock;
use tower::retry::Policy;
use tower::retry::backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff};
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::util::rng::HasherRng;
use tower::{Layer, Service};

use super::cases;
use crate::drive::{Run, ready};
use crate::service::{Broken, Prompt};

cases! {
    "retry.none_taken" over "ready" {
        "murphy": "RetryLayer as it comes: 3 attempts, full jitter, budget on, and full" =>
            ready(|| RetryLayer::new().layer(Prompt::default()));
        "murphy-filling": "the same with a budget that is never full: every call pays in" =>
            ready(|| RetryLayer::new().budget(bottomless()).layer(Prompt::default()));
        "murphy-no-budget": "the same without its budget" =>
            ready(|| RetryLayer::new().no_budget().layer(Prompt::default()));
        "tower": "a policy that does nothing but clone the request" =>
            ready(|| tower::retry::RetryLayer::new(Never).layer(Prompt::default()));
        "tower-budget": "a policy with its ExponentialBackoff and TpsBudget" =>
            ready(|| tower::retry::RetryLayer::new(Budgeted::new()).layer(Prompt::default()));
        "tower-resilience": "3 attempts, exponential, no budget" => ready(|| {
            let layer = tower_resilience_retry::RetryLayer::builder().max_attempts(3);
            let layer = layer.exponential_backoff(Duration::from_millis(100));
            layer.build().layer(Prompt::default())
        });
        "backon": "a closure and its default exponential backoff: no service, no budget" => backon();
        "seatbelt": "3 retries, exponential with jitter, no budget" => ready(|| seatbelt(Prompt::default()));
    }
}

fn bottomless() -> Budget {
    let little = Budget::try_new(1e-3, 1).expect("a right budget");
    little.cap(u32::MAX)
}

/// The least that tower can be given.
#[derive(Clone, Copy, Debug)]
struct Never;

impl Policy<u64, u64, Broken> for Never {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u64, reply: &mut Result<u64, Broken>) -> Option<Ready<()>> {
        reply.is_err().then(|| done(()))
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}

/// The policy of tower's own documentation.
#[derive(Clone, Debug)]
struct Budgeted {
    backoff: ExponentialBackoff,
    budget: Arc<TpsBudget>,
}

impl Budgeted {
    fn new() -> Self {
        let (least, most) = (Duration::from_millis(50), Duration::from_secs(20));
        let maker = ExponentialBackoffMaker::new(least, most, 0.99, HasherRng::default());
        Self {
            backoff: maker.expect("right bounds").make_backoff(),
            budget: Arc::default(),
        }
    }
}

impl Policy<u64, u64, Broken> for Budgeted {
    type Future = <ExponentialBackoff as Backoff>::Future;

    fn retry(&mut self, _: &mut u64, reply: &mut Result<u64, Broken>) -> Option<Self::Future> {
        if reply.is_ok() {
            self.budget.deposit();
            return None;
        }
        self.budget.withdraw().then(|| self.backoff.next_backoff())
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}

fn seatbelt<S>(inner: S) -> seatbelt::retry::Retry<u64, Result<u64, Broken>, S> {
    let context = ResilienceContext::new(Clock::new_tokio());
    let layer = seatbelt::retry::Retry::layer("retry", &context)
        .clone_input()
        .recovery_with(|reply: &Result<u64, Broken>, _| match reply {
            Ok(_) => RecoveryInfo::never(),
            Err(_) => RecoveryInfo::retry(),
        });
    layer.layer(inner)
}

/// It repeats closures, and is driven as a service would be.
fn backon() -> Run {
    Box::new(|calls| {
        let service = black_box(Prompt::default());
        let mut cx = Context::from_waker(Waker::noop());
        for n in 0..calls {
            let request = black_box(n);
            let call = || {
                let mut service = service;
                service.call(request)
            };
            let reply = pin!(call.retry(backon::ExponentialBuilder::default()));
            _ = black_box(reply.poll(&mut cx).is_ready());
        }
    })
}
