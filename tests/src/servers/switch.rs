//! [`Switch`]: an address that leads to one server, then to another, slowly, or nowhere.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::select;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// An address that leads to a server, as a name or a virtual address does that is moved at a failover.
#[derive(Debug)]
pub struct Switch {
    address: SocketAddr,
    way: watch::Sender<Way>,
    trips: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug)]
struct Way {
    to: SocketAddr,
    /// Connections of an older number are cut.
    number: u64,
    delay: Duration,
    is_open: bool,
}

impl Switch {
    /// Leads to `server`.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (way, ways) = watch::channel(Way {
            to: server,
            number: 0,
            delay: Duration::ZERO,
            is_open: true,
        });
        let trips = Arc::default();
        let task = tokio::spawn(accept(listener, ways, Arc::clone(&trips)));
        Self {
            address,
            way,
            trips,
            task,
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many round trips there were: how often a client spoke, for the first time or after an answer.
    #[must_use]
    pub fn trips(&self) -> u64 {
        self.trips.load(Relaxed)
    }

    /// Leads to `server` from now on; connections to the last one are cut.
    pub fn turn(&self, server: SocketAddr) {
        self.way.send_modify(|way| {
            way.to = server;
            way.number += 1;
        });
    }

    /// Leads to `server` from now on; connections to the last one go on.
    pub fn turn_quietly(&self, server: SocketAddr) {
        self.way.send_modify(|way| way.to = server);
    }

    /// Each piece of an answer is that much later.
    pub fn delay(&self, delay: Duration) {
        self.way.send_modify(|way| way.delay = delay);
    }

    /// Nothing arrives any more, and nobody is told: new connections come about, and are silent.
    pub fn black_hole(&self) {
        self.way.send_modify(|way| way.is_open = false);
    }

    /// Connections that come about from now on arrive; those that were silent stay so.
    pub fn open(&self) {
        self.way.send_modify(|way| way.is_open = true);
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, ways: watch::Receiver<Way>, trips: Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        let talk = Talk {
            trips: Arc::clone(&trips),
            is_answered: AtomicBool::new(true),
        };
        tokio::spawn(carry(stream, ways.clone(), talk));
    }
}

/// Who spoke last on a connection.
struct Talk {
    trips: Arc<AtomicU64>,
    is_answered: AtomicBool,
}

impl Talk {
    fn hears(&self, is_answer: bool) {
        if self.is_answered.swap(is_answer, Relaxed) && !is_answer {
            self.trips.fetch_add(1, Relaxed);
        }
    }
}

/// The cut comes first.
async fn carry(client: TcpStream, mut ways: watch::Receiver<Way>, talk: Talk) {
    let Way {
        to,
        number,
        is_open,
        ..
    } = *ways.borrow_and_update();
    let state = ways.clone();
    let cut = async move {
        let _ = ways.wait_for(|way| way.number != number).await;
    };
    let carried = async move {
        if !is_open {
            std::future::pending::<()>().await;
        }
        let Ok(server) = TcpStream::connect(to).await else {
            return;
        };
        let _ = (server.set_nodelay(true), client.set_nodelay(true));
        let ((from_client, to_client), (from_server, to_server)) =
            (client.into_split(), server.into_split());
        let requests = pour(from_client, to_server, state.clone(), (&talk, false));
        let replies = pour(from_server, to_client, state, (&talk, true));
        select(pin!(requests), pin!(replies)).await;
    };
    select(pin!(cut), pin!(carried)).await;
}

/// Until one side closes; for ever silent from when the way is closed.
async fn pour(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    ways: watch::Receiver<Way>,
    (talk, is_answer): (&Talk, bool),
) {
    let mut buffer = [0; 16_384];
    loop {
        let length = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
        let way = *ways.borrow();
        if !way.is_open {
            std::future::pending::<()>().await;
        }
        talk.hears(is_answer);
        if is_answer {
            sleep(way.delay).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
