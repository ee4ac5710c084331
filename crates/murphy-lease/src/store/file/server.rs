//! [`FileServer`]: a store in a file, for the other processes of the host.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower_service::Service;

use super::wire::{FORMAT, ToClient, ToServer, encoded, frames};
use super::{FileError, FileFuture, FileStore};
use crate::LeaseReply;
use crate::store::event;

/// More clients than that are turned away.
const CLIENTS: usize = 256;
/// More calls than that of one client are refused.
const CALLS: usize = 1024;
/// A client that takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);
/// After the system had no more file descriptors, say.
const PAUSE: Duration = Duration::from_millis(100);

type Socket = Framed<UnixStream, LengthDelimitedCodec>;
/// `None`: it was left.
type Answer = (u64, Option<Result<LeaseReply, FileError>>);

/// A store in a file that listens at a socket, for [`FileClient`](crate::FileClient)s in other processes. Dropped, it
/// stops, lets its clients go, and removes the socket, unless another one is there by then.
///
/// Only the same user may connect: whoever can, can hold any lock.
///
/// # Limits
///
/// 256 clients at a time, and of each 1,024 calls. A client that sends what is no request is let go, and
/// [counted](Self::turned_away). When it is dropped, its clients' tasks keep the store a moment longer. What was granted
/// and could not be said, because its client was gone, runs until its time is up.
#[derive(Debug)]
#[must_use = "it stops when it is dropped"]
pub struct FileServer {
    path: PathBuf,
    /// Which file there is its own.
    socket: Option<(u64, u64)>,
    turned_away: Arc<AtomicU64>,
    _stop: DropGuard,
}

/// The socket cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Somebody listens there.
    #[error("{} is served by a process already: use another path, or stop it", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("{} is there, and no socket: use another path", path.display())]
    NoSocket {
        /// Where.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot listen at {}: {source}; a socket's path has at most 107 bytes, in a folder that this process may write", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl FileStore {
    /// Listens at a Unix socket for the other processes of the host. A socket that was left behind by a process that
    /// was killed is replaced.
    ///
    /// # Errors
    ///
    /// [`ServeError`] names the path and what to do.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled.
    pub fn serve(&self, socket: impl AsRef<Path>) -> Result<FileServer, ServeError> {
        let path = socket.as_ref().to_owned();
        clear(&path)?;
        let io = |source| ServeError::Io {
            path: path.clone(),
            source,
        };
        let listener = UnixListener::bind(&path).map_err(io)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(io)?;
        let (stop, turned_away) = (CancellationToken::new(), Arc::default());
        let door = Door {
            store: self.clone(),
            stop: stop.clone(),
            turned_away: Arc::clone(&turned_away),
            places: Arc::new(Semaphore::new(CLIENTS)),
        };
        tokio::spawn(door.listen(listener));
        Ok(FileServer {
            socket: device_and_inode(&path),
            path,
            turned_away,
            _stop: stop.drop_guard(),
        })
    }
}

impl FileServer {
    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many clients were turned away, for what they sent or because there were too many.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        // Who removed it may have put another one there.
        if device_and_inode(&self.path) == self.socket {
            _ = std::fs::remove_file(&self.path);
        }
    }
}

fn device_and_inode(path: &Path) -> Option<(u64, u64)> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Removes a socket that nobody listens at.
fn clear(path: &Path) -> Result<(), ServeError> {
    let owned = || path.to_owned();
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(ServeError::NoSocket { path: owned() }),
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            Err(ServeError::InUse { path: owned() })
        }
        Ok(_) => std::fs::remove_file(path).map_err(|source| ServeError::Io {
            path: owned(),
            source,
        }),
        Err(_) => Ok(()),
    }
}

/// Where clients come in.
#[derive(Clone)]
struct Door {
    store: FileStore,
    stop: CancellationToken,
    turned_away: Arc<AtomicU64>,
    places: Arc<Semaphore>,
}

impl Door {
    async fn listen(self, listener: UnixListener) {
        let stop = self.stop.clone();
        let accept = async {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => self.let_in(stream),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        };
        stop.run_until_cancelled(accept).await;
    }

    fn let_in(&self, stream: UnixStream) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return self.turn_away("too many clients");
        };
        let door = self.clone();
        tokio::spawn(async move {
            let client = Client {
                door: &door,
                socket: Framed::new(stream, frames()),
                answers: JoinSet::new(),
                calls: BTreeMap::new(),
            };
            door.stop.run_until_cancelled(client.serve()).await;
            drop(place);
        });
    }

    fn turn_away(&self, why: &'static str) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        event::turned_away(why);
    }
}

/// One that is connected. When it leaves, its calls leave the queues.
struct Client<'a> {
    door: &'a Door,
    socket: Socket,
    answers: JoinSet<Answer>,
    /// Each unanswered one; cancelled when it is left.
    calls: BTreeMap<u64, CancellationToken>,
}

/// The answer; or none, if it is left before there is one.
async fn answered(call: u64, asking: FileFuture, left: CancellationToken) -> Answer {
    match select(asking, pin!(left.cancelled())).await {
        Either::Left((answer, _)) => (call, Some(answer)),
        Either::Right(_) => (call, None),
    }
}

/// What happens next.
enum Next {
    Heard(Option<io::Result<BytesMut>>),
    Answered(Result<Answer, JoinError>),
}

impl Client<'_> {
    async fn serve(mut self) {
        let hello = ToClient::Hello {
            murphy_lease: FORMAT,
        };
        let mut goes_on = self.say(&hello).await;
        while goes_on {
            goes_on = match poll_fn(|cx| self.poll_next(cx)).await {
                Next::Heard(Some(Ok(frame))) => self.hear(&frame).await,
                Next::Heard(Some(Err(error))) => {
                    if error.kind() == io::ErrorKind::InvalidData {
                        self.door.turn_away("longer than a request can be");
                    }
                    false
                }
                Next::Answered(Ok((call, answer))) => self.answer(call, answer).await,
                Next::Heard(None) | Next::Answered(Err(_)) => false,
            };
        }
    }

    /// Answers go out before more is heard.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        match self.answers.poll_join_next(cx) {
            Poll::Ready(Some(answered)) => Poll::Ready(Next::Answered(answered)),
            _ => self.socket.poll_next_unpin(cx).map(Next::Heard),
        }
    }

    /// Whether it goes on.
    async fn hear(&mut self, frame: &[u8]) -> bool {
        match serde_json::from_slice(frame) {
            Ok(ToServer::Ask { call, .. }) if self.calls.contains_key(&call) => {
                self.door.turn_away("a call's number twice");
                false
            }
            Ok(ToServer::Ask { call, .. }) if self.calls.len() >= CALLS => {
                let why = format!("more than {CALLS} calls at a time");
                self.say(&ToClient::Failed { call, why }).await
            }
            Ok(ToServer::Ask { call, request }) => {
                let asking = self.door.store.clone().call(request);
                let left = CancellationToken::new();
                self.calls.insert(call, left.clone());
                self.answers.spawn(answered(call, asking, left));
                true
            }
            Ok(ToServer::Leave { call }) => {
                if let Some(left) = self.calls.get(&call) {
                    left.cancel();
                }
                true
            }
            Err(_) => {
                self.door.turn_away("not a request");
                false
            }
        }
    }

    /// Also to those who left: they give back what was granted.
    async fn answer(&mut self, call: u64, answer: Option<Result<LeaseReply, FileError>>) -> bool {
        self.calls.remove(&call);
        let failed = |why| ToClient::Failed { call, why };
        let message = match answer {
            Some(Ok(reply)) => ToClient::Reply { call, reply },
            Some(Err(error)) => failed(error.to_string()),
            None => failed("it was left".into()),
        };
        self.say(&message).await
    }

    async fn say(&mut self, message: &ToClient) -> bool {
        let sent = timeout(PATIENCE, self.socket.send(encoded(message))).await;
        matches!(sent, Ok(Ok(())))
    }
}
