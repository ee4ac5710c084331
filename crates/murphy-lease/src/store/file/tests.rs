//! The store on a disk that fails.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use tokio_test::{assert_pending, task};
use tower::{Service, ServiceExt};

use super::disk::Disk;
use super::*;
use crate::{Acquire, Claim, LockName, Nonce, Rank, Renew, Ttl};

/// In memory, until it is full.
#[derive(Clone, Debug)]
struct Shelf {
    pages: Arc<InMemoryBackend>,
    is_full: Arc<AtomicBool>,
    flushed: Arc<AtomicU32>,
}

impl Shelf {
    fn new() -> Self {
        Self {
            pages: Arc::new(InMemoryBackend::new()),
            is_full: Arc::default(),
            flushed: Arc::default(),
        }
    }

    fn room(&self) -> io::Result<()> {
        match self.is_full.load(SeqCst) {
            true => Err(io::Error::from(io::ErrorKind::StorageFull)),
            false => Ok(()),
        }
    }
}

impl StorageBackend for Shelf {
    fn len(&self) -> io::Result<u64> {
        self.pages.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.pages.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.room()?;
        self.pages.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.room()?;
        self.flushed.fetch_add(1, SeqCst);
        self.pages.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room()?;
        self.pages.write(offset, data)
    }
}

const LOCK: &str = "orders";

fn acquire(bits: u128, wait: u64) -> LeaseRequest {
    LeaseRequest::Acquire(Acquire {
        lock: LOCK.parse().unwrap(),
        nonce: Nonce::from_bits(bits),
        ttl: Ttl::from_secs(10),
        claim: Claim::Above(Rank::ZERO),
        wait: Duration::from_secs(wait),
    })
}

async fn ask(store: &FileStore, request: LeaseRequest) -> Result<LeaseReply, FileError> {
    store.clone().oneshot(request).await
}

async fn release(store: &FileStore, bits: u128) {
    let lock: LockName = LOCK.parse().unwrap();
    let nonce = Nonce::from_bits(bits);
    let was_held = true;
    let reply = ask(store, LeaseRequest::Release { lock, nonce })
        .await
        .unwrap();
    assert_eq!(reply, LeaseReply::Released { was_held });
}

fn rank(reply: LeaseReply) -> Rank {
    match reply {
        LeaseReply::Granted(grant) => grant.rank,
        other => panic!("{other:?}"),
    }
}

fn assert_full(told: Result<LeaseReply, FileError>) {
    let error = told.unwrap_err();
    assert!(matches!(error, FileError::Disk { .. }), "{error:?}");
    assert!(error.to_string().starts_with("/in/memory: "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_what_is_reserved_is_granted_and_then_it_is_an_error() {
    let shelf = Shelf::new();
    let store = FileOptions::new()
        .block(8)
        .open_on(Disk::on(shelf.clone()))
        .unwrap();
    let mut last = rank(ask(&store, acquire(0, 0)).await.unwrap());
    release(&store, 0).await;
    shelf.is_full.store(true, SeqCst);
    let mut bits = 1;
    loop {
        match ask(&store, acquire(bits, 0)).await {
            Ok(reply) => last = last.max(rank(reply)),
            full => break assert_full(full),
        }
        // Who holds it goes on, and lets it go.
        let (lock, nonce) = (LOCK.parse().unwrap(), Nonce::from_bits(bits));
        let renew = Renew {
            lock,
            nonce,
            rank: last,
            ttl: Ttl::from_secs(10),
        };
        let renewed = ask(&store, LeaseRequest::Renew(renew)).await.unwrap();
        assert!(matches!(renewed, LeaseReply::Renewed { .. }));
        release(&store, bits).await;
        bits += 1;
        assert!(bits < 40, "more is granted than was written");
    }
    // A file that failed is to be opened again.
    shelf.is_full.store(false, SeqCst);
    assert_full(ask(&store, acquire(bits, 0)).await);
}

/// Outside of a runtime it writes in the caller's thread, where it is listened to.
#[test]
fn that_nothing_could_be_reserved_is_told() {
    let shelf = Shelf::new();
    let store = FileOptions::new().open_on(Disk::on(shelf.clone())).unwrap();
    shelf.is_full.store(true, SeqCst);
    let told = |name: &str| name == "lease.not_reserved";
    crate::heard::is_told(crate::heard::STORES, told, || {
        let mut call = task::spawn(store.clone().call(acquire(1, 0)));
        assert_full(tokio_test::assert_ready!(call.poll()));
    });
}

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_those_who_wait_are_told() {
    let shelf = Shelf::new();
    let store = FileOptions::new()
        .block(2)
        .open_on(Disk::on(shelf.clone()))
        .unwrap();
    for bits in 0.. {
        shelf.is_full.store(bits > 0, SeqCst);
        rank(ask(&store, acquire(bits, 0)).await.unwrap());
        let next = store.clone().call(acquire(bits + 1, 60));
        let after = store.clone().call(acquire(bits + 2, 60));
        release(&store, bits).await;
        match next.await {
            Ok(_) => drop(after),
            full => {
                assert_full(full);
                return assert_full(after.await);
            }
        }
        release(&store, bits + 1).await;
        assert!(bits < 40, "more is granted than was written");
    }
}

#[tokio::test(start_paused = true)]
async fn one_write_serves_a_block() {
    let shelf = Shelf::new();
    let store = FileOptions::new()
        .block(100)
        .open_on(Disk::on(shelf.clone()))
        .unwrap();
    rank(ask(&store, acquire(0, 0)).await.unwrap());
    release(&store, 0).await;
    let (before, grants) = (shelf.flushed.load(SeqCst), 2000);
    for bits in 1..=grants {
        rank(ask(&store, acquire(bits, 0)).await.unwrap());
        release(&store, bits).await;
    }
    let flushes = shelf.flushed.load(SeqCst) - before;
    // A commit of redb's flushes once or twice.
    assert!((15..=50).contains(&flushes), "{flushes}");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_an_era_the_next_begins_and_nothing_is_written_for_ever() {
    let shelf = Shelf::new();
    let store = FileOptions::new().open_on(Disk::on(shelf.clone())).unwrap();
    let LeaseRequest::Acquire(asked) = acquire(1, 0) else {
        panic!()
    };
    let claim = Claim::Exactly(Rank::new(0, u64::MAX));
    rank(
        ask(&store, LeaseRequest::Acquire(Acquire { claim, ..asked }))
            .await
            .unwrap(),
    );
    let before = shelf.flushed.load(SeqCst);
    // Virtual time stands still while something is written.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shelf.flushed.load(SeqCst), before);
    release(&store, 1).await;
    assert_eq!(
        rank(ask(&store, acquire(2, 0)).await.unwrap()),
        Rank::new(1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn no_number_is_granted_before_it_is_on_the_disk() {
    let shelf = Shelf::new();
    let store = FileOptions::new()
        .block(8)
        .open_on(Disk::on(shelf.clone()))
        .unwrap();
    let before = shelf.flushed.load(SeqCst);
    let mut first = task::spawn(store.clone().call(acquire(1, 0)));
    // The write is under way, and on a thread of its own: it may be over, and then it was flushed.
    if first.poll().is_pending() {
        let mut second = task::spawn(store.clone().call(acquire(1, 0)));
        let _ = second.poll();
        rank(first.await.unwrap());
    }
    assert!(shelf.flushed.load(SeqCst) > before);
    let mut other = task::spawn(store.clone().call(acquire(2, 60)));
    assert_pending!(other.poll());
}
