//! Our client of a file that another process has, through its socket.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use murphy_lease::conformance::{BoxError, Rig, Wire};
use murphy_lease::{FileClient, FileServer, FileStore};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::{Ours, named};

/// A file store, and its server. A wire carries TCP: sockets of a path are bridged to it, on either side.
#[derive(Debug)]
pub struct Socket {
    folder: TempDir,
    clients: AtomicU32,
    server: SocketAddr,
    _served: FileServer,
    ttl: Duration,
}

impl Socket {
    /// A new one, in a folder that is removed with it. Its leases are that long.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub async fn serve(ttl: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a socket");
        let store = FileStore::open(folder.path().join("leases")).expect("a socket");
        let socket = folder.path().join("server");
        let served = store.serve(&socket).expect("a socket");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let server = listener.local_addr().expect("a socket");
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let socket = socket.clone();
                tokio::spawn(async move {
                    let mut server = UnixStream::connect(socket).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Self {
            folder,
            clients: AtomicU32::new(0),
            server,
            _served: served,
            ttl,
        }
    }
}

/// A socket at `path`, on a thread of its own: the client's is going to be paused.
fn bridge(path: &Path, server: SocketAddr) {
    let (path, (ready, is_ready)) = (path.to_owned(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a socket");
        runtime.block_on(async move {
            let listener = UnixListener::bind(path).expect("a socket");
            ready.send(()).expect("a socket");
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
    });
    is_ready.recv().expect("a socket");
}

impl Rig for Socket {
    type Client = Ours;

    fn name(&self) -> String {
        named("file through its socket")
    }

    async fn connect(&self, wire: Wire) -> Result<Ours, BoxError> {
        let n = self.clients.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("client-{n}"));
        bridge(&path, wire.proxy(self.server).await?);
        Ok(Ours::over(FileClient::new(path)))
    }

    async fn connect_slow(&self, wire: Wire) -> Result<Ours, BoxError> {
        Ok(self.connect(wire).await?.slow())
    }

    fn ttl(&self) -> Duration {
        self.ttl
    }
}
