//! What a store in a server promises beside the contract: what becomes of it when the server is killed, stopped, slow or silent.
//!
//! Each on a server and a lock of its own, that nobody has used.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::ops::DerefMut;
use std::time::Duration;

use murphy_lease::{Acquire, LeaseReply, LeaseRequest, LeaseStore, Locks, Ttl, Why};
use tokio::time::{Instant, sleep, timeout};
use tower::Service;

use super::Counting;
use super::ask::{Ask, granted, held};
use crate::ms;
use crate::servers::{Etcd, Postgres, Process, Redis, Switch};

/// A lease that does not end while a check runs, unless it is released.
const LONG: Duration = Duration::from_secs(300);

/// A server that can be killed, and started again where it was.
pub trait Mortal: DerefMut<Target = Process> {
    /// It answers when this is done.
    fn rise(&mut self) -> impl Future<Output = ()>;
}

macro_rules! mortal {
    ($($server:ty),*) => {$(
        impl Mortal for $server {
            async fn rise(&mut self) {
                self.restart().await;
            }
        }
    )*};
}

mortal!(Etcd, Postgres, Redis);

/// One that keeps what it answered has it still, and the client finds it again by itself: also one that `waits`.
///
/// # Panics
///
/// If not.
pub async fn a_killed_server_remembers_and_is_found_again<S>(
    server: &mut impl Mortal,
    store: &S,
    waits: bool,
) where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug, Future: Send>,
    S: Clone + Send + Sync + 'static,
    S::Error: Send,
{
    let lock = Ask::of(store, "orders");
    let first = granted(&lock.acquire(1, LONG).await);
    let waiting = waits.then(|| {
        let lock = lock.clone();
        let wish = lock.wish(3, LONG);
        let wish = LeaseRequest::Acquire(Acquire { wait: LONG, ..wish });
        tokio::spawn(async move { lock.insist(wish).await })
    });
    sleep(ms(200)).await;
    server.kill();
    let wish = || LeaseRequest::Acquire(lock.wish(2, LONG));
    let reply = lock.say(wish()).await;
    assert!(reply.is_err(), "{reply:?}");
    server.rise().await;
    let other = lock.insist(wish()).await;
    assert_eq!(held(&other).rank, first.rank);
    let reply = lock.insist(lock.renewal(1, first.rank, LONG)).await;
    assert!(matches!(reply, LeaseReply::Renewed { .. }), "{reply:?}");
    assert!(lock.release(1).await);
    if let Some(waiting) = waiting {
        let next = granted(&waiting.await.expect("it goes on"));
        assert!(next.rank > first.rank);
    }
}

/// A renewal that waited in its socket comes too late as well. `store` is patient for a third of a second.
///
/// # Panics
///
/// If not.
pub async fn a_server_that_was_stopped_for_longer_than_the_lease_has_ended_it<S>(
    server: &Process,
    store: &S,
) where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let lock = Ask::of(store, "orders");
    let first = granted(&lock.acquire(1, ms(500)).await);
    server.stop();
    let renewal = lock.renewal(1, first.rank, ms(500));
    assert!(lock.say(renewal.clone()).await.is_err(), "it is silent");
    sleep(ms(700)).await;
    server.go_on();
    let reply = lock.insist(renewal).await;
    assert!(matches!(reply, LeaseReply::NotHolder { .. }), "{reply:?}");
    assert!(lock.have(2, LONG).await.rank > first.rank);
}

/// Connections that are silent stay so for good: only new ones are of use.
///
/// # Panics
///
/// If it does not recover.
pub async fn a_connection_on_which_nothing_arrives_is_left<S>(switch: &Switch, store: &S)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let lock = Ask::of(store, "orders");
    let first = granted(&lock.acquire(1, LONG).await);
    switch.black_hole();
    let renewal = lock.renewal(1, first.rank, LONG);
    assert!(lock.say(renewal.clone()).await.is_err());
    switch.open();
    let reply = lock.insist(renewal).await;
    assert!(matches!(reply, LeaseReply::Renewed { .. }), "{reply:?}");
}

/// What was granted by a reply that came too late is granted again under its nonce. `store` is patient for half a second, and `behind`
/// asks the same server without the switch.
///
/// # Panics
///
/// If not.
pub async fn what_a_lost_reply_granted_is_found_under_its_nonce<S>(
    switch: &Switch,
    store: &S,
    behind: &S,
) where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Display + fmt::Debug> + Clone,
{
    let lock = Ask::of(store, "orders");
    // What it takes beside, it has from now on.
    let _ = granted(&lock.acquire(1, LONG).await);
    assert!(lock.release(1).await);
    // It waits, and not for more than its patience.
    switch.delay(ms(100));
    let _ = granted(&lock.acquire(1, LONG).await);
    switch.delay(ms(0));
    assert!(lock.release(1).await);
    switch.delay(ms(5000));
    let wish = LeaseRequest::Acquire(lock.wish(2, LONG));
    let said = lock.say(wish.clone()).await.expect_err("it is late");
    let said = said.to_string();
    assert!(
        said.starts_with("no answer to `acquire` within 500ms"),
        "{said}"
    );
    let (_, holder) = Ask::of(behind, "orders").observe().await;
    let holder = holder.expect("it was granted");
    switch.delay(ms(0));
    assert_eq!(granted(&lock.insist(wish).await).rank, holder.rank);
}

/// `old` is of era 0, and `new` of era 7.
///
/// # Panics
///
/// If not.
pub async fn a_recorded_era_wins<S>(old: &S, new: &S)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let (old, new) = (Ask::of(old, "orders"), Ask::of(new, "orders"));
    assert_eq!(granted(&old.acquire(1, LONG).await).rank.era, 0);
    assert!(old.release(1).await);
    assert_eq!(granted(&new.acquire(2, LONG).await).rank.era, 7);
    assert!(new.release(2).await);
    assert_eq!(granted(&old.acquire(3, LONG).await).rank.era, 7);
    assert!(old.release(3).await);
}

/// No write is admitted after one of a higher token, and no update is lost, when a client is paused past its lease in the middle of its
/// work, while the server is killed and started again, or stopped for longer than the lease; and both clients go on by
/// themselves after each.
///
/// # Panics
///
/// If not; or if the same writes lose nothing where there is no fence.
pub async fn no_stale_write_is_admitted(server: &mut impl Mortal, clients: &Counting, ttl: Ttl) {
    clients.both_write("a start").await;
    clients.one_is_paused().await;
    clients.both_go_on("a pause").await;
    for turn in ["a kill", "a second kill"] {
        clients.one_is_paused().await;
        server.kill();
        server.rise().await;
        clients.both_go_on(turn).await;
    }
    // While both work.
    server.kill();
    server.rise().await;
    clients
        .both_write("a kill in which nobody was paused")
        .await;
    for turn in ["a stop", "a second stop"] {
        clients.one_is_paused().await;
        server.stop();
        sleep(ttl.get() * 2).await;
        server.go_on();
        clients.both_go_on(turn).await;
    }
    server.stop();
    sleep(ttl.get() * 2).await;
    server.go_on();
    clients
        .both_write("a stop in which nobody was paused")
        .await;
}

/// A blackhole at several moments of a lease, each on a wire of its own: it is lost when its time is up, though its renewals hang.
/// `store` makes a store that goes through an address, and is patient for a minute.
///
/// # Panics
///
/// If it is lost for another reason, or 700 ms late: a busy machine needs some of that, and no client's connection ends sooner by itself
/// than a second after it fell silent.
pub async fn a_holder_in_a_blackhole_has_lost_it_in_time<S: LeaseStore<Error: fmt::Display>>(
    server: &Process,
    store: impl AsyncFn(SocketAddr) -> S,
    ttl: Ttl,
) {
    let moments = (0..16).step_by(2).map(|tenths| {
        let (after, store) = (ttl.get() * tenths / 10, &store);
        async move {
            let switch = Switch::to(server.address()).await;
            let locks = Locks::new(store(switch.address()).await).ttl(ttl);
            let lease = locks.acquire(format!("after {after:?}")).await;
            let lease = lease.expect("it is free");
            sleep(after).await;
            switch.black_hole();
            let until = Instant::now() + lease.remaining();
            let lost = timeout(crate::servers::LONG, lease.lost()).await;
            let late = Instant::now().saturating_duration_since(until);
            assert_eq!(lost.map(|it| it.why), Ok(Why::Expired), "after {after:?}");
            assert!(late <= ms(700), "after {after:?}: {late:?}");
        }
    });
    futures_util::future::join_all(moments).await;
}

/// Where nobody is in the way, an acquire is one round trip and one commit, and so is a release: once a first one has prepared all.
/// `trips` and `commits` count them, while nobody else asks.
///
/// # Panics
///
/// If not.
pub async fn an_uncontended_acquire_is_one_round_trip_and_one_commit<S>(
    store: &S,
    trips: impl AsyncFn() -> u64,
    commits: impl AsyncFn() -> u64,
) where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let lock = Ask::of(store, "orders");
    let _ = granted(&lock.acquire(1, LONG).await);
    assert!(lock.release(1).await);
    for nonce in 2..20 {
        let before = (trips().await, commits().await);
        let _ = granted(&lock.acquire(nonce, LONG).await);
        let held = (trips().await, commits().await);
        assert_eq!(held, (before.0 + 1, before.1 + 1), "acquire {nonce}");
        assert!(lock.release(nonce).await);
        let free = (trips().await, commits().await);
        assert_eq!(free, (held.0 + 1, held.1 + 1), "release {nonce}");
    }
}
