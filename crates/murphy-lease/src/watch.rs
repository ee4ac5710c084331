//! [`Watch`]: word from the store that a lease is over, before its next renewal is due.

use std::future::Future;
use std::pin::Pin;

use crate::FencingToken;

/// Something that learns by itself when a lease is over: because an operator deleted it, say.
///
/// Without one, a holder learns that from the answer to its next renewal, up to a third of its ttl later. A watch only
/// makes it sooner: one that never says anything costs nothing but that time.
///
/// `EtcdStore` (feature `etcd`) is one; give it to
/// [`Locks::watch`](crate::Locks::watch).
pub trait Watch: Send + Sync {
    /// Ends when the store *knows* that the lease of this token is over, and never before: what it says is believed, and the
    /// lease is lost through [`Why::Refused`](crate::Why::Refused). While nobody knows, it is pending.
    ///
    /// It is polled by the lease's own task, from when it is granted, and dropped when it is over or released.
    fn over(&self, token: &FencingToken) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}
