//! To and from `tower::retry::Policy`, for stacks that stay with tower's own retry.
//!
//! * [`RetryPolicy`] decides as a [`RetryLayer`](crate::RetryLayer) would: classify, pace, attempts, budget and deadline. Of
//!   what tower's retry lacks it cannot make up: no readiness before the permit is taken, no typed
//!   reason at the end (the last outcome stands, an event says why), no replay but clones.
//! * [`Bounded`] lets a policy of yours decide, and keeps it within attempts, budget and deadline.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{BoxError, RetryLayer};
//! use tower::{ServiceBuilder, ServiceExt, retry, service_fn};
//!
//! let policy = RetryLayer::new().attempts(3)?.into_tower();
//! let service = ServiceBuilder::new()
//!     .layer(retry::RetryLayer::new(policy))
//!     .service(service_fn(async |_: u32| Err::<(), _>(BoxError::from("refused"))));
//! assert_eq!(service.oneshot(7).await.unwrap_err().to_string(), "refused");
//! # Ok::<(), BoxError>(())
//! # }).unwrap();
//! ```

mod bounded;
mod policy;

pub use self::bounded::Bounded;
pub use self::policy::{RetryPolicy, Wait};
