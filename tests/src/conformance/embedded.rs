//! Ours over the stores that need no server.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use murphy_lease::conformance::{BoxError, Rig, Unable, Wire};
use murphy_lease::{FileStore, LeaseRequest, MemoryStore, QuorumStore};
use tempfile::TempDir;
use tokio::time::sleep;
use tower::{ServiceExt, service_fn};

use super::{Ours, named};

/// The store in memory.
#[derive(Debug)]
pub struct Memory {
    store: MemoryStore,
    ttl: Duration,
}

impl Memory {
    /// Its leases are that long.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        let store = MemoryStore::new();
        Self { store, ttl }
    }
}

impl Rig for Memory {
    type Client = Ours;

    fn name(&self) -> String {
        named("memory")
    }

    async fn connect(&self, wire: Wire) -> Result<Ours, BoxError> {
        Ok(Ours::over(wire.layer(self.store.clone())))
    }

    async fn connect_slow(&self, wire: Wire) -> Result<Ours, BoxError> {
        Ok(self.connect(wire).await?.slow())
    }

    async fn wipe(&self, _: &str) -> Result<(), Unable> {
        self.store.wipe();
        Ok(())
    }

    async fn restart(&self) -> Result<(), Unable> {
        Err(Unable("it ends with its process"))
    }

    fn ttl(&self) -> Duration {
        self.ttl
    }
}

/// Three stores in memory, behind one wire.
#[derive(Debug)]
pub struct Quorum {
    stores: [MemoryStore; 3],
    ttl: Duration,
}

impl Quorum {
    /// Its leases are that long.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        let stores = [(); 3].map(|()| MemoryStore::new());
        Self { stores, ttl }
    }
}

impl Rig for Quorum {
    type Client = Ours;

    fn name(&self) -> String {
        named("quorum of 3 in memory")
    }

    async fn connect(&self, wire: Wire) -> Result<Ours, BoxError> {
        let named = ["a", "b", "c"].into_iter().zip(self.stores.clone());
        let members = named.map(|(name, store)| (name, wire.layer(store)));
        let store = QuorumStore::try_new(members)?;
        Ok(Ours::over(store.map_err(|e| e.to_string())))
    }

    async fn connect_slow(&self, wire: Wire) -> Result<Ours, BoxError> {
        Ok(self.connect(wire).await?.slow())
    }

    async fn wipe(&self, _: &str) -> Result<(), Unable> {
        self.stores.iter().for_each(MemoryStore::wipe);
        Ok(())
    }

    async fn restart(&self) -> Result<(), Unable> {
        Err(Unable("its members end with their process"))
    }

    fn ttl(&self) -> Duration {
        self.ttl
    }
}

/// A file that is closed and opened while its clients look on.
#[derive(Debug)]
pub struct File {
    folder: TempDir,
    store: Arc<Mutex<Option<FileStore>>>,
    ttl: Duration,
}

impl File {
    /// A new one, in a folder that is removed with it. Its leases are that long.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn open(ttl: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FileStore::open(folder.path().join("leases")).expect("a file");
        Self {
            folder,
            store: Arc::new(Mutex::new(Some(store))),
            ttl,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("leases")
    }

    fn close(&self) {
        drop(lock(&self.store).take());
    }

    /// Once the calls that are under way are over, which hold it open.
    async fn reopen(&self) -> Result<(), Unable> {
        for _ in 0..500 {
            if let Ok(store) = FileStore::open(self.path()) {
                *lock(&self.store) = Some(store);
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(Unable("the file stayed in use for ten seconds"))
    }
}

fn lock(store: &Mutex<Option<FileStore>>) -> MutexGuard<'_, Option<FileStore>> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Rig for File {
    type Client = Ours;

    fn name(&self) -> String {
        named("file")
    }

    async fn connect(&self, wire: Wire) -> Result<Ours, BoxError> {
        let current = Arc::clone(&self.store);
        let service = service_fn(move |request: LeaseRequest| {
            let store = lock(&current).clone();
            async move {
                let store = store.ok_or("connection refused")?;
                Ok::<_, BoxError>(store.oneshot(request).await?)
            }
        });
        Ok(Ours::over(wire.layer(service)))
    }

    async fn connect_slow(&self, wire: Wire) -> Result<Ours, BoxError> {
        Ok(self.connect(wire).await?.slow())
    }

    async fn wipe(&self, _: &str) -> Result<(), Unable> {
        self.close();
        let removed = std::fs::remove_file(self.path());
        removed.map_err(|_| Unable("the file could not be removed"))?;
        self.reopen().await
    }

    async fn restart(&self) -> Result<(), Unable> {
        self.close();
        self.reopen().await
    }

    fn ttl(&self) -> Duration {
        self.ttl
    }
}
