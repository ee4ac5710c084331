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
//! | `FileStore` (feature `file`) | the store of one host: one file, and numbers that survive `kill -9` |
//! | `FileServer`, `FileClient` (feature `file`, on Unix) | that store, for the other processes of the host |
//! | [`LockName`], [`Ttl`] | what is leased, and for how long |

mod ask;
#[cfg(feature = "conformance")]
pub mod conformance;
mod event;
pub mod fence;
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

pub use ask::LeaseStore;
pub use lease::Lease;
pub use lease::held::{Held, NotEnsured};
pub use lease::proof::LostFuture;
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
#[cfg(feature = "file")]
pub use store::file::{FileError, FileFuture, FileOptions, FileStore, Restart};
#[cfg(all(feature = "file", unix))]
pub use store::file::{
    client::{ClientError, ClientFuture, FileClient},
    server::{FileServer, ServeError},
};
pub use store::full::StoreFull;
pub use store::memory::{MemoryFuture, MemoryStore};
pub use token::{BadToken, FencingToken};
pub use ttl::Ttl;
pub use unfenced::{Unfenced, UnfencedLock};
