//! [`FileStore`]: leases of one host, whose numbers outlive the process.

#[cfg(unix)]
pub(crate) mod client;
pub(crate) mod disk;
pub(crate) mod error;
mod mark;
mod options;
mod reserve;
#[cfg(unix)]
pub(crate) mod server;
#[cfg(test)]
mod tests;
#[cfg(unix)]
mod wire;

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tower_service::Service;

use self::disk::Disk;
pub use self::error::FileError;
use self::mark::Mark;
pub use self::options::{FileOptions, Restart};
use self::reserve::Reserved;
use super::desk::{Asking, Desk};
use crate::{LeaseReply, LeaseRequest};

/// Leases of one host, whose numbers outlive the process: one file, no server. All clones are one store.
///
/// It is as fair and as bounded as a [`MemoryStore`](crate::MemoryStore), and nearly as fast. The leases are in memory;
/// on the disk is up to which number it may have granted, in blocks (1,024 by default) that are written and flushed
/// *before* the first number of the block is granted. After `kill -9`, or a power cut, it begins above that: numbers are
/// left out, and none is granted twice, or lower than before.
///
/// # After a restart
///
/// Leases of its former life may still be running at their holders. So it grants nothing until the longest that it ever
/// granted must be over (see [`Restart`]): requests are answered [`Held`](LeaseReply::Held), or wait. A store that was
/// dropped when no lease was running has nothing to wait for. Holders of the former life are refused renewal.
///
/// # Numbers
///
/// All locks share one count. It begins at the time of day in microseconds where that is higher, so that a file that was
/// removed is begun anew above the old one. A [floor](crate::Claim::Above) above all that moves the count for every
/// lock, and for good: who may ask this store could use it up, as could who may write the file.
///
/// # Limits
///
/// One process has the file open ([`FileError::InUse`] for a second); on Unix it can `serve` the others of the host. Those of [`FileOptions`]. A network file system
/// that does not lock, or does not flush, breaks the promise. Whatever reserves a block waits for the disk: the first
/// grant, and those that are faster than the disk writes half a block. After the disk has failed once it is to be opened
/// anew. The feature `file` needs Rust 1.90.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use murphy_lease::{Acquire, Claim, FileStore, LeaseReply, LeaseRequest, Nonce, Rank, Ttl};
/// use tower::{Service, ServiceExt};
///
/// let folder = tempfile::tempdir()?;
/// let acquire = || LeaseRequest::Acquire(Acquire {
///     lock: "orders".try_into().unwrap(),
///     nonce: Nonce::from_bits(1),
///     ttl: Ttl::from_secs(10),
///     claim: Claim::Above(Rank::ZERO),
///     wait: Default::default(),
/// });
/// let mut store = FileStore::open(folder.path().join("leases"))?;
/// let LeaseReply::Granted(grant) = store.call(acquire()).await? else { panic!() };
/// drop(store);
/// // The lease may still be running, wherever its holder is.
/// let mut store = FileStore::open(folder.path().join("leases"))?;
/// let LeaseReply::Held(former) = store.call(acquire()).await? else { panic!() };
/// assert!(former.rank >= grant.rank);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct FileStore {
    life: Arc<Life>,
}

/// What a [`FileStore`] answers, or is going to.
///
/// # Panics
///
/// When polled after it is done, and where it has to wait, outside of a tokio runtime with time.
///
/// # Cancel safety
///
/// Dropped while it waits, it leaves the queue. What could be done at once is done when it exists.
#[must_use = "futures do nothing unless they are polled"]
pub struct FileFuture {
    asking: Asking<Reserved>,
    /// The file stays open for it. Let go after it left the queue.
    _life: Arc<Life>,
}

/// From open to close.
struct Life {
    desk: Arc<Desk<Reserved>>,
    disk: Arc<Disk>,
    /// When all leases of the former life are over.
    former: Instant,
}

impl FileStore {
    /// Opens the file, or makes it, as [`FileOptions::new`] has it. Blocks for some milliseconds, on the disk.
    ///
    /// # Errors
    ///
    /// [`FileError`], which names the file and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        FileOptions::new().open(path)
    }
}

/// Whoever closes it when nothing runs has nothing to wait for when it is opened again.
impl Drop for Life {
    fn drop(&mut self) {
        let now = self.desk.clock().now();
        let mut table = self.desk.table();
        let mark = table.ranks().mark();
        let is_over = table.is_quiet(now) && self.former <= now;
        // The file is let go here: a write that is on its way keeps the disk. What fails is as a crash: the next waits.
        _ = match is_over && !mark.longest.is_zero() {
            true => Mark {
                longest: Duration::ZERO,
                ..mark
            }
            .close(&self.disk),
            false => self.disk.close_with(None),
        };
    }
}

impl Service<LeaseRequest> for FileStore {
    type Response = LeaseReply;
    type Error = FileError;
    type Future = FileFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FileError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> FileFuture {
        FileFuture {
            asking: self.life.desk.ask(request),
            _life: Arc::clone(&self.life),
        }
    }
}

impl Future for FileFuture {
    type Output = Result<LeaseReply, FileError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.asking).poll(cx)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.life.disk.path();
        f.debug_tuple("FileStore").field(&path).finish()
    }
}

impl fmt::Debug for FileFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileFuture").finish_non_exhaustive()
    }
}
