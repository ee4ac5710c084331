//! Operations that are done once, however often their requests arrive.
//!
//! A caller whose reply was lost cannot know whether to ask again. [`IdempotencyKeyLayer`] names
//! each of its calls, once for all attempts; `IdempotencyLayer` (feature `http`), at the server,
//! runs the handler once under each name, and gives every repeat the reply of the first.
//!
//! ```text
//! Absent ── the first ──▶ Running ── reply ──▶ Done ── ttl ──▶ Absent
//!    ▲                       └── a reply that says "not done" ──┐
//!    └──────────────────────────────────────────────────────────┘
//! ```
//!
//! | a request | gets |
//! |---|---|
//! | whose key is new | the handler's reply |
//! | whose key runs | the first's reply, if it is there before the repeat's own deadline (less a tenth, at most 100 ms) or else the layer's patience; else 409 with `Retry-After` |
//! | whose key is done | the reply of the first, with `idempotent-replayed: true` |
//! | with another method, path, query or body than the first | 422 |
//! | with no key, where one is required | 400 |
//! | with a key that is none: no or several values, more than 255 bytes, blanks, controls | 400 |
//! | whose body is too long to be read | 413 |
//! | while every place is taken by what runs, or the store is down | 503 with `Retry-After` |
//!
//! A retry with `HttpClassify` takes that 409 and 503 for not fatal.
//! gRPC's requests are told the same in its own words (feature `grpc`).
//!
//! # What it promises
//!
//! Of requests with one key that arrive at once, or one after the other while the store remembers
//! the first, one runs the handler. It runs to its end: when its caller leaves, it goes on in a task
//! that is spawned for it then (nothing is spawned else), in the scope of that caller, and the
//! repeat finds it running, or done. What ends it early is its lease, after which a key that nobody
//! holds is free again. A handler that panics, fails or outlives its lease may have done its work;
//! its key is done, with a 500 or 504, unless
//! `keeps` says otherwise.
//!
//! # What it does not
//!
//! * What a handler did before its process died is not known: when the lease is over, the next
//!   repeat runs it again. The same holds for a reply that the store forgot, that it had no room for
//!   or that it could not be told of.
//! * A lease is told by a clock. A process that is stopped for longer than its lease and goes on
//!   afterwards does its work beside another's; what it finishes is not kept (`idempotency.late`).
//! * Requests with a key are read whole before their handler is called, replies before they are
//!   sent. What streams, in either direction, does not belong beneath it with a key. How long a body
//!   may take to arrive is for a `BodyTimeoutLayer` above.
//! * It is always ready, and a repeat that waits holds nothing but its request. What bounds how many
//!   requests a server takes on belongs above it, and so does what rejects them: what is answered
//!   beneath it is kept.
//! * A request without a key, and one whose method is idempotent, pass as if it were not there.
//!   They cost a clone of the service and no allocation of ours; a key allocates its name, its future, its
//!   handler's future and its bodies.
//!
//! Sources: draft-ietf-httpapi-idempotency-key-header; Stripe's API, for what the draft leaves open
//! (a 500 is kept, the name of the header on replays).
//!
//! # Events
//!
//! Target `murphy::policy`; counters (feature `metrics`) are `murphy_policy_` and the name with
//! `_` for `.`, and `_total`, by `site`.
//!
//! | name | level | when | fields |
//! |---|---|---|---|
//! | `idempotency.replayed` | debug | a repeat got the reply of the first | `site` |
//! | `idempotency.refused` | debug, warn | a request was refused: see `Refused` | `site`, `why` |
//! | `idempotency.handed_over` | debug | a caller left, and its handler goes on | `site` |
//! | `idempotency.too_long` | warn | a reply was too long to be kept | `site` |
//! | `idempotency.late` | warn | an operation ended after its lease | `site` |
//! | `idempotency.store_failed` | warn | the store could not be asked or told | `site`, `error` |
//! | `idempotency.evicted` | warn | replies were forgotten before their time | `replies` |
//! | `idempotency.bad_seed` | warn | `MURPHY_SEED` is no number; not counted | `error` |
//!
//! # Examples
//!
#![cfg_attr(feature = "http", doc = "```")]
#![cfg_attr(not(feature = "http"), doc = "```ignore")]
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use http_body_util::Full;
//! use murphy_policy::{BoxError, IdempotencyLayer};
//! use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! static CHARGED: AtomicU32 = AtomicU32::new(0);
//! let server = ServiceBuilder::new().layer(IdempotencyLayer::new()).service(service_fn(async |_| {
//!     CHARGED.fetch_add(1, Relaxed);
//!     Ok::<_, BoxError>(http::Response::new(Full::<bytes::Bytes>::from("paid")))
//! }));
//! let pay = || http::Request::post("/pay").header("idempotency-key", "17").body(Full::from("9 €"));
//! let first = server.clone().oneshot(pay().unwrap()).await.unwrap();
//! let again = server.oneshot(pay().unwrap()).await.unwrap();
//! assert_eq!(again.headers()["idempotent-replayed"], "true");
//! assert_eq!(CHARGED.load(Relaxed), 1);
//! # let _: http::Response<murphy_policy::idempotency::KeptBody<Full<bytes::Bytes>>> = first;
//! # });
//! ```

#[cfg(feature = "http")]
mod answer;
#[cfg(feature = "http")]
mod body;
mod client;
#[cfg(feature = "http")]
mod event;
#[cfg(feature = "http")]
mod fingerprint;
#[cfg(feature = "http")]
mod future;
#[cfg(feature = "http")]
mod header;
mod key;
#[cfg(feature = "http")]
mod layer;
#[cfg(feature = "http")]
mod memory;
mod mint;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "http")]
mod reply;
#[cfg(feature = "http")]
mod run;
#[cfg(feature = "http")]
mod server;
#[cfg(feature = "http")]
mod store;
#[cfg(feature = "http")]
mod table;
#[cfg(feature = "http")]
mod work;

#[cfg(feature = "http")]
pub use self::answer::{REPLAYED, Refused};
#[cfg(feature = "http")]
pub use self::body::KeptBody;
pub use self::client::{IdempotencyKeyLayer, NameCalls, WriteKey};
#[cfg(feature = "http")]
pub use self::fingerprint::Fingerprint;
#[cfg(feature = "http")]
pub use self::future::ResponseFuture;
#[cfg(feature = "http")]
pub use self::header::{KeyHeader, LONGEST_KEY};
pub use self::key::IdempotencyKey;
#[cfg(feature = "http")]
pub use self::layer::IdempotencyLayer;
#[cfg(feature = "http")]
pub use self::memory::MemoryStore;
#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
#[cfg(feature = "http")]
pub use self::reply::{Outcome, Reply};
#[cfg(feature = "http")]
pub use self::server::Idempotency;
#[cfg(feature = "http")]
pub use self::store::{Begun, Store, StoreError, Ticket};
