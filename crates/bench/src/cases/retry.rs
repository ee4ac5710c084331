//! Retries that never have to.

use std::future::{Ready, ready as done};
use std::sync::Arc;
use std::time::Duration;

use murphy_policy::RetryLayer;
use seatbelt::{RecoveryInfo, ResilienceContext};
use tick::Clock;
use tower::Layer;
use tower::retry::Policy;
use tower::retry::backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff};
use tower::retry::budget::{Budget, TpsBudget};
use tower::util::rng::HasherRng;

use super::cases;
use crate::drive::ready;
use crate::service::{Broken, Prompt};

cases! {
    "retry.none_taken" over "ready" {
        "murphy": "RetryLayer as it comes: 3 attempts, full jitter, budget on" =>
            ready(|| RetryLayer::new().layer(Prompt::default()));
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
        "seatbelt": "3 retries, exponential with jitter, no budget" => ready(|| seatbelt(Prompt::default()));
    }
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
