//! The conformance suite on the client of a file store: through its socket, with a wire in between.

#![cfg(all(feature = "conformance", feature = "file", unix))]

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use murphy_core::clock::{Drift, SkewedClock};
use murphy_lease::conformance::{BoxError, Client, Offer, Promise, Rig, Verdict, Wire, examine};
use murphy_lease::{FileClient, FileServer, FileStore, Lease, Locks, Ttl};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A file store, and its server. A wire carries TCP: sockets of a path are bridged to it, on either side.
struct File {
    folder: TempDir,
    clients: AtomicU32,
    server: SocketAddr,
    _served: FileServer,
}

struct Ours(Locks<FileClient>);

impl File {
    async fn serve() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path().join("leases")).unwrap();
        let socket = folder.path().join("server");
        let served = store.serve(&socket).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
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
            .unwrap();
        runtime.block_on(async move {
            let listener = UnixListener::bind(path).unwrap();
            ready.send(()).unwrap();
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
    });
    is_ready.recv().unwrap();
}

impl Rig for File {
    type Client = Ours;

    fn name(&self) -> String {
        "murphy, file through its socket".into()
    }

    async fn connect(&self, wire: Wire) -> Result<Ours, BoxError> {
        let n = self.clients.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("client-{n}"));
        bridge(&path, wire.proxy(self.server).await?);
        Ok(Ours(Locks::new(FileClient::new(path))))
    }

    /// Half the rate, which it knows.
    async fn connect_slow(&self, wire: Wire) -> Result<Ours, BoxError> {
        let half = |sign: f64| Drift::ppm(sign * 500_000.0).unwrap();
        let clock = Arc::new(SkewedClock::new().drift(half(-1.0)));
        let Ours(locks) = self.connect(wire).await?;
        Ok(Ours(locks.clock(clock).drift(half(1.0))))
    }

    fn ttl(&self) -> Duration {
        Duration::from_secs(2)
    }
}

impl Client for Ours {
    type Held = Lease;

    async fn acquire(
        &self,
        lock: &str,
        ttl: Duration,
        patience: Duration,
    ) -> Result<Lease, BoxError> {
        let lease = self.0.acquire(lock).ttl(Ttl::try_new(ttl)?);
        Ok(lease.deadline(patience).await?)
    }

    async fn release(&self, held: Lease) -> Result<(), BoxError> {
        Ok(held.release().await?)
    }

    fn token(&self, held: &Lease) -> Offer<Result<u128, BoxError>> {
        let rank = held.token().map(|token| token.rank());
        let number = rank.map(|rank| u128::from(rank.era) << 64 | u128::from(rank.seq));
        Offer::Says(number.map_err(Into::into))
    }

    fn believes(&self, held: &Lease) -> Offer<bool> {
        Offer::Says(!held.remaining().is_zero())
    }

    fn lost(&self, held: &Lease) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let held = held.held();
        Some(Box::pin(async move {
            held.lost().await;
        }))
    }
}

/// It has seven seconds of real time, and caught a client that gave back what it had been granted when it asked once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_of_a_file_keeps_all_that_can_be_tried() {
    let report = examine(File::serve().await).await;
    let unable = [
        Promise::TellsOfRevocation,
        Promise::Recovers,
        Promise::TokensSurviveWipe,
    ];
    for (promise, verdict) in report.verdicts() {
        let as_wanted = match verdict {
            Verdict::Unable(_) => unable.contains(promise),
            verdict => *verdict == Verdict::Kept,
        };
        assert!(as_wanted, "{report}");
    }
}
