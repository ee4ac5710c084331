//! [`Link`]: a client's connection, and the task that keeps it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::ClientError;
use crate::store::file::wire::{FORMAT, ToClient, ToServer, encoded, frames};
use crate::{LeaseReply, LeaseRequest, LockName, Nonce};

/// More calls than that wait to be sent.
const CALLS: usize = 1024;
/// A socket of this host that says nothing for so long is nobody's.
const PATIENCE: Duration = Duration::from_secs(5);

type Answer = Result<LeaseReply, ClientError>;

/// A connection. Its task ends when this and all calls are dropped, or when it is lost.
#[derive(Clone)]
pub(super) struct Link {
    asks: mpsc::Sender<Ask>,
    /// Two a call at most.
    notes: mpsc::UnboundedSender<Note>,
    calls: Arc<AtomicU64>,
}

struct Ask {
    call: u64,
    request: LeaseRequest,
    answer: oneshot::Sender<Delivery>,
}

/// What a call leaves behind.
enum Note {
    /// Nobody waits for it any longer.
    Left(u64),
    /// It was granted, and nobody took it.
    Untaken(LockName, Nonce),
}

/// Tells that nobody waits for the call any longer.
struct Leaving {
    call: u64,
    notes: mpsc::UnboundedSender<Note>,
}

/// An answer on its way; a grant that is not taken is given back.
struct Delivery {
    answer: Option<Answer>,
    lease: Option<(LockName, Nonce)>,
    notes: mpsc::UnboundedSender<Note>,
}

/// What the server has not answered yet.
struct Pending {
    /// Nobody: it is an order of ours.
    answer: Option<oneshot::Sender<Delivery>>,
    /// What it acquires.
    lease: Option<(LockName, Nonce)>,
    /// Whether that is given back if it is granted, and not taken. All calls of one nonce ask for one grant, and it is the
    /// last of them that answers for it: who asks again has not given up.
    gives_back: bool,
}

struct Keeper {
    path: Arc<Path>,
    socket: Framed<UnixStream, LengthDelimitedCodec>,
    asks: mpsc::Receiver<Ask>,
    notes: mpsc::UnboundedReceiver<Note>,
    noting: mpsc::UnboundedSender<Note>,
    calls: Arc<AtomicU64>,
    pending: BTreeMap<u64, Pending>,
}

enum Next {
    Noted(Note),
    Heard(Option<io::Result<BytesMut>>),
    Asked(Option<Ask>),
}

impl Link {
    /// Connects, and hears whom it has.
    pub(super) async fn new(path: &Arc<Path>) -> Result<Self, ClientError> {
        let no_server = |source| ClientError::NoServer {
            path: path.to_path_buf(),
            source: Arc::new(source),
        };
        let connected = timeout(PATIENCE, UnixStream::connect(path)).await;
        let stream = connected
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(no_server)?;
        let mut socket = Framed::new(stream, frames());
        match timeout(PATIENCE, socket.next()).await {
            Ok(Some(Ok(hello))) => check(path, &hello)?,
            Ok(Some(Err(error))) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(foreign(path, error.to_string()));
            }
            Ok(Some(Err(error))) => return Err(no_server(error)),
            Ok(None) => return Err(no_server(io::ErrorKind::ConnectionReset.into())),
            Err(_) => return Err(foreign(path, "it says nothing".into())),
        }
        let (asks, asked) = mpsc::channel(16);
        let (notes, noted) = mpsc::unbounded_channel();
        let calls = Arc::new(AtomicU64::new(0));
        let keeper = Keeper {
            path: Arc::clone(path),
            socket,
            asks: asked,
            notes: noted,
            noting: notes.clone(),
            calls: Arc::clone(&calls),
            pending: BTreeMap::new(),
        };
        tokio::spawn(keeper.keep());
        Ok(Self { asks, notes, calls })
    }

    pub(super) fn is_lost(&self) -> bool {
        self.asks.is_closed()
    }

    /// `None`: the connection was lost, before or meanwhile.
    pub(super) async fn ask(&self, request: LeaseRequest) -> Option<Answer> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let notes = self.notes.clone();
        let ask = Ask {
            call,
            request,
            answer,
        };
        self.asks.send(ask).await.ok()?;
        let _leaving = Leaving { call, notes };
        answered.await.ok()?.take()
    }
}

impl Delivery {
    fn take(mut self) -> Option<Answer> {
        self.lease = None;
        self.answer.take()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some((lock, nonce)) = self.lease.take() {
            _ = self.notes.send(Note::Untaken(lock, nonce));
        }
    }
}

/// Also after the answer: then there is nothing to leave.
impl Drop for Leaving {
    fn drop(&mut self) {
        _ = self.notes.send(Note::Left(self.call));
    }
}

fn foreign(path: &Path, what: String) -> ClientError {
    let path = path.to_owned();
    ClientError::Foreign { path, what }
}

fn check(path: &Path, hello: &[u8]) -> Result<(), ClientError> {
    match serde_json::from_slice(hello) {
        Ok(ToClient::Hello {
            murphy_lease: FORMAT,
        }) => Ok(()),
        Ok(ToClient::Hello { murphy_lease }) => {
            let what = format!("it speaks version {murphy_lease}, and this one {FORMAT}");
            Err(foreign(path, what))
        }
        _ => Err(foreign(path, "it does not say hello".into())),
    }
}

impl Keeper {
    /// Until nobody asks any more, or the connection is lost. Whoever waits then finds his channel closed.
    async fn keep(mut self) {
        if self.serve().await {
            // Who is left has left: what is granted all the same, is given back.
            _ = timeout(PATIENCE, self.finish()).await;
        }
    }

    /// Whether it has ended because nobody asks.
    async fn serve(&mut self) -> bool {
        loop {
            let next = poll_fn(|cx| self.poll_next(cx)).await;
            if matches!(next, Next::Asked(None)) {
                return true;
            }
            if !self.act(next).await {
                return false;
            }
        }
    }

    async fn finish(&mut self) {
        loop {
            while let Ok(note) = self.notes.try_recv() {
                if !self.act(Next::Noted(note)).await {
                    return;
                }
            }
            if self.pending.is_empty() {
                return;
            }
            let heard = self.socket.next().await;
            if !self.act(Next::Heard(heard)).await {
                return;
            }
        }
    }

    /// Whether the connection holds.
    async fn act(&mut self, next: Next) -> bool {
        match next {
            Next::Noted(Note::Left(call)) => self.leave(call).await,
            Next::Noted(Note::Untaken(lock, nonce)) => self.give_back(lock, nonce).await,
            Next::Heard(Some(Ok(frame))) => self.hear(&frame),
            Next::Asked(Some(ask)) => self.ask(ask).await,
            Next::Heard(_) | Next::Asked(None) => false,
        }
    }

    /// Who leaves is heard first, for he makes room; who asks, last, and only if there is some.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Poll::Ready(Some(note)) = self.notes.poll_recv(cx) {
            return Poll::Ready(Next::Noted(note));
        }
        if let Poll::Ready(heard) = self.socket.poll_next_unpin(cx) {
            return Poll::Ready(Next::Heard(heard));
        }
        match self.pending.len() < CALLS {
            true => self.asks.poll_recv(cx).map(Next::Asked),
            false => Poll::Pending,
        }
    }

    async fn ask(&mut self, ask: Ask) -> bool {
        let Ask {
            call,
            request,
            answer,
        } = ask;
        if answer.is_closed() {
            return true;
        }
        let lease = match &request {
            LeaseRequest::Acquire(asked) => Some((asked.lock.clone(), asked.nonce)),
            _ => None,
        };
        self.others_give_back(lease.as_ref(), false);
        let pending = Pending {
            answer: Some(answer),
            gives_back: lease.is_some(),
            lease,
        };
        self.pending.insert(call, pending);
        self.say(&ToServer::Ask { call, request }).await
    }

    /// Says of all calls for this lease whether they give it back; whether there are any.
    fn others_give_back(&mut self, lease: Option<&(LockName, Nonce)>, gives_back: bool) -> bool {
        let Some(lease) = lease else {
            return false;
        };
        let others = self.pending.values_mut();
        let others = others.filter(|other| other.lease.as_ref() == Some(lease));
        others.map(|other| other.gives_back = gives_back).count() > 0
    }

    async fn leave(&mut self, call: u64) -> bool {
        match self.pending.contains_key(&call) {
            true => self.say(&ToServer::Leave { call }).await,
            false => true,
        }
    }

    fn hear(&mut self, frame: &[u8]) -> bool {
        let (call, answer) = match serde_json::from_slice(frame) {
            Ok(ToClient::Reply { call, reply }) => (call, Ok(reply)),
            Ok(ToClient::Failed { call, why }) => {
                let path = self.path.to_path_buf();
                (call, Err(ClientError::Refused { path, why }))
            }
            Ok(ToClient::Hello { .. }) | Err(_) => return false,
        };
        let Some(pending) = self.pending.remove(&call) else {
            return false;
        };
        let was_granted = matches!(answer, Ok(LeaseReply::Granted(_)));
        if let Some(waits) = pending.answer {
            let is_taken = was_granted && !waits.is_closed();
            if is_taken {
                self.others_give_back(pending.lease.as_ref(), false);
            }
            let gives_back = is_taken || (was_granted && pending.gives_back);
            // If nobody waits, this is dropped, and a grant given back.
            _ = waits.send(Delivery {
                answer: Some(answer),
                lease: pending.lease.filter(|_| gives_back),
                notes: self.noting.clone(),
            });
        }
        true
    }

    /// It was granted, and nobody took it.
    async fn give_back(&mut self, lock: LockName, nonce: Nonce) -> bool {
        let lease = (lock, nonce);
        if self.others_give_back(Some(&lease), true) {
            // It was asked for again meanwhile.
            return true;
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let ours = Pending {
            answer: None,
            lease: None,
            gives_back: false,
        };
        self.pending.insert(call, ours);
        let (lock, nonce) = lease;
        let request = LeaseRequest::Release { lock, nonce };
        self.say(&ToServer::Ask { call, request }).await
    }

    async fn say(&mut self, message: &ToServer) -> bool {
        let sent = timeout(PATIENCE, self.socket.send(encoded(message))).await;
        matches!(sent, Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests;
