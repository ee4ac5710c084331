//! Attempt timeouts of five seconds, which nothing here reaches.

use std::hint::black_box;
use std::time::Duration;

use murphy_policy::TimeoutLayer;
use seatbelt::ResilienceContext;
use tick::Clock;
use tokio::time::Instant;
use tower::Layer;
use tower_resilience_timelimiter::{FixedTimeout, TimeLimiterLayer};

use super::cases;
use crate::drive::{Run, awaited, ready};
use crate::service::{Broken, Hesitant, Prompt};

const FIVE_SECONDS: Duration = Duration::from_secs(5);

cases! {
    "clock" over "clock" {
        "bare": "one reading of tokio's clock, which a lazy timer saves" => clock();
    }
    "timeout.ready" over "ready" {
        "murphy": "TimeoutLayer" => ready(|| murphy().layer(Prompt::default()));
        "tower": "TimeoutLayer" => ready(|| tower().layer(Prompt::default()));
        "tower-resilience": "TimeLimiterLayer" => ready(|| resilience().layer(Prompt::default()));
        "seatbelt": "Timeout; its clock's task does not run" => ready(|| seatbelt(Prompt::default()));
    }
    "pends" over "pends" {
        "bare": "a service that pends once and wakes itself, from a task" => awaited(Hesitant::default);
    }
    "timeout.pends" over "pends" {
        "murphy": "TimeoutLayer" => awaited(|| murphy().layer(Hesitant::default()));
        "tower": "TimeoutLayer" => awaited(|| tower().layer(Hesitant::default()));
        "tower-resilience": "TimeLimiterLayer" => awaited(|| resilience().layer(Hesitant::default()));
        "seatbelt": "Timeout; its clock's task runs" => awaited(|| seatbelt(Hesitant::default()));
    }
}

fn clock() -> Run {
    Box::new(|calls| (0..calls).for_each(|_| _ = black_box(Instant::now())))
}

fn murphy() -> TimeoutLayer {
    TimeoutLayer::new(FIVE_SECONDS)
}

fn tower() -> tower::timeout::TimeoutLayer {
    tower::timeout::TimeoutLayer::new(FIVE_SECONDS)
}

fn resilience() -> TimeLimiterLayer<FixedTimeout> {
    let layer = TimeLimiterLayer::builder().timeout_duration(FIVE_SECONDS);
    layer.build()
}

fn seatbelt<S>(inner: S) -> seatbelt::timeout::Timeout<u64, Result<u64, Broken>, S> {
    let context = ResilienceContext::new(Clock::new_tokio());
    let layer = seatbelt::timeout::Timeout::layer("timeout", &context)
        .timeout(FIVE_SECONDS)
        .timeout_error(|_| Broken);
    layer.layer(inner)
}
