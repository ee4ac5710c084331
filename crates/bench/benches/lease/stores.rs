//! The stores, each as `Service<LeaseRequest>`.

use std::time::Duration;

use murphy_lease::{
    Acquire, Claim, FileClient, FileServer, FileStore, LeaseReply, LeaseRequest, LockName,
    MemoryStore, Nonce, Rank, Ttl,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::Service;

/// A store, and whatever it stands on.
#[derive(Clone)]
pub(crate) enum Store {
    Memory(MemoryStore),
    File(FileStore),
    Socket(FileClient),
}

/// What the stores stand on.
pub(crate) struct Ground {
    pub(crate) folder: TempDir,
    _server: FileServer,
}

impl Store {
    /// All three, and their names.
    pub(crate) fn all(runtime: &Runtime) -> anyhow::Result<(Ground, Vec<(&'static str, Self)>)> {
        let folder =
            tempfile::tempdir_in(bench::process::folder().parent().unwrap_or(".".as_ref()))?;
        let path = |name| folder.path().join(name);
        let served = FileStore::open(path("served"))?;
        // A socket's path is short, and its folder's may not be.
        let socket = std::env::temp_dir().join(format!("murphy-lease-{}", std::process::id()));
        let server = {
            let _inside = runtime.enter();
            served.serve(socket)?
        };
        let stores = vec![
            ("memory", Self::Memory(MemoryStore::new())),
            ("file", Self::File(FileStore::open(path("leases"))?)),
            ("socket", Self::Socket(FileClient::new(server.path()))),
        ];
        let ground = Ground {
            folder,
            _server: server,
        };
        Ok((ground, stores))
    }

    /// Waits for it, a minute at most.
    pub(crate) async fn acquire(&mut self, lock: &LockName, nonce: Nonce) -> anyhow::Result<()> {
        let acquire = LeaseRequest::Acquire(Acquire {
            lock: lock.clone(),
            nonce,
            ttl: Ttl::default(),
            claim: Claim::Above(Rank::ZERO),
            wait: Duration::from_secs(60),
        });
        match self.ask(acquire).await? {
            LeaseReply::Granted(_) => Ok(()),
            other => anyhow::bail!("not granted: {other:?}"),
        }
    }

    pub(crate) async fn release(&mut self, lock: &LockName, nonce: Nonce) -> anyhow::Result<()> {
        let lock = lock.clone();
        match self.ask(LeaseRequest::Release { lock, nonce }).await? {
            LeaseReply::Released { was_held: true } => Ok(()),
            other => anyhow::bail!("not released: {other:?}"),
        }
    }

    async fn ask(&mut self, request: LeaseRequest) -> anyhow::Result<LeaseReply> {
        Ok(match self {
            Self::Memory(store) => store.call(request).await?,
            Self::File(store) => store.call(request).await?,
            Self::Socket(store) => store.call(request).await?,
        })
    }
}
