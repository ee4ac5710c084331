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
pub mod deadline;
mod knob;
mod metered;
pub mod retry;
pub mod surface;
pub mod throttle;
pub mod timeout;
mod timer;

pub use breaker::{Breaker, BreakerError, BreakerHandle, BreakerLayer, Open};
pub use budget::{Budget, Permit};
pub use bulkhead::{Bulkhead, BulkheadError, BulkheadLayer, Shed};
pub use concurrency::{Concurrency, ConcurrencyError, ConcurrencyLayer, Limited};
pub use deadline::{Deadline, DeadlineError, DeadlineLayer, Expired};
pub use knob::BadKnob;
pub use retry::{
    AnyError, Attempt, Backoff, Classify, CloneReplay, Kind, Once, Pace, Replay, Retry, RetryError,
    RetryLayer, Step, Verdict,
};
pub use surface::{BoxError, Boxed, Typed, find};
pub use throttle::{Throttle, ThrottleError, ThrottleLayer, Throttled};
pub use timeout::{Elapsed, Timeout, TimeoutError, TimeoutLayer};

/// The target of every event.
const TARGET: &str = "murphy::policy";
