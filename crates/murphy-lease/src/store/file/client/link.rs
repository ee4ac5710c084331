//! [`Link`]: a client's connection, and the task that keeps it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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
    /// It was granted; and whether somebody took that.
    Granted(Wanted, bool),
}

/// What is acquired. All calls of one nonce ask for one grant.
type Wanted = (LockName, Nonce);

/// What came of the calls for one grant so far.
#[derive(Default)]
struct Claim {
    /// Those that are not answered yet, or whose grant is on its way to who asked. The last one settles it.
    open: usize,
    is_granted: bool,
    is_taken: bool,
}

/// Tells that nobody waits for the call any longer.
struct Leaving {
    call: u64,
    notes: mpsc::UnboundedSender<Note>,
}

/// An answer on its way. If it is a grant, it tells whether it was taken.
struct Delivery {
    answer: Option<Answer>,
    grant: Option<Wanted>,
    notes: mpsc::UnboundedSender<Note>,
}

/// What the server has not answered yet.
struct Pending {
    /// Nobody: it is an order of ours.
    answer: Option<oneshot::Sender<Delivery>>,
    wanted: Option<Wanted>,
}

struct Keeper {
    path: Arc<Path>,
    socket: Framed<UnixStream, LengthDelimitedCodec>,
    asks: mpsc::Receiver<Ask>,
    notes: mpsc::UnboundedReceiver<Note>,
    noting: mpsc::UnboundedSender<Note>,
    calls: Arc<AtomicU64>,
    pending: BTreeMap<u64, Pending>,
    claims: BTreeMap<Wanted, Claim>,
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
            claims: BTreeMap::new(),
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
        self.tell(true);
        self.answer.take()
    }

    fn tell(&mut self, is_taken: bool) {
        if let Some(wanted) = self.grant.take() {
            _ = self.notes.send(Note::Granted(wanted, is_taken));
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.tell(false);
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
        while !self.pending.is_empty() || !self.claims.is_empty() {
            let next = poll_fn(|cx| self.poll_rest(cx)).await;
            if !self.act(next).await {
                return;
            }
        }
    }

    /// Whether the connection holds.
    async fn act(&mut self, next: Next) -> bool {
        match next {
            Next::Noted(Note::Left(call)) => self.leave(call).await,
            Next::Noted(Note::Granted(wanted, is_taken)) => self.settle(wanted, is_taken).await,
            Next::Heard(Some(Ok(frame))) => self.hear(&frame).await,
            Next::Asked(Some(ask)) => self.ask(ask).await,
            Next::Heard(_) | Next::Asked(None) => false,
        }
    }

    /// Who asks comes last, and only if there is room.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        match self.poll_rest(cx) {
            Poll::Pending if self.pending.len() < CALLS => self.asks.poll_recv(cx).map(Next::Asked),
            rest => rest,
        }
    }

    /// Who leaves is heard first, for he makes room.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Poll::Ready(Some(note)) = self.notes.poll_recv(cx) {
            return Poll::Ready(Next::Noted(note));
        }
        self.socket.poll_next_unpin(cx).map(Next::Heard)
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
        let wanted = match &request {
            LeaseRequest::Acquire(asked) => Some((asked.lock.clone(), asked.nonce)),
            _ => None,
        };
        if let Some(wanted) = wanted.clone() {
            self.claims.entry(wanted).or_default().open += 1;
        }
        let answer = Some(answer);
        self.pending.insert(call, Pending { answer, wanted });
        self.say(&ToServer::Ask { call, request }).await
    }

    async fn leave(&mut self, call: u64) -> bool {
        match self.pending.contains_key(&call) {
            true => self.say(&ToServer::Leave { call }).await,
            false => true,
        }
    }

    async fn hear(&mut self, frame: &[u8]) -> bool {
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
        let Pending {
            answer: waits,
            mut wanted,
        } = pending;
        let grant = wanted.take_if(|_| matches!(answer, Ok(LeaseReply::Granted(_))));
        if let Some(waits) = waits {
            // If nobody does, this is dropped, and tells that it was not taken.
            _ = waits.send(Delivery {
                answer: Some(answer),
                grant,
                notes: self.noting.clone(),
            });
        }
        match wanted {
            Some(refused) => self.close(refused).await,
            None => true,
        }
    }

    /// A grant came to who asked, or to nobody.
    async fn settle(&mut self, wanted: Wanted, is_taken: bool) -> bool {
        if let Some(claim) = self.claims.get_mut(&wanted) {
            claim.is_granted = true;
            claim.is_taken |= is_taken;
        }
        self.close(wanted).await
    }

    /// One call for it less. If that was the last one: what was granted, and nobody took, is given back.
    async fn close(&mut self, wanted: Wanted) -> bool {
        let Entry::Occupied(mut claim) = self.claims.entry(wanted) else {
            return true;
        };
        claim.get_mut().open -= 1;
        if claim.get().open > 0 {
            return true;
        }
        let ((lock, nonce), claim) = claim.remove_entry();
        if !claim.is_granted || claim.is_taken {
            return true;
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let (answer, wanted) = (None, None);
        self.pending.insert(call, Pending { answer, wanted });
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
