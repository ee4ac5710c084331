//! [`UnfencedLock`]: a lease without proof.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{Held, Lease, Lost, NotEnsured, ReleaseError};

/// A lease without a token: for efficiency, and not for safety.
///
/// It keeps two from doing the same work *most of the time*. A holder that is paused between its last look at the clock and
/// its write writes beside the next holder, and no resource can tell the two apart. Where that would be a nuisance, and not a
/// damage, this is enough; anywhere else take a [`Lease`], and check its token. What takes a fencing token does not take this.
///
/// The methods are those of [`Lease`], but for those that give its token.
///
/// # Examples
///
/// A lease makes a client's calls fenced, and writes to a fenced store:
///
/// ```
/// use murphy_lease::fence::FencedLayer;
/// use murphy_lease::{FencingToken, Locks, MemoryStore};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let locks = Locks::new(MemoryStore::new());
/// let stamp = |token: &FencingToken, write: &mut u64| *write = token.rank().seq;
/// let lease = locks.acquire("orders").await?;
/// let layer = FencedLayer::with(lease.held(), stamp);
/// let client = layer.layer(service_fn(async |write: u64| Ok::<_, std::io::Error>(write)));
/// client.oneshot(0).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// ```
/// use murphy_lease::fence::{FencedStore, MemoryFenced};
/// use murphy_lease::{Locks, MemoryStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let (locks, accounts) = (Locks::new(MemoryStore::new()), MemoryFenced::new());
/// let lease = locks.acquire("orders").await?;
/// accounts.write("alice", lease.token()?, 100).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// This does neither: it is no [`Proof`](crate::fence::Proof), nor is its handle, and it is no token.
///
/// ```compile_fail,E0277
/// use murphy_lease::fence::FencedLayer;
/// use murphy_lease::{FencingToken, Locks, MemoryStore};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let locks = Locks::new(MemoryStore::new());
/// let stamp = |token: &FencingToken, write: &mut u64| *write = token.rank().seq;
/// let lock = locks.unfenced("orders").await?;
/// let layer = FencedLayer::with(lock, stamp);
/// let client = layer.layer(service_fn(async |write: u64| Ok::<_, std::io::Error>(write)));
/// client.oneshot(0).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// ```compile_fail,E0277
/// use murphy_lease::fence::FencedLayer;
/// use murphy_lease::{FencingToken, Locks, MemoryStore};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let locks = Locks::new(MemoryStore::new());
/// let stamp = |token: &FencingToken, write: &mut u64| *write = token.rank().seq;
/// let lock = locks.unfenced("orders").await?;
/// let handle = lock.run(async |handle| handle).await?;
/// let layer = FencedLayer::with(handle, stamp);
/// let client = layer.layer(service_fn(async |write: u64| Ok::<_, std::io::Error>(write)));
/// client.oneshot(0).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// ```compile_fail,E0308
/// use murphy_lease::fence::{FencedStore, MemoryFenced};
/// use murphy_lease::{Locks, MemoryStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let (locks, accounts) = (Locks::new(MemoryStore::new()), MemoryFenced::new());
/// let lock = locks.unfenced("orders").await?;
/// accounts.write("alice", &lock, 100).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// ```compile_fail,E0599
/// use murphy_lease::fence::{FencedStore, MemoryFenced};
/// use murphy_lease::{Locks, MemoryStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let (locks, accounts) = (Locks::new(MemoryStore::new()), MemoryFenced::new());
/// let lock = locks.unfenced("orders").await?;
/// accounts.write("alice", lock.token()?, 100).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a lock is released when it is dropped"]
#[doc(alias = "UnsafeLock")]
pub struct UnfencedLock(Lease);

/// A handle of an [`UnfencedLock`], for the work that is done under it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Unfenced(Held);

impl UnfencedLock {
    /// Whether it is valid by the holder's own clock.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.0.token().is_ok()
    }

    /// How much of it is left; nothing if it is lost.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.0.remaining()
    }

    /// Has at least so much left, and renews it first if there is less.
    ///
    /// # Errors
    ///
    /// [`NotEnsured`]: it is lost, or no lease of this length leaves so much.
    ///
    /// # Cancel safety
    ///
    /// Safe. A renewal that was begun goes on.
    pub async fn ensure(&self, least: Duration) -> Result<(), NotEnsured> {
        self.0.ensure(least).await
    }

    /// Waits until it is lost, and says through what.
    ///
    /// # Cancel safety
    ///
    /// Safe, and any number may wait.
    pub async fn lost(&self) -> Lost {
        self.0.lost().await
    }

    /// Waits until a third of its time is left and no renewal has come back, or it is lost.
    ///
    /// # Cancel safety
    ///
    /// Safe, and any number may wait.
    pub async fn expiring(&self) {
        self.0.expiring().await;
    }

    /// Cancelled when it is lost, released, or dropped.
    #[must_use]
    pub fn child_token(&self) -> CancellationToken {
        self.0.child_token()
    }

    /// For [`Renewal::WhileProgress`](crate::Renewal): the work moves.
    pub fn tick(&self) {
        self.0.tick();
    }

    /// Runs work until it is done, or the lease is lost.
    ///
    /// # Errors
    ///
    /// [`Lost`], also if the work was done in the very poll in which the lease ended.
    ///
    /// # Cancel safety
    ///
    /// The work is dropped with the future. The lease stays.
    pub async fn run<W, F>(&self, work: W) -> Result<F::Output, Lost>
    where
        W: FnOnce(Unfenced) -> F,
        F: Future,
    {
        self.0.run(|held| work(Unfenced(held))).await
    }

    /// Gives it back, and waits until the store has confirmed that.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`] says that it was lost before, or that the store has not confirmed.
    ///
    /// # Cancel safety
    ///
    /// The release goes on without the future.
    pub async fn release(self) -> Result<(), ReleaseError> {
        self.0.release().await
    }
}

impl Unfenced {
    /// Whether the lease is valid by the holder's own clock.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.0.token().is_ok()
    }

    /// How much of it is left; nothing if it is lost.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.0.remaining()
    }

    /// Has at least so much left, and renews it first if there is less.
    ///
    /// # Errors
    ///
    /// [`NotEnsured`]: it is lost, or no lease of this length leaves so much.
    ///
    /// # Cancel safety
    ///
    /// Safe. A renewal that was begun goes on.
    pub async fn ensure(&self, least: Duration) -> Result<(), NotEnsured> {
        self.0.ensure(least).await
    }

    /// Waits until it is lost, and says through what.
    ///
    /// # Cancel safety
    ///
    /// Safe, and any number may wait.
    pub async fn lost(&self) -> Lost {
        self.0.lost().await
    }

    /// For [`Renewal::WhileProgress`](crate::Renewal): the work moves.
    pub fn tick(&self) {
        self.0.tick();
    }
}

impl From<Lease> for UnfencedLock {
    fn from(lease: Lease) -> Self {
        Self(lease)
    }
}
