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
//! | [`MemoryStore`] | the store in this process |
//! | `RedisStore`, `PostgresStore`, `EtcdStore` | stores in servers, behind the features `redis`, `postgres` and `etcd` |
//! | [`LockName`], [`Ttl`] | what is leased, and for how long |

mod name;
mod nonce;
mod protocol;
mod rank;
mod store;
mod token;
mod ttl;

pub use name::{BadName, LockName};
pub use nonce::Nonce;
pub use protocol::{Acquire, Claim, Grant, Holder, LeaseReply, LeaseRequest, Renew};
pub use rank::Rank;
#[cfg(any(feature = "etcd", feature = "postgres", feature = "redis"))]
pub use store::error::{ConnectError, StoreError};
#[cfg(feature = "etcd")]
pub use store::etcd::EtcdStore;
pub use store::memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use store::postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use store::redis::{RedisLink, RedisStore};
pub use token::{BadToken, FencingToken};
pub use ttl::Ttl;
