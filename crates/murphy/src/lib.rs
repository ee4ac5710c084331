//! What survives an unreliable network: the production door.
//!
//! Policies for tower services, re-exported behind features. What makes a network unreliable on
//! purpose is behind another door: `murphy-fault`.
//!
//! | module | feature | what it holds |
//! |---|---|---|
//! | [`policy`] | `policy` (default) | deadlines, timeouts, retries and hedges under one budget, breakers, bulkheads, idempotency keys |
//! | `detect` | `detect` | heartbeats, failure detectors, liveness in front of a load balancer |
//! | `quorum` | `quorum` | quorum rules, one request to many services, votes, a register on majorities |
//! | `lease` | `lease` | leases, fencing tokens, resources that check them, election |
//! | [`core`] | – | seeds, keys, scopes, clocks |
//!
//! Each module's features are ours by the same names:
//!
//! | feature | of | what it brings |
//! |---|---|---|
//! | `http` | `policy`, `detect`, `lease` | requests and replies of the `http` crate |
//! | `grpc` | `policy`, `lease` | gRPC's statuses, deadlines and pushback |
//! | `redis` | `policy`, `lease` | idempotency keys that several servers share; leases in Redis |
//! | `serde` | `policy`, `lease`, `quorum` | policies from a file; what stores of leases, registers and voters are asked, over a wire |
//! | `file` | `lease` | leases and fenced values in a file |
//! | `postgres` | `lease` | leases, and fenced values, in PostgreSQL |
//! | `etcd` | `lease` | leases in etcd; to build it takes `protoc` |
//! | `sign` | `lease` | tokens that only who has the key can make |
//! | `conformance` | `lease` | what any lock should promise, and whether it does |
//! | `tower` | `policy` | to and from tower's own retry |
//! | `udp` | `detect` | beats as datagrams |
//! | `balance` | `detect` | liveness for tower's load balancer |
//! | `metrics` | all | counters through the `metrics` facade |
//!
//! # Examples
//!
//! ```
//! # #[cfg(feature = "policy")] fn main() -> Result<(), murphy::policy::BadKnob> {
//! use murphy::policy::{BoxError, DeadlineLayer, RetryLayer, TimeoutLayer};
//! use std::time::Duration;
//! use tower::{ServiceBuilder, service_fn};
//!
//! let client = ServiceBuilder::new()
//!     .layer(DeadlineLayer::new(Duration::from_secs(2)))
//!     .layer(RetryLayer::new().attempts(3)?)
//!     .layer(TimeoutLayer::new(Duration::from_millis(250)))
//!     .service(service_fn(async |order: u64| Ok::<u64, BoxError>(order)));
//! # let _ = tower::ServiceExt::oneshot(client, 1);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "policy"))] fn main() {}
//! ```

pub use murphy_core as core;
#[cfg(feature = "policy")]
pub use murphy_policy as policy;

#[cfg(feature = "detect")]
pub use murphy_detect as detect;
#[cfg(feature = "lease")]
pub use murphy_lease as lease;
#[cfg(feature = "quorum")]
pub use murphy_quorum as quorum;

#[cfg(all(doctest, feature = "lease", feature = "policy"))]
#[doc = include_str!("../../../README.md")]
mod readme {}

#[cfg(all(doctest, feature = "lease", feature = "policy"))]
#[doc = include_str!("../../../docs/guide.md")]
mod guide {}
