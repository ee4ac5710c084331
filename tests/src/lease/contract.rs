//! [`holds`]: the list of promises, the same for every store.

use std::fmt;
use std::time::Duration;

use murphy_lease::{Claim, LeaseReply, LeaseRequest, Rank};
use tokio::time::{sleep, timeout};
use tower::Service;

use super::ask::{Ask, granted, held};
use super::crowd::crowd;
use crate::ms;

/// In what stores may differ.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The shortest lease that it keeps to: what is asked for less gets this.
    pub shortest: Duration,
    /// How much longer than granted it may let a lease run before it notices its end.
    pub late: Duration,
    /// Whether it keeps requests that wait.
    pub waits: bool,
    /// Whether it serves them in the order in which they came.
    pub is_fair: bool,
    /// Whether a renewal of a rank above all that it knows is recorded, as a grant: so does a quorum, whose members may have missed
    /// that grant.
    pub catches_up: bool,
}

/// A lease that does not end while a check runs, unless it is released.
const LONG: Duration = Duration::from_secs(300);

/// Nothing is granted above it in its era.
const FULL: u64 = u64::MAX;

/// Every promise of the protocol, each on a lock of its own.
///
/// # Panics
///
/// If one is not held.
pub async fn holds<S>(store: &S, kind: Kind)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    a_free_lock_is_granted_and_then_held(&Ask::fresh(store)).await;
    a_repeat_is_the_same_grant(&Ask::fresh(store)).await;
    a_renewal_extends_and_never_shortens(&Ask::fresh(store), kind).await;
    only_the_holder_of_that_rank_renews(&Ask::fresh(store), kind).await;
    only_the_holder_releases(&Ask::fresh(store)).await;
    a_lease_ends_by_itself(&Ask::fresh(store), kind).await;
    an_exact_rank_is_granted_once(&Ask::fresh(store)).await;
    names_are_kept_apart(store).await;
    crowd(store, 8, 12, kind.waits).await;
    if kind.waits {
        a_waiter_gets_what_is_released(&Ask::fresh(store)).await;
        a_waiter_gets_what_has_ended(&Ask::fresh(store), kind).await;
        a_waiter_gives_up_in_time(&Ask::fresh(store)).await;
        a_waiter_that_left_does_not_get_it(&Ask::fresh(store)).await;
    }
    if kind.is_fair {
        waiters_are_served_in_their_order(&Ask::fresh(store)).await;
    }
    // Last: it may raise the era of the whole store.
    a_floor_is_below_what_is_granted(&Ask::fresh(store)).await;
}

async fn a_free_lock_is_granted_and_then_held<S>(lock: &Ask<S>)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let (before, holder) = lock.observe().await;
    assert_eq!(holder, None);
    let grant = granted(&lock.acquire(1, LONG).await);
    assert!(grant.rank > before && grant.rank > Rank::ZERO, "{grant:?}");
    assert!(grant.ttl >= LONG - ms(5000), "{grant:?}");
    let other = held(&lock.acquire(2, LONG).await);
    assert_eq!(other.rank, grant.rank);
    assert!(!other.remaining.is_zero() && other.remaining <= grant.ttl + ms(1000));
    let (high, holder) = lock.observe().await;
    assert!(high >= grant.rank);
    assert_eq!(holder.expect("a holder").rank, grant.rank);
    assert!(lock.release(1).await);
    assert_eq!(lock.observe().await.1, None);
}

async fn a_repeat_is_the_same_grant<S>(lock: &Ask<S>)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let first = granted(&lock.acquire(1, LONG).await);
    for _ in 0..3 {
        let again = granted(&lock.acquire(1, LONG).await);
        assert_eq!(again.rank, first.rank);
        assert!(
            again.ttl <= LONG + ms(5000) && again.ttl > LONG / 2,
            "{again:?}"
        );
    }
    let above = granted(&lock.claim(1, LONG, Claim::Above(first.rank)).await);
    assert_eq!(above.rank, first.rank, "a floor moves no running grant");
    assert!(lock.release(1).await);
    assert!(!lock.release(1).await, "once is enough");
    assert!(granted(&lock.acquire(1, LONG).await).rank > first.rank);
    assert!(lock.release(1).await);
}

async fn a_renewal_extends_and_never_shortens<S>(lock: &Ask<S>, kind: Kind)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let ttl = kind.shortest.max(ms(300));
    let grant = granted(&lock.acquire(1, ttl).await);
    sleep(ttl / 2).await;
    let reply = lock.renew(1, grant.rank, ttl * 10).await;
    assert!(
        matches!(reply, LeaseReply::Renewed { ttl: t } if t >= ttl),
        "{reply:?}"
    );
    let reply = lock.renew(1, grant.rank, ms(1)).await;
    assert!(
        matches!(reply, LeaseReply::Renewed { ttl: t } if t >= ttl / 2),
        "{reply:?}"
    );
    sleep(ttl * 3 / 5).await;
    assert_eq!(held(&lock.acquire(2, ttl).await).rank, grant.rank);
    assert!(lock.release(1).await);
}

async fn only_the_holder_of_that_rank_renews<S>(lock: &Ask<S>, kind: Kind)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let unknown = Rank::new(0, 1);
    if kind.catches_up {
        let reply = lock.renew(1, unknown, LONG).await;
        assert!(matches!(reply, LeaseReply::Renewed { .. }), "{reply:?}");
        assert_eq!(held(&lock.acquire(2, LONG).await).rank, unknown);
        assert!(lock.release(1).await);
    } else {
        let _ = refused(lock, kind, 1, unknown).await;
    }
    let first = granted(&lock.acquire(1, LONG).await).rank;
    assert!(refused(lock, kind, 2, first).await >= first);
    assert!(lock.release(1).await);
    let second = granted(&lock.acquire(1, LONG).await).rank;
    assert!(
        refused(lock, kind, 1, first).await >= second,
        "another grant"
    );
    let reply = lock.renew(1, second, LONG).await;
    assert!(matches!(reply, LeaseReply::Renewed { .. }), "{reply:?}");
    assert!(lock.release(1).await);
    assert!(refused(lock, kind, 1, second).await >= second);
}

/// The highest rank, from a renewal that is refused. A quorum in which one is down may know of no majority either way: then it is asked
/// again.
async fn refused<S>(lock: &Ask<S>, kind: Kind, nonce: u128, rank: Rank) -> Rank
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let reply = if kind.catches_up {
        lock.insist(lock.renewal(nonce, rank, LONG)).await
    } else {
        lock.renew(nonce, rank, LONG).await
    };
    match reply {
        LeaseReply::NotHolder { high } => high,
        other => panic!("not refused: {other:?}"),
    }
}

async fn only_the_holder_releases<S>(lock: &Ask<S>)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    assert!(!lock.release(1).await, "nobody holds it");
    let first = granted(&lock.acquire(1, LONG).await);
    assert!(!lock.release(2).await);
    assert_eq!(held(&lock.acquire(2, LONG).await).rank, first.rank);
    assert!(lock.release(1).await);
    let second = granted(&lock.acquire(2, LONG).await);
    assert!(!lock.release(1).await, "late");
    assert_eq!(held(&lock.acquire(3, LONG).await).rank, second.rank);
    assert!(lock.release(2).await);
}

async fn a_lease_ends_by_itself<S>(lock: &Ask<S>, kind: Kind)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let ttl = kind.shortest.max(ms(100));
    let first = granted(&lock.acquire(1, ttl).await);
    sleep(first.ttl + kind.late).await;
    // Though nobody took it.
    let _ = refused(lock, kind, 1, first.rank).await;
    assert_eq!(lock.observe().await.1, None);
    let second = granted(&lock.acquire(2, LONG).await);
    assert!(second.rank > first.rank);
    assert!(!lock.release(1).await, "late");
    assert_eq!(held(&lock.acquire(1, LONG).await).rank, second.rank);
    assert!(lock.release(2).await);
}

async fn an_exact_rank_is_granted_once<S>(lock: &Ask<S>)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let passed = |reply: LeaseReply| match reply {
        LeaseReply::Passed { high } => high,
        other => panic!("not passed: {other:?}"),
    };
    let exactly = |rank| Claim::Exactly(rank);
    let _ = passed(lock.claim(1, LONG, exactly(Rank::ZERO)).await);
    let high = lock.observe().await.0;
    let ballot = Rank::new(high.era, high.seq + 1_000_000_000);
    let first = granted(&lock.claim(1, LONG, exactly(ballot)).await);
    assert_eq!(first.rank, ballot);
    let again = granted(&lock.claim(1, LONG, exactly(ballot)).await);
    assert_eq!(again.rank, ballot);
    let next = ballot.next().expect("a next");
    assert_eq!(held(&lock.claim(2, LONG, exactly(next)).await).rank, ballot);
    assert_eq!(lock.observe().await.0, ballot);
    let reply = lock.renew(1, ballot, LONG).await;
    assert!(matches!(reply, LeaseReply::Renewed { .. }), "{reply:?}");
    assert!(lock.release(1).await);
    assert_eq!(passed(lock.claim(2, LONG, exactly(ballot)).await), ballot);
    let below = Rank::new(ballot.era, ballot.seq - 1);
    assert_eq!(passed(lock.claim(2, LONG, exactly(below)).await), ballot);
    let second = granted(&lock.claim(2, LONG, exactly(next)).await);
    assert_eq!(second.rank, next);
    assert!(lock.release(2).await);
    let third = granted(&lock.acquire(3, LONG).await);
    assert!(third.rank > next);
    assert!(lock.release(3).await);
}

async fn names_are_kept_apart<S>(store: &S)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let long = "x".repeat(255);
    let names = [
        "a",
        "A",
        "a/",
        "a/b",
        "a%2F",
        "a%2Fb",
        "a b",
        "{a}",
        "'; --",
        "Füße",
        "*",
        &long,
        &long[1..],
    ];
    let mut nonces = 1..;
    for name in names {
        let lock = Ask::of(store, name);
        let _ = granted(&lock.acquire(nonces.next().expect("one"), LONG).await);
    }
    for (name, nonce) in names.iter().zip(1..) {
        assert!(Ask::of(store, name).release(nonce).await, "{name}");
    }
}

async fn a_waiter_gets_what_is_released<S>(lock: &Ask<S>)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let first = granted(&lock.acquire(1, LONG).await);
    let waiting = async { granted(&lock.wait(2, LONG, LONG).await) };
    let releasing = async {
        sleep(ms(300)).await;
        assert!(lock.release(1).await);
    };
    let (second, ()) = tokio::join!(waiting, releasing);
    assert!(second.rank > first.rank);
    assert!(second.ttl > LONG / 2, "{second:?}");
    assert!(lock.release(2).await);
}

async fn a_waiter_gets_what_has_ended<S>(lock: &Ask<S>, kind: Kind)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let first = granted(&lock.acquire(1, kind.shortest.max(ms(200))).await);
    let second = granted(&lock.wait(2, LONG, LONG).await);
    assert!(second.rank > first.rank);
    assert!(lock.release(2).await);
}

async fn a_waiter_gives_up_in_time<S>(lock: &Ask<S>)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let first = granted(&lock.acquire(1, LONG).await);
    let other = held(&lock.wait(2, LONG, ms(300)).await);
    assert_eq!(other.rank, first.rank);
    assert!(lock.release(1).await);
    assert!(!lock.release(2).await, "it does not wait any more");
    let _ = granted(&lock.acquire(3, LONG).await);
    assert!(lock.release(3).await);
}

async fn a_waiter_that_left_does_not_get_it<S>(lock: &Ask<S>)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let _ = granted(&lock.acquire(1, LONG).await);
    let left = timeout(ms(300), lock.wait(2, LONG, LONG)).await;
    assert!(left.is_err(), "{left:?}");
    assert!(lock.release(1).await);
    let next = granted(&lock.wait(3, LONG, ms(20_000)).await);
    assert!(next.ttl > LONG / 2);
    assert!(lock.release(3).await);
}

async fn waiters_are_served_in_their_order<S>(lock: &Ask<S>)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let _ = granted(&lock.acquire(100, LONG).await);
    let served = std::sync::Mutex::new(Vec::new());
    let waiters = (0..5).map(|n| {
        let served = &served;
        async move {
            sleep(ms(200 * n)).await;
            let _ = granted(&lock.wait(u128::from(n), LONG, LONG).await);
            served.lock().expect("the list").push(n);
            assert!(lock.release(u128::from(n)).await);
        }
    });
    let releasing = async {
        sleep(ms(2000)).await;
        assert!(lock.release(100).await);
    };
    let ((), _) = tokio::join!(releasing, futures_util::future::join_all(waiters));
    assert_eq!(served.into_inner().expect("the list"), [0, 1, 2, 3, 4]);
}

async fn a_floor_is_below_what_is_granted<S>(lock: &Ask<S>)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let mut last = Rank::ZERO;
    let beyond_doubles = (1 << 53) + 1;
    for floor in [
        Rank::ZERO,
        Rank::new(0, beyond_doubles),
        Rank::new(0, FULL - 1),
        Rank::new(0, FULL),
        Rank::new(3, 7),
        Rank::new(2, FULL),
        Rank::new(9, FULL),
    ] {
        let grant = granted(&lock.claim(1, LONG, Claim::Above(floor)).await);
        assert!(grant.rank > floor && grant.rank > last, "{floor} {grant:?}");
        assert!(lock.release(1).await);
        last = grant.rank;
        let grant = granted(&lock.acquire(1, LONG).await);
        assert!(grant.rank > last, "the floor is kept: {last} {grant:?}");
        assert!(lock.release(1).await);
        last = grant.rank;
    }
    let reply = lock.claim(1, LONG, Claim::Above(Rank::MAX)).await;
    assert!(
        matches!(reply, LeaseReply::Passed { high } if high >= last),
        "{reply:?}"
    );
    assert!(
        granted(&lock.acquire(1, LONG).await).rank > last,
        "nothing was changed"
    );
    assert!(lock.release(1).await);
}
