//! Middleware that bounds, ends and repeats calls: what a caller does about an unreliable network.
//!
//! | | what it does |
//! |---|---|
//! | [`FallbackLayer`] | answers in the place of what failed |
//! | [`DeadlineLayer`] | bounds a whole call, readiness and sleeps included, and tells everything beneath how much is left |
//! | [`IdempotencyKeyLayer`] | names a call once for all its attempts; `IdempotencyLayer`, at a server, does what has a name once |
//! | [`HedgeLayer`] | asks again before the first answer is late; the first success wins |
//! | [`RetryLayer`] | repeats what failed: [`Classify`], [`Replay`] and [`Pace`] decide, attempts, a [`Budget`] (on by default) and the deadline bound it |
//! | [`BreakerLayer`] | stops asking where asking is in vain |
//! | [`ThrottleLayer`] | rejects here what the peer would reject there |
//! | [`BulkheadLayer`] | bounds how many calls are under way, and sheds what would wait in vain |
//! | [`ConcurrencyLayer`] | the same, with a bound that follows what replies take |
//! | [`TimeoutLayer`] | ends one attempt that takes too long |
//! | [`Stack`] | puts them in order, and refuses a wrong one |
//!
//! In this order they go, outer to inner; [`Stack::recommended`], `Stack::http` and `Stack::grpc` are a start. They work over
//! any service ([`surface`] tells how errors come out), spawn nothing (but for a server's handler whose caller
//! left: [`idempotency`]), and allocate nothing while all goes well; every
//! timer is tokio's, so that all of it runs under a paused clock.
//!
//! Repeating a request is safe only where its effect is: nothing here knows that, unless it is told. An
//! attempt that timed out may still have taken effect.
//!
//! # Features
//!
//! None is on by default. `http`: requests and replies of the `http` crate (classifiers, `Retry-After`,
//! bodies that can be sent again, deadlines in headers, timeouts of bodies, idempotency at a server).
//! `grpc`: the same of gRPC. `redis`: idempotency keys that several servers share.
//! `serde`: policies from a file. `tower`: to and from tower's own retry. `metrics`: the counters below,
//! through the `metrics` facade.
//!
//! # Events
//!
//! Target `murphy::policy`. Nothing is said of a call that succeeds at once.
//!
//! | name | level | when | fields |
//! |---|---|---|---|
//! | `timeout.elapsed` | debug | an attempt outlived its timeout | `timeout`, `bound` |
//! | `timeout.bad_header` | debug | a header was no number of milliseconds | `header`, `values` |
//! | `timeout.body_idle` | debug | a body brought no frame in time | `leg`, `allowed` |
//! | `timeout.body_overdue` | debug | a body was not over in time | `leg`, `allowed` |
//! | `deadline.elapsed` | warn | a call outlived its deadline | `allowed` |
//! | `deadline.dropped` | warn | a request's time was up before its handler began | `site`, `allowed` |
//! | `deadline.bad_header` | debug | a header was no deadline | `site`, `header` |
//! | `retry.wait` | debug | another attempt was decided on | `site`, `attempt`, `of`, `kind`, `wait` |
//! | `retry.attempt` | debug | another attempt leaves | `site`, `attempt`, `of` |
//! | `retry.exhausted` | warn | the last attempt failed | `site`, `attempts` |
//! | `retry.over_budget` | warn | the budget had nothing left | `site`, `attempts` |
//! | `retry.past_deadline` | warn | the wait would have passed the deadline | `site`, `attempts`, `needed`, `left` |
//! | `retry.deferred` | warn | the peer asked for a longer wait than is allowed | `site`, `attempts`, `hint`, `longest` |
//! | `retry.forbidden` | debug | the peer asked not to be asked again | `site`, `attempts` |
//! | `retry.not_replayable` | debug | a failed request could not be repeated | `site`, `attempts` |
//! | `retry.bad_seed`, `flow.bad_seed` | warn | `MURPHY_SEED` is no number | `error` |
//! | `hedge.sent` | debug | one more request leaves | `site`, `attempt`, `of` |
//! | `hedge.won` | debug | one that was not the first succeeded first | `site`, `attempt` |
//! | `hedge.over_budget` | warn | the budget had nothing left | `site` |
//! | `hedge.not_repeatable` | debug | the request may not be sent twice | `site` |
//! | `breaker.opened` | warn | it opened | `site`, `cause`, `wait`, `openings` |
//! | `breaker.probation` | info | a first trial leaves | `site` |
//! | `breaker.closed` | info | it closed | `site` |
//! | `breaker.forced` | warn | its handle forced it | `site`, `state` |
//! | `breaker.refused` | debug | a call was refused | `site` |
//! | `throttle.rejected` | debug | a call was rejected | `site`, `chance` |
//! | `bulkhead.shed` | debug | a call was shed | `site`, `why` |
//! | `concurrency.limited` | debug | a call was shed | `site`, `limit`, `why` |
//! | `concurrency.limit` | debug | the limit moved | `site`, `from`, `to` |
//! | `idempotency.replayed` | debug | a repeat got the reply of the first | `site` |
//! | `idempotency.refused` | debug, warn | a request was refused | `site`, `why` |
//! | `idempotency.handed_over` | debug | a caller left, and its handler goes on | `site` |
//! | `idempotency.too_long` | warn | a reply was too long to be kept | `site` |
//! | `idempotency.late` | warn | an operation ended after its lease | `site` |
//! | `idempotency.store_failed` | warn | the store could not be asked or told | `site`, `error` |
//! | `idempotency.evicted` | warn | replies were forgotten before their time | `replies` |
//! | `idempotency.bad_seed` | warn | `MURPHY_SEED` is no number | `error` |
//! | `fallback.used` | warn | a call failed and is answered otherwise | `site`, `of` |
//! | `fallback.failed` | warn | that failed as well | `site`, `error` |
//!
//! # Spans
//!
//! Target `murphy::policy`, level debug, fields `site`, `attempt`, `of`. A call that succeeds at once has none,
//! and so has every first attempt: it runs in the caller's. Where nobody listens they cost nothing there, and one
//! look at each further attempt.
//!
//! | name | what runs in it |
//! |---|---|
//! | `retry.call` | a further attempt of a retry, from its call to its reply, and all layers beneath |
//! | `hedge.call` | a further request of a hedge, likewise |
//!
//! # Counters
//!
//! With the feature `metrics`; each begins with `murphy_policy_`, ends with `_total` and has the label
//! `site`, where nothing else is said: `retry_attempts`, `retry_given_up`, `hedge_sent`, `hedge_won`,
//! `hedge_withheld`, `breaker_opened`, `breaker_probation`, `breaker_closed`, `breaker_refused`,
//! `throttle_rejected`, `bulkhead_shed`, `concurrency_limited`, `concurrency_limit_changes`,
//! `idempotency_replayed`, `idempotency_refused`, `idempotency_handed_over`, `idempotency_too_long`,
//! `idempotency_late`, `idempotency_store_failed`, `idempotency_evicted`, `fallback_used`, `fallback_failed`, `deadline_elapsed` (of servers), `deadline_dropped`,
//! `deadline_bad_header`, `timeout_bad_header` (by header), `timeout_body_idle` and
//! `timeout_body_overdue` (by leg).
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

#[cfg(feature = "tower")]
pub mod adapt;
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
pub use murphy_core::BadKnob;
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
