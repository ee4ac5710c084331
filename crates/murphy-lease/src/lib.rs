//! Leases: who may act, and proof of it.
//!
//! A lock that a dead holder would keep for ever has to end by itself, and then its holder may not know that it ended:
//! it was paused, or cut off. So a lease has two halves. The *holder* counts its validity on its own clock from before
//! its request left, and stops by then. The *resource* takes no write whose [`FencingToken`] is older than one that it
//! has seen, for the holder that was paused between its last look at the clock and its write cannot stop itself.
//!
//! | | what it is |
//! |---|---|
//! | [`FencingToken`], [`Rank`], [`Nonce`] | the proof: which grant, and where it stands among all grants of its lock |
//! | [`LeaseRequest`], [`LeaseReply`] | what a store of leases is asked, and answers: any tower service that does is one |
//! | [`fence`] | the resource's side: what takes no stale write, and layers on both ends of a wire |
//! | [`MemoryStore`] | the store in this process |
//! | [`QuorumStore`] | a majority of stores |
//! | `FileStore` (feature `file`) | the store of one host: one file, and numbers that survive `kill -9` |
//! | `FileServer`, `FileClient` (feature `file`, on Unix) | that store, for the other processes of the host |
//! | `RedisStore`, `PostgresStore`, `EtcdStore` | stores in servers, behind the features `redis`, `postgres` and `etcd` |
//! | [`LockName`], [`Ttl`] | what is leased, and for how long |
//! | [`Locks`], [`Acquiring`] | the client: a lock is asked for until it is granted, over any [store](LeaseStore) |
//! | [`Lease`], [`Held`] | the guard: what is left, the token, the loss; work that ends with it |
//! | [`Renewal`], [`Watch`] | whether it is renewed while its work stands still, or at all; word that it is over before the next renewal |
//! | [`Election`], [`Leadership`], [`Observer`] | one leader at a time, by the votes of a majority; its term is its rank |
//! | [`VoterService`], [`VoteStore`] | who votes, and where its word is kept |
//! | [`UnfencedLock`] | a guard without a token: for efficiency, not for safety |
//!
//! # Validity
//!
//! ```text
//!   request leaves                                           until      ends at the store, at the earliest
//!     │◀──────────── what the holder believes ────────────────▶│◀ drift, margin ▶│
//!     ├──────────────────┬────────────────────┬────────────────┼─────────────────┤
//!     0            renewed at a third      expiring          lost               ttl
//! ```
//!
//! By the holder's own clock, which counts [what the machine slept](murphy_core::clock::BootClock). A renewal that comes back
//! moves it all on, from when *its* request left; one that fails is tried again until the end; one that hangs holds up nothing.
//! What the store says late is late: a lease that was lost stays lost.
//!
//! # Events
//!
//! Target `murphy::lease`; all have `site`, and all but the last two `lock` and `rank`, the last two `lock`. With the feature
//! `metrics` each has a counter, with the label `site`. Names are the events' own, for filters and layers: `tracing_subscriber`'s formats
//! print the target, a message and the fields. An acquire that fails has no event: its error is the caller's to tell.
//!
//! | name | level | when | fields | counter |
//! |---|---|---|---|---|
//! | `lease.acquired` | debug | it was granted | `waited`, `attempts` | `murphy_lease_acquired_total` |
//! | `lease.renewed` | debug | it has more time | `left` | `murphy_lease_renewed_total` |
//! | `lease.renewal_failed` | warn | a renewal failed, or was not answered in time | `left`, `why` | `murphy_lease_renewals_failed_total` |
//! | `lease.expiring` | warn | a third is left and it is not renewed | `left` | `murphy_lease_expiring_total` |
//! | `lease.lost` | warn | it is over, and nobody released it | `why` | `murphy_lease_lost_total` |
//! | `lease.released` | debug | the store has confirmed a release, also of what was perhaps never granted: by who gave an acquire up | `was_held`, `attempts` | `murphy_lease_released_total` |
//! | `lease.not_released` | warn | it has not: the ttl ends it | `attempts`, `why` | `murphy_lease_not_released_total` |
//!
//! # Events of stores
//!
//! Target `murphy::lease`; a store knows no site. With the feature `metrics` each has a counter, with no label but those that are
//! named. Those of fences are in the docs of [`fence`].
//!
//! | name | level | when | fields | counter |
//! |---|---|---|---|---|
//! | `lease.not_reserved` | error | the file could not be written: it grants what it has reserved, and no more | `error` | `murphy_lease_not_reserved_total` |
//! | `lease.turned_away` | warn | a file's server let a client go: too many, or what it sent was no request | `why` | `murphy_lease_turned_away_total` by `why` |
//! | `lease.evictable` | warn | a Redis that evicts leases when it is full was connected to | `policy` | `murphy_lease_evictable_total` |
//! | `lease.redialled` | debug | a connection to Redis or etcd was of no use, and is dialled anew: once, however many dials that takes | `server` | `murphy_lease_redialled_total` by `server` |
//! | `lease.not_watched` | debug | more leases than etcd is to watch: this one learns from its renewals | `most` | `murphy_lease_not_watched_total` |
//!
//! # Spans
//!
//! `lease.acquire` (debug; `site`, `lock`): all attempts to acquire it, and the waits between them. `lease.hold` (debug; `site`,
//! `lock`, `rank`): its renewals and its release; it follows from the first.

mod ask;
#[cfg(feature = "conformance")]
pub mod conformance;
mod election;
mod event;
pub mod fence;
#[cfg(all(test, any(feature = "etcd", feature = "file", feature = "redis")))]
#[path = "../tests/told/heard.rs"]
mod heard;
mod lease;
mod locks;
mod lost;
mod machine;
mod metered;
mod name;
mod nonce;
mod pace;
mod protocol;
mod rank;
mod release;
mod settings;
mod store;
mod token;
mod ttl;
mod unfenced;
mod validity;
mod watch;

pub use ask::LeaseStore;
pub use election::id::NodeId;
pub use election::observer::{Leader, Observer};
pub use election::protocol::{Candidate, Tenure, VoteAsk, VoteReply, VoteRequest, VoteSaid};
pub use election::voter::{SeatError, VoterError, VoterService};
pub use election::voters::NotElected;
#[cfg(feature = "file")]
pub use election::votes::file::FileVotes;
pub use election::votes::memory::MemoryVotes;
pub use election::votes::{Kept, VoteStore};
pub use election::{Election, Leadership};
pub use lease::Lease;
pub use lease::held::{Held, NotEnsured};
pub use lease::release::ReleaseError;
pub use locks::Locks;
pub use locks::acquire::Acquiring;
pub use locks::error::{AcquireError, BadReply, Last};
pub use lost::{Lost, Why};
pub use machine::Renewal;
pub use name::{BadName, LockName};
pub use nonce::Nonce;
pub use protocol::{Acquire, Claim, Grant, Holder, LeaseReply, LeaseRequest, Renew};
pub use rank::Rank;
pub use release::NotReleased;
#[cfg(any(feature = "etcd", feature = "postgres", feature = "redis"))]
pub use store::error::{ConnectError, StoreError};
#[cfg(feature = "etcd")]
pub use store::etcd::EtcdStore;
#[cfg(feature = "file")]
pub use store::file::{FileError, FileFuture, FileOptions, FileStore, Restart};
#[cfg(all(feature = "file", unix))]
pub use store::file::{
    client::{ClientError, ClientFuture, FileClient},
    server::{FileServer, ServeError},
};
pub use store::full::StoreFull;
pub use store::memory::{MemoryFuture, MemoryStore};
#[cfg(feature = "postgres")]
pub use store::postgres::PostgresStore;
pub use store::quorum::{NoMajority, QuorumStore};
#[cfg(feature = "redis")]
pub use store::redis::{RedisLink, RedisStore};
pub use token::{BadToken, FencingToken};
pub use ttl::Ttl;
pub use unfenced::{Unfenced, UnfencedLock};
pub use watch::Watch;
