//! [`FileClient`]: a store in a file, from another process of the host.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::Mutex;
use tower_service::Service;

use self::link::Link;
use crate::{LeaseReply, LeaseRequest};

mod link;

/// A [`FileStore`](crate::FileStore) that another process of the host [serves](crate::FileStore::serve). All clones
/// share one connection. It is made at the first call, and again at the next one after it was lost, so the server may
/// be restarted.
///
/// # Limits
///
/// 1,024 calls at a time are under way; more wait for that. A server that is stopped, and not gone, keeps its clients waiting: that is for a timeout.
#[derive(Clone)]
pub struct FileClient {
    path: Arc<Path>,
    link: Arc<Mutex<Option<Link>>>,
}

/// What became of a call is not known, unless it says so.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens. Nothing was asked.
    #[error("nobody serves {}: {source}; start the process that has the store's file open, or open the file here", path.display())]
    NoServer {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Somebody else listens. Nothing was asked.
    #[error("{} is not the socket of a store of leases ({what}): give the one that `serve` was given", path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// What he said.
        what: String,
    },
    /// The connection was lost meanwhile: ask again, under the same nonce.
    #[error("lost the connection to {}: what was asked may have been done; ask again, under the same nonce", path.display())]
    Lost {
        /// The socket.
        path: PathBuf,
    },
    /// The store could not do it.
    #[error("the store at {}: {why}", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What it said.
        why: String,
    },
}

/// What a [`FileClient`] is answered, or is going to be.
///
/// # Panics
///
/// When polled after it is done, and outside of a tokio runtime with I/O and time.
///
/// # Cancel safety
///
/// Dropped while it waits, it leaves the queue; a grant that comes all the same is given back.
#[must_use = "futures do nothing unless they are polled"]
pub struct ClientFuture(Pin<Box<dyn Future<Output = Result<LeaseReply, ClientError>> + Send>>);

impl FileClient {
    /// A client of the store that is served at this socket. It connects at its first call.
    #[must_use]
    pub fn new(socket: impl AsRef<Path>) -> Self {
        let path = Arc::from(socket.as_ref());
        let link = Arc::default();
        Self { path, link }
    }

    async fn ask(self, request: LeaseRequest) -> Result<LeaseReply, ClientError> {
        let path = self.path.to_path_buf();
        let answer = self.linked().await?.ask(request).await;
        answer.unwrap_or(Err(ClientError::Lost { path }))
    }

    /// The connection, or a new one.
    async fn linked(&self) -> Result<Link, ClientError> {
        let mut link = self.link.lock().await;
        if let Some(link) = link.as_ref().filter(|link| !link.is_lost()) {
            return Ok(link.clone());
        }
        Ok(link.insert(Link::new(&self.path).await?).clone())
    }
}

impl Service<LeaseRequest> for FileClient {
    type Response = LeaseReply;
    type Error = ClientError;
    type Future = ClientFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> ClientFuture {
        ClientFuture(Box::pin(self.clone().ask(request)))
    }
}

impl Future for ClientFuture {
    type Output = Result<LeaseReply, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for FileClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileClient").field(&self.path).finish()
    }
}

impl fmt::Debug for ClientFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFuture").finish_non_exhaustive()
    }
}
