//! [`Switch`]: an address that leads to one server, then to another, slowly, or nowhere.

use std::net::SocketAddr;
use std::pin::pin;
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
        let task = tokio::spawn(accept(listener, ways));
        Self { address, way, task }
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
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

async fn accept(listener: TcpListener, ways: watch::Receiver<Way>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(carry(stream, ways.clone()));
    }
}

/// The cut comes first.
async fn carry(client: TcpStream, mut ways: watch::Receiver<Way>) {
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
        let requests = pour(from_client, to_server, state.clone(), false);
        let replies = pour(from_server, to_client, state, true);
        select(pin!(requests), pin!(replies)).await;
    };
    select(pin!(cut), pin!(carried)).await;
}

/// Until one side closes; for ever silent from when the way is closed.
async fn pour(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    ways: watch::Receiver<Way>,
    is_answer: bool,
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
        if is_answer {
            sleep(way.delay).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
