//! The resource's side: who remembers the highest token that it has seen takes nothing from anybody before it.
//!
//! A holder that was paused between its last look at the clock and its write cannot stop itself: only what it writes to
//! can. So a resource keeps, beside its value, a [`Fence`]: the token of the latest holder that it has heard of.
//!
//! ```text
//! Holder 1 ── granted 33 ── paused ............................... wakes, writes with 33 ──▶ refused: stale
//! Holder 2 ............... granted 34 ── seals ── reads ── writes with 34 ──▶ admitted
//! ```
//!
//! # Three mistakes
//!
//! * **Check, then write.** The textbook's `write_with_token` asks for the resource's token, compares, and then writes: two
//!   steps. A writer that is paused between them writes over its successor, token or no token. Admission and write have to
//!   be one transaction, as they are in a [`FencedStore`] (`tests/check_then_write.rs` breaks the other).
//! * **No seal.** A resource protects its new holder from the moment that it has *seen* the new token. A holder that reads,
//!   computes, and only then shows its token by writing may have read what a late write of its predecessor changes
//!   meanwhile. So it [seals](FencedStore::seal) first, and that is how it gets the value.
//! * **Forgetting.** A resource whose fence is lost admits anybody. Nothing here evicts a fence that says something.
//!
//! # What is here
//!
//! | | what it is |
//! |---|---|
//! | [`Fence`], [`Admitted`], [`Refused`] | the rule, without any resource |
//! | [`Horizon`] | no token from the future: for callers that are not trusted |
//! | [`FencedStore`], [`MemoryFenced`] | values that take no stale write |
//! | [`SqlFence`] | the same for a table of yours |
//! | [`Proof`] | what can say whether a lease is still held: a [`Held`](crate::Held) |
//! | [`FencedLayer`] | a client's calls carry the token, and end with the lease |
//! | `Headers`, `FencingOp` (feature `http`) | how HTTP and gRPC carry it; `current_rank` reads above what to acquire anew |
//! | `FenceGuardLayer` (feature `http`; gRPC's answers with `grpc`) | a server that admits no stale request |
//! | `Signer` (feature `sign`) | tokens that only who has the key can make |
//! | `FileFenced` (feature `file`), `PostgresFenced` (feature `postgres`) | fenced values that outlive the process |
//!
//! # Events and counters
//!
//! Target `murphy::lease`. With the feature `metrics` each has a counter, with no label but those that are named.
//!
//! | name | level | when | fields | counter |
//! |---|---|---|---|---|
//! | `fence.lost` | debug | a client's call ended with its lease | `lock`, `rank`, `why` | `murphy_lease_fenced_lost_total` |
//! | `fence.denied` | debug | a server did not admit a request | `why` | `murphy_lease_fence_denied_total` by `why` |
//! | `fence.handed_over` | debug | a caller left, and its handler went on | | `murphy_lease_fence_handed_over_total` |

mod attach;
mod client;
mod event;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "http")]
mod guard;
#[cfg(feature = "http")]
mod headers;
mod held;
mod horizon;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod proof;
mod rule;
#[cfg(feature = "sign")]
mod sign;
mod sql;
mod store;

pub use self::attach::AttachToken;
pub use self::client::{Fenced, FencedError, FencedFuture, FencedLayer};
#[cfg(feature = "file")]
pub use self::file::{FencedFileError, FileFenced};
#[cfg(feature = "http")]
pub use self::guard::{
    Denied, FenceGuard, FenceGuardLayer, NothingDone, PassFuture, PassThrough, SerialFuture,
    Serialize,
};
#[cfg(feature = "http")]
pub use self::headers::{
    BadRank, FENCING_OP, FENCING_OP_LAST, FENCING_TOKEN, FENCING_TOKEN_CURRENT, FencingOp, Headers,
    current_rank,
};
pub use self::held::HeldLost;
pub use self::horizon::Horizon;
pub use self::memory::MemoryFenced;
#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresError, PostgresFenced};
pub use self::proof::Proof;
pub use self::rule::{Admitted, Fence, Refused};
#[cfg(feature = "sign")]
pub use self::sign::{BadSignature, Signer};
pub use self::sql::SqlFence;
pub use self::store::{FencedStore, FencedStoreError, MAX_RESOURCE, Sealed};
