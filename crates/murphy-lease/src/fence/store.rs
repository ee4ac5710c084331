//! [`FencedStore`]: values that take no stale write.

use std::error::Error;
use std::future::Future;

use super::{Admitted, Refused};
use crate::FencingToken;

/// The longest name of a resource, in bytes.
pub const MAX_RESOURCE: usize = 512;

/// Values by name, each behind a [`Fence`](super::Fence): admission and write are one transaction.
///
/// A new holder [seals](Self::seal), works on the value that it got, and [writes](Self::write). From the seal on, no late
/// write of a holder before it is admitted, so that nothing changes beneath its hands.
///
/// A resource comes to be with its first seal or write, and its fence is never forgotten.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use murphy_lease::FencingToken;
/// use murphy_lease::fence::{FencedStore, MemoryFenced, Refused, FencedStoreError};
///
/// let older: FencingToken = "orders;era=0;seq=33;nonce=a".parse().unwrap();
/// let newer: FencingToken = "orders;era=0;seq=34;nonce=b".parse().unwrap();
/// let accounts = MemoryFenced::new();
/// accounts.write("alice", &older, 100).await.unwrap();
///
/// let sealed = accounts.seal("alice", &newer).await.unwrap();
/// assert_eq!(sealed.value, Some(100));
/// let late = accounts.write("alice", &older, 0).await;
/// assert!(matches!(late, Err(FencedStoreError::Refused(Refused::Stale { .. }))));
/// accounts.write("alice", &newer, 90).await.unwrap();
/// # });
/// ```
pub trait FencedStore: Send + Sync {
    /// What is kept.
    type Value: Send;

    /// What can go wrong with the store itself.
    type Error: Error + Send + Sync + 'static;

    /// Admits the token, and then reads: every holder before it is refused from now on.
    ///
    /// # Errors
    ///
    /// [`FencedStoreError`].
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, it may have been done. It does no harm to do it again.
    fn seal(
        &self,
        resource: &str,
        token: &FencingToken,
    ) -> impl Future<Output = Result<Sealed<Self::Value>, FencedStoreError<Self::Error>>> + Send;

    /// Admits the token, and writes, in one transaction; `op` is the operation's number if the holder counts its own.
    ///
    /// # Errors
    ///
    /// [`FencedStoreError`]. [`Refused::Repeated`] with its `last` equal to `op` says that it *was* done, admission and write being
    /// one transaction; with a higher `last`, that it was done before that, or never will be.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, or fails with [`FencedStoreError::Store`], it may have been done. With a number it can be repeated
    /// safely.
    fn put(
        &self,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
        value: Self::Value,
    ) -> impl Future<Output = Result<Admitted, FencedStoreError<Self::Error>>> + Send;

    /// Reads, if this token has sealed and none came after it. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`FencedStoreError`], with [`Refused::NotSealed`] where the holder has yet to seal.
    fn read_fenced(
        &self,
        resource: &str,
        token: &FencingToken,
    ) -> impl Future<Output = Result<Option<Self::Value>, FencedStoreError<Self::Error>>> + Send;

    /// [`put`](Self::put) without a number: admitted as often as it comes while the token is.
    ///
    /// # Errors
    ///
    /// As there.
    fn write(
        &self,
        resource: &str,
        token: &FencingToken,
        value: Self::Value,
    ) -> impl Future<Output = Result<Admitted, FencedStoreError<Self::Error>>> + Send {
        self.put(resource, token, None, value)
    }

    /// [`put`](Self::put) under a number, which rises with each: done once at most.
    ///
    /// # Errors
    ///
    /// As there.
    fn write_once(
        &self,
        resource: &str,
        token: &FencingToken,
        op: u64,
        value: Self::Value,
    ) -> impl Future<Output = Result<Admitted, FencedStoreError<Self::Error>>> + Send {
        self.put(resource, token, Some(op), value)
    }
}

/// What a holder sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed<V> {
    /// The value, as no earlier holder can change it any more; `None` if nothing was written yet.
    pub value: Option<V>,
    /// The last operation under this very token: what a holder that lost a reply asks for.
    pub op: Option<u64>,
    /// Whether the resource had heard of it before.
    pub admitted: Admitted,
}

/// Why a fenced store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FencedStoreError<E: Error + 'static> {
    /// The token was not admitted. Nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No resource has such a name.
    #[error("a resource's name has {length} bytes: use 1 to {MAX_RESOURCE}")]
    BadResource {
        /// How long it is.
        length: usize,
    },
    /// The resource is new, and there is no room for one more fence. Nothing was changed.
    #[error("{limit} resources have fences, which are never forgotten: raise the limit")]
    Full {
        /// How many there is room for.
        limit: usize,
    },
    /// The store failed: nobody knows what became of it.
    #[error("the fenced store failed")]
    Store(#[source] E),
}

impl<E: Error + 'static> FencedStoreError<E> {
    /// Why the token was not admitted, if that is what it is.
    #[must_use]
    pub const fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }
}

/// Whether a resource can have this name.
pub(super) const fn check_name<E: Error + 'static>(
    resource: &str,
) -> Result<(), FencedStoreError<E>> {
    match resource.len() {
        1..=MAX_RESOURCE => Ok(()),
        length => Err(FencedStoreError::BadResource { length }),
    }
}
