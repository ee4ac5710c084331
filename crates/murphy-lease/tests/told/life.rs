//! A life of leases in which everything happens that is told, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use murphy_core::Seed;
use murphy_lease::{LeaseRequest, Locks, MemoryStore, Ttl};
use tokio::time::sleep;
use tower::{ServiceExt, service_fn};

/// Everything happens, at the site `locks`.
pub(crate) async fn everything() {
    let (store, is_away) = (MemoryStore::new(), Arc::new(AtomicBool::new(false)));
    let away = Arc::clone(&is_away);
    let service = service_fn(move |request: LeaseRequest| {
        let (store, is_away) = (store.clone(), away.load(Ordering::Relaxed));
        async move {
            match is_away {
                true => Err("the store is away"),
                false => Ok(store.oneshot(request).await.unwrap()),
            }
        }
    });
    let ttl = Ttl::from_secs(10);
    let locks = Locks::new(service)
        .site("locks")
        .seed(Seed::new(1))
        .ttl(ttl);
    let lease = locks.acquire("orders").await.unwrap();
    sleep(ttl.get()).await;
    is_away.store(true, Ordering::Relaxed);
    lease.lost().await;
    is_away.store(false, Ordering::Relaxed);
    drop(lease);
    let lease = locks.acquire("orders").await.unwrap();
    is_away.store(true, Ordering::Relaxed);
    assert!(lease.release().await.is_err());
    assert!(locks.try_acquire("orders").await.is_err());
    sleep(ttl.get() * 2).await;
}
