//! [`Wire`]: the way from a client to its store, which can be cut.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{join, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

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
pub struct Wire(pub(super) watch::Sender<Cut>);

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
pub(super) async fn passes(cut: &mut watch::Receiver<Cut>) -> Option<Cut> {
    let passes = cut.wait_for(|cut| *cut != Cut::Blackhole).await;
    passes.ok().map(|cut| *cut)
}
