//! [`Wire`]: the way from a client to its store, which can be cut.

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{join, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use super::BoxError;

/// What the wire does to what it carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// Nothing.
    #[default]
    Open,
    /// Nothing arrives, either way, and nobody is told. What was sent arrives when the wire is whole again, as TCP would
    /// have it.
    Blackhole,
    /// Requests arrive; the connection ends when the store answers.
    LosesReplies,
    /// Requests arrive at once; replies take so long.
    SlowReplies(Duration),
}

/// The way from one client to its store. Clones are the same wire; it is whole until it is [`cut`](Self::cut).
#[derive(Clone, Debug)]
pub struct Wire(watch::Sender<Cut>);

impl Wire {
    pub(super) fn whole() -> Self {
        Self(watch::Sender::new(Cut::Open))
    }

    /// From now on it does this.
    pub fn cut(&self, cut: Cut) {
        self.0.send_replace(cut);
    }

    /// An address that leads to `server` through this wire: a proxy on loopback, which ends with the runtime that this was
    /// called in.
    ///
    /// # Errors
    ///
    /// If no port is to be had.
    pub async fn proxy(&self, server: SocketAddr) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let wire = self.clone();
        // On a thread of its own, for the client's is going to be paused.
        let listener = listener.into_std()?;
        std::thread::Builder::new()
            .name("wire".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                if let Ok(runtime) = runtime {
                    runtime.block_on(wire.serve(listener, server));
                }
            })?;
        Ok(address)
    }

    /// A store that is a tower service, at the other end of this wire.
    ///
    /// Each request is a task of the runtime in which it is made: what has left arrives, whether its sender still waits or not.
    pub fn layer<S, R>(&self, store: S) -> Wired<R, S::Response>
    where
        S: Service<R, Error: Into<BoxError>> + Clone + Send + 'static,
        S::Future: Send,
        S::Response: Send + 'static,
        R: Send + 'static,
    {
        let (wire, turn) = (self.clone(), Arc::<Mutex<()>>::default());
        // A service need not be `Sync`.
        let store = std::sync::Mutex::new(store);
        let carry = move |request| {
            let store = store.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let call = carried(store, request, wire.0.subscribe(), Arc::clone(&turn));
            Box::pin(async move { tokio::spawn(call).await? }) as Carried<S::Response>
        };
        Wired {
            carry: Arc::new(carry),
        }
    }

    /// Until nobody holds the wire but us.
    async fn serve(self, listener: std::net::TcpListener, server: SocketAddr) {
        let mut watched = self.0.subscribe();
        drop(self);
        let Ok(listener) = TcpListener::from_std(listener) else {
            return;
        };
        let cut = watched.clone();
        let gone = async { while watched.changed().await.is_ok() {} };
        let carried = async {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    connections.spawn(carry(client, server, cut.clone()));
                }
                while connections.try_join_next().is_some() {}
            }
        };
        select(pin!(gone), pin!(carried)).await;
    }
}

/// One connection, both ways, until either end closes it or a reply is to be lost.
async fn carry(client: TcpStream, server: SocketAddr, cut: watch::Receiver<Cut>) {
    let mut opens = cut.clone();
    if passes(&mut opens).await.is_none() {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    let requests = pin!(copy(client_reads, server_writes, cut.clone(), false));
    let replies = pin!(copy(server_reads, client_writes, cut, true));
    select(requests, replies).await;
}

/// One way of a connection. What follows what is slow is on its way, too: it is late once.
async fn copy(
    from: tcp::OwnedReadHalf,
    to: tcp::OwnedWriteHalf,
    cut: watch::Receiver<Cut>,
    is_reply: bool,
) {
    let (sent, under_way) = mpsc::channel(64);
    join(
        send(from, sent, cut.clone(), is_reply),
        arrive(under_way, to, cut),
    )
    .await;
}

async fn send(
    mut from: tcp::OwnedReadHalf,
    sent: mpsc::Sender<(Instant, Vec<u8>)>,
    mut cut: watch::Receiver<Cut>,
    is_reply: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let late = match passes(&mut cut).await {
            None => return,
            Some(Cut::LosesReplies) if is_reply => return,
            Some(Cut::SlowReplies(time)) if is_reply => time,
            Some(_) => Duration::ZERO,
        };
        let piece = (Instant::now() + late, buffer[..n].to_vec());
        if sent.send(piece).await.is_err() {
            return;
        }
    }
}

async fn arrive(
    mut under_way: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut to: tcp::OwnedWriteHalf,
    mut cut: watch::Receiver<Cut>,
) {
    while let Some((at, piece)) = under_way.recv().await {
        if at > Instant::now() {
            sleep_until(at).await;
        }
        let passed = passes(&mut cut).await.is_some();
        if !passed || to.write_all(&piece).await.is_err() {
            return;
        }
    }
}

/// Waits while there is a hole in the wire; then what it does. `None` once the wire is gone.
async fn passes(cut: &mut watch::Receiver<Cut>) -> Option<Cut> {
    let passes = cut.wait_for(|cut| *cut != Cut::Blackhole).await;
    passes.ok().map(|cut| *cut)
}

/// A tower service at the end of a [`Wire`], from [`Wire::layer`]: requests `R`, replies `T`.
///
/// It does not name the service: so a future that holds it is `Send` to the compiler whatever the service's error is, a boxed
/// one too. Always ready: that the service is, is waited for where a request arrives.
pub struct Wired<R, T> {
    carry: Arc<dyn Fn(R) -> Carried<T> + Send + Sync>,
}

/// A request that is under way, and its reply.
type Carried<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// The wire broke when the reply was on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection was reset")]
struct Reset;

/// One request, there and back. They arrive in the order in which they got their turn.
async fn carried<S, R>(
    mut store: S,
    request: R,
    mut cut: watch::Receiver<Cut>,
    turn: Arc<Mutex<()>>,
) -> Result<S::Response, BoxError>
where
    S: Service<R, Error: Into<BoxError>>,
{
    let mine = turn.lock().await;
    passes(&mut cut).await.ok_or(Reset)?;
    let ready = poll_fn(|cx| store.poll_ready(cx)).await;
    ready.map_err(Into::into)?;
    let reply = store.call(request);
    drop(mine);
    let reply = reply.await.map_err(Into::into);
    match passes(&mut cut).await.ok_or(Reset)? {
        Cut::LosesReplies => return Err(Reset.into()),
        Cut::SlowReplies(time) => tokio::time::sleep(time).await,
        Cut::Open | Cut::Blackhole => {}
    }
    reply
}

impl<R, T> Service<R> for Wired<R, T> {
    type Response = T;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        (self.carry)(request)
    }
}

impl<R, T> Clone for Wired<R, T> {
    fn clone(&self) -> Self {
        let carry = Arc::clone(&self.carry);
        Self { carry }
    }
}

impl<R, T> fmt::Debug for Wired<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wired").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::sync::Mutex;

    use tokio::task::JoinSet;
    use tower::util::BoxCloneSyncService;
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// Writes down what it is asked.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<u32>>>);

    impl Service<u32> for Notes {
        type Response = ();
        type Error = Infallible;
        type Future = Ready<Result<(), Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, n: u32) -> Self::Future {
            self.0.lock().unwrap().push(n);
            ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_was_held_up_arrives_in_the_order_in_which_it_left() {
        let (wire, notes) = (Wire::whole(), Notes::default());
        let mut store = wire.layer(notes.clone());
        wire.cut(Cut::Blackhole);
        let mut calls: JoinSet<_> = (0..100).map(|n| store.call(n)).collect();
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(notes.0.lock().unwrap().is_empty(), "nothing arrived yet");
        wire.cut(Cut::Open);
        while let Some(call) = calls.join_next().await {
            call.unwrap().unwrap();
        }
        assert!(notes.0.lock().unwrap().iter().copied().eq(0..100));
    }

    /// The future of a call over a wire is `Send` to the compiler, and not only to us: it has to follow the error's type there.
    #[tokio::test]
    async fn a_store_whose_error_is_boxed_is_called_from_a_task() {
        let answer = |n: u32| async move { (n > 0).then_some(n).ok_or(BoxError::from("none")) };
        let (wire, store) = (Wire::whole(), service_fn(answer));
        let boxed = BoxCloneSyncService::new(store);
        let task = tokio::spawn(async move {
            let answered = wire.layer(store).oneshot(7).await;
            (answered, wire.layer(boxed).oneshot(0).await)
        });
        let (answered, failed) = task.await.unwrap();
        assert_eq!(answered.unwrap(), 7);
        assert_eq!(failed.unwrap_err().to_string(), "none");
    }
}
