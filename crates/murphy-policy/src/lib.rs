//! Middleware that bounds, ends and repeats calls: what a caller does about an unreliable network.
//!
//! * [`DeadlineLayer`] bounds a whole call, readiness and sleeps included, and tells everything
//!   beneath how much is left.
//! * [`RetryLayer`] repeats what failed: [`Classify`], [`Replay`] and [`Pace`] decide, attempts,
//!   a [`Budget`] (on by default) and the deadline bound it.
//! * [`TimeoutLayer`] ends one attempt that takes too long.
//!
//! They go outer to inner in this order: `Deadline > Retry > Timeout > transport`. They work over
//! any service ([`surface`] tells how errors come out), spawn nothing, and allocate nothing while
//! all goes well; every timer is tokio's, so that all of it runs under a paused clock.
//!
//! Repeating a request is safe only where its effect is: nothing here knows that. An attempt that
//! timed out may still have taken effect.
//!
//! # Events
//!
//! Target `murphy::policy`. Nothing is said of a call that succeeds at once.
//!
//! | name | level | when | fields |
//! |---|---|---|---|
//! | `timeout.elapsed` | debug | an attempt outlived its timeout | `timeout` |
//! | `deadline.elapsed` | warn | a call outlived its deadline | `allowed` |
//! | `retry.wait` | debug | another attempt was decided on | `site`, `attempt`, `of`, `kind`, `wait` |
//! | `retry.attempt` | debug | another attempt leaves | `site`, `attempt`, `of` |
//! | `retry.exhausted` | warn | the last attempt failed | `site`, `attempts` |
//! | `retry.over_budget` | warn | the budget had nothing left | `site`, `attempts` |
//! | `retry.past_deadline` | warn | the wait would have passed the deadline | `site`, `attempts`, `needed`, `left` |
//! | `retry.deferred` | warn | the peer asked for a longer wait than is allowed | `site`, `attempts`, `hint`, `longest` |
//! | `retry.forbidden` | debug | the peer asked not to be asked again | `site`, `attempts` |
//! | `retry.not_replayable` | debug | a failed request could not be repeated | `site`, `attempts` |
//! | `retry.bad_seed` | warn | `MURPHY_SEED` is no number | `error` |
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{BoxError, DeadlineLayer, RetryLayer, TimeoutLayer};
//! use std::time::Duration;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let client = ServiceBuilder::new()
//!     .layer(DeadlineLayer::new(Duration::from_secs(5)))
//!     .layer(RetryLayer::new().attempts(3)?)
//!     .layer(TimeoutLayer::new(Duration::from_secs(1)))
//!     .service(service_fn(async |name: &str| Ok::<_, BoxError>(format!("hello, {name}"))));
//! assert_eq!(client.oneshot("world").await?, "hello, world");
//! # Ok::<(), BoxError>(())
//! # }).unwrap();
//! ```

pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod concurrency;
#[cfg(feature = "serde")]
pub mod config;
pub mod deadline;
pub mod fallback;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod hedge;
#[cfg(feature = "http")]
pub mod http;
pub mod idempotency;
mod knob;
mod metered;
#[cfg(feature = "http")]
mod millis;
pub mod reload;
pub mod retry;
pub mod stack;
pub mod surface;
pub mod switch;
pub mod throttle;
pub mod timeout;
mod timer;

pub use breaker::{Breaker, BreakerError, BreakerHandle, BreakerLayer, Open};
pub use budget::{Begun, Budget, Budgets, Permit, Spent};
pub use bulkhead::{Bulkhead, BulkheadError, BulkheadLayer, Shed};
pub use concurrency::{Concurrency, ConcurrencyError, ConcurrencyLayer, Limited};
pub use deadline::{Deadline, DeadlineError, DeadlineLayer, Expired};
#[cfg(feature = "http")]
pub use deadline::{SendDeadline, SendDeadlineLayer, ServerDeadline, ServerDeadlineLayer};
pub use fallback::{Fallback, FallbackCause, FallbackError, FallbackLayer};
pub use hedge::{Hedge, HedgeLayer};
#[cfg(feature = "http")]
pub use idempotency::{Idempotency, IdempotencyLayer};
pub use idempotency::{IdempotencyKey, IdempotencyKeyLayer};
pub use knob::BadKnob;
pub use retry::{
    AnyError, Attempt, Backoff, Classify, CloneReplay, Factory, Hints, IoClassify, Kind, Once,
    Pace, Replay, Restore, Retry, RetryError, RetryLayer, Stamp, Step, Verdict,
};
pub use stack::{Rule, Stack};
pub use surface::{BoxError, Boxed, Typed, find};
pub use throttle::{Throttle, ThrottleError, ThrottleLayer, Throttled};
#[cfg(feature = "http")]
pub use timeout::{BodyTimeout, BodyTimeoutLayer, RequestTimeout};
pub use timeout::{Bound, Elapsed, Timeout, TimeoutError, TimeoutLayer};

/// The target of every event.
const TARGET: &str = "murphy::policy";
