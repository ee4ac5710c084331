//! [`keeps_its_line`]: those that wait for longer than a lease keep their places.

use std::sync::Mutex;
use std::time::Duration;

use murphy_lease::{LeaseStore, Locks, Ttl};
use tokio::time::sleep;

use crate::ms;

/// Five clients of leases of a second, each of which holds the lock for most of that, twice: they take turns.
///
/// # Panics
///
/// If one is served before another who came before it.
pub async fn keeps_its_line<S: LeaseStore + Sync>(store: &S) {
    const CLIENTS: u64 = 5;
    let turns = Mutex::new(Vec::new());
    let clients = (0..CLIENTS).map(|client| {
        let locks = Locks::new(store.clone()).ttl(Ttl::from_secs(1));
        let turns = &turns;
        async move {
            sleep(ms(100 * client)).await;
            for _ in 0..2 {
                let asked = locks.acquire("a line").deadline(Duration::from_secs(60));
                let lease = asked.await.expect("its turn comes");
                turns.lock().expect("the turns").push(client);
                sleep(ms(700)).await;
                lease.release().await.expect("it is released");
            }
        }
    });
    futures_util::future::join_all(clients).await;
    let turns = turns.into_inner().expect("the turns");
    let in_turn: Vec<_> = (0..CLIENTS).chain(0..CLIENTS).collect();
    assert_eq!(turns, in_turn);
}
