//! What every fenced store has to do, whatever it is made of; and a lease that a test ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use murphy_core::clock::Sleep;
use murphy_core::{Clock, TokioClock, Wall};
use murphy_lease::fence::{
    Admitted, FencedStore, FencedStoreError, Horizon, MAX_RESOURCE, Proof, Refused,
};
use murphy_lease::{FencingToken, Lost, Rank, Why};
use tokio::time::Instant;

/// A token of the lock `orders`.
#[must_use]
pub fn token(seq: u64, nonce: u128) -> FencingToken {
    token_of("orders", 0, seq, nonce)
}

/// A token of any lock.
///
/// # Panics
///
/// If that is no name of one.
#[must_use]
pub fn token_of(lock: &str, era: u32, seq: u64, nonce: u128) -> FencingToken {
    let text = format!("{lock};era={era};seq={seq};nonce={nonce:x}");
    text.parse().expect("a token")
}

/// Panics where `store`, which is empty, breaks the contract; `bounded` is the same store with that horizon, by that clock.
///
/// # Panics
///
/// Then.
pub async fn keeps_the_contract<S: FencedStore<Value = Vec<u8>>>(
    store: S,
    bounded: impl FnOnce(S, Horizon, Arc<dyn Clock>) -> S,
) {
    who_seals_reads(&store).await;
    stale_ones_change_nothing(&store).await;
    operations_are_done_once(&store).await;
    ranks_are_ordered_as_numbers(&store).await;
    names_are_bounded(&store).await;
    let clock = Arc::new(TimeOfDay::default());
    let horizon = Horizon::new(SLACK).eras(ERA);
    let store = bounded(store, horizon, Arc::clone(&clock) as Arc<dyn Clock>);
    none_comes_from_the_future(&store, &clock).await;
}

fn refused<T, E: std::error::Error>(outcome: Result<T, FencedStoreError<E>>) -> Refused {
    match outcome {
        Err(FencedStoreError::Refused(refused)) => refused,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it was admitted"),
    }
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

async fn who_seals_reads<S: FencedStore<Value = Vec<u8>>>(store: &S) {
    let name = "seals";
    let (older, newer) = (token(33, 1), token(34, 2));
    let unseen = store.read_fenced(name, &older).await;
    assert_eq!(refused(unseen), Refused::NotSealed);
    let sealed = store.seal(name, &older).await.expect("the first");
    assert_eq!(
        (sealed.value, sealed.op, sealed.admitted),
        (None, None, Admitted::Newer)
    );
    let same = store.write(name, &older, bytes("a")).await;
    assert_eq!(same.expect("its holder"), Admitted::Same);
    let again = store.seal(name, &older).await.expect("its holder");
    assert_eq!(
        (again.value, again.admitted),
        (Some(bytes("a")), Admitted::Same)
    );
    let unsealed = store.read_fenced(name, &newer).await;
    assert_eq!(refused(unsealed), Refused::NotSealed);
    let sealed = store.seal(name, &newer).await.expect("a newer one");
    assert_eq!(
        (sealed.value, sealed.admitted),
        (Some(bytes("a")), Admitted::Newer)
    );
    let read = store.read_fenced(name, &newer).await;
    assert_eq!(read.expect("it has sealed"), Some(bytes("a")));
}

async fn stale_ones_change_nothing<S: FencedStore<Value = Vec<u8>>>(store: &S) {
    let name = "stale";
    let current = token(34, 2).rank();
    let guard = token(34, 2).lock().clone();
    let first = store.write(name, &token(34, 2), bytes("b")).await;
    assert_eq!(first.expect("the first"), Admitted::Newer);
    for (asks, want) in [
        (token(33, 1), Refused::Stale { current }),
        (token(34, 1), Refused::Conflict { current }),
        (token(34, 3), Refused::Conflict { current }),
        (
            token_of("other", 9, 99, 1),
            Refused::OtherLock {
                guard: guard.clone(),
            },
        ),
    ] {
        let written = store.write(name, &asks, bytes("late")).await;
        assert_eq!(refused(written), want);
        assert_eq!(refused(store.seal(name, &asks).await), want);
        assert_eq!(refused(store.read_fenced(name, &asks).await), want);
    }
    let read = store.read_fenced(name, &token(34, 2)).await;
    assert_eq!(read.expect("its holder"), Some(bytes("b")));
}

async fn operations_are_done_once<S: FencedStore<Value = Vec<u8>>>(store: &S) {
    let name = "once";
    let (older, newer) = (token(1, 1), token(2, 2));
    let done = store.write_once(name, &older, 5, bytes("five")).await;
    done.expect("the first");
    for op in [5, 4, 0] {
        let again = store.write_once(name, &older, op, bytes("again")).await;
        assert_eq!(refused(again), Refused::Repeated { op, last: 5 });
    }
    let plain = store.write(name, &older, bytes("plain")).await;
    plain.expect("a write without a number leaves the count");
    let again = store.write_once(name, &older, 5, bytes("again")).await;
    assert_eq!(refused(again), Refused::Repeated { op: 5, last: 5 });
    let last = store.write_once(name, &older, u64::MAX, bytes("last"));
    last.await.expect("a higher number");
    let sealed = store.seal(name, &older).await.expect("its holder");
    assert_eq!(
        (sealed.value, sealed.op),
        (Some(bytes("last")), Some(u64::MAX))
    );
    let sealed = store.seal(name, &newer).await.expect("a newer one");
    assert_eq!(sealed.op, None, "it counts anew");
    let zero = store.write_once(name, &newer, 0, bytes("zero")).await;
    zero.expect("from any number on");
}

/// Numbers are compared as such, also where a database has no type for them.
async fn ranks_are_ordered_as_numbers<S: FencedStore<Value = Vec<u8>>>(store: &S) {
    let rising = [
        (0, 0),
        (0, 9),
        (0, 10),
        (0, 255),
        (0, 256),
        (0, 1 << 53),
        (0, (1 << 53) + 1),
        (0, i64::MAX as u64),
        (0, i64::MAX as u64 + 1),
        (0, u64::MAX),
        (1, 0),
        (i32::MAX as u32 + 1, 0),
        (u32::MAX, u64::MAX),
    ];
    let all = rising.map(|(era, seq)| token_of("orders", era, seq, u128::MAX));
    for (n, token) in all.iter().enumerate() {
        let admitted = store.seal("ranks", token).await.expect("a higher one");
        assert_eq!(admitted.admitted, Admitted::Newer);
        for lower in &all[..n] {
            let current = token.rank();
            let late = store.write("ranks", lower, bytes("late")).await;
            assert_eq!(refused(late), Refused::Stale { current });
        }
    }
}

const SLACK: Duration = Duration::from_secs(60);
const ERA: u32 = 1;

/// A clock whose time of day is set, in microseconds.
#[derive(Default)]
struct TimeOfDay(AtomicI64);

impl Clock for TimeOfDay {
    fn now(&self) -> Instant {
        TokioClock.now()
    }

    fn wall(&self) -> Wall {
        Wall::from_nanos(self.0.load(Ordering::Relaxed) * 1000)
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        TokioClock.sleep_until(deadline)
    }
}

/// Whoever made up a high token would fence out everybody for ever.
async fn none_comes_from_the_future<S: FencedStore<Value = Vec<u8>>>(store: &S, clock: &TimeOfDay) {
    let name = "future";
    let (now, slack) = (1_800_000_000_000_000, 60_000_000);
    clock.0.store(now, Ordering::Relaxed);
    let latest = now.unsigned_abs() + slack;
    let of = |era, seq| token_of("orders", era, seq, 7);
    let none = |highest| async move {
        for asks in [of(0, highest + 1), of(0, u64::MAX), of(ERA + 1, 1)] {
            let future = Refused::Future {
                highest: Rank::new(ERA, highest),
            };
            let written = store.write_once(name, &asks, 9, bytes("forged")).await;
            assert_eq!(refused(written), future, "{asks}");
            assert_eq!(refused(store.seal(name, &asks).await), future, "{asks}");
            let read = store.read_fenced(name, &asks).await;
            assert_eq!(refused(read), future, "{asks}");
        }
    };
    none(latest).await;
    let first = store.write(name, &of(0, 1), bytes("honest")).await;
    assert_eq!(first.expect("nothing was remembered"), Admitted::Newer);
    let sealed = store.seal(name, &of(0, latest)).await;
    let sealed = sealed.expect("the highest that is believed");
    assert_eq!((sealed.value, sealed.op), (Some(bytes("honest")), None));
    clock.0.fetch_add(1, Ordering::Relaxed);
    let later = store.seal(name, &of(0, latest + 1)).await;
    later.expect("it can have been granted by now");
    none(latest + 1).await;
    let era = store.seal(name, &of(ERA, latest + 1)).await;
    era.expect("an era that is believed");
}

async fn names_are_bounded<S: FencedStore<Value = Vec<u8>>>(store: &S) {
    for length in [0, MAX_RESOURCE + 1] {
        let sealed = store.seal(&"x".repeat(length), &token(1, 1)).await;
        assert!(matches!(sealed, Err(FencedStoreError::BadResource { .. })));
    }
    let longest = "\u{e9}".repeat(MAX_RESOURCE / 2);
    let written = store.write(&longest, &token(1, 1), vec![0, 255]).await;
    written.expect("a long name");
}

/// Many writers at once: each admitted write of a resource is above or beside those before it, and the last that was
/// admitted is what stays.
///
/// # Panics
///
/// Where one was admitted after a higher one.
pub async fn keeps_order_among_many<S>(store: S)
where
    S: FencedStore<Value = Vec<u8>> + Clone + 'static,
{
    const WRITERS: u64 = 8;
    const ROUNDS: u64 = 40;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        tasks.spawn(async move {
            let mut highest = 0;
            for round in 0..ROUNDS {
                // Each has ranks of its own, and the writers are on about the same height.
                let seq = round * WRITERS + (writer * 5 + round * 3) % WRITERS + 1;
                let token = token(seq, 1 + u128::from(seq));
                let sealed = store.seal("many", &token).await;
                let Ok(sealed) = sealed else { continue };
                if let Some(value) = sealed.value {
                    let seen = u64::from_be_bytes(value.try_into().expect("eight bytes"));
                    assert!(seen <= seq, "{seen} was written before {seq} sealed");
                }
                let value = seq.to_be_bytes().to_vec();
                if store.write("many", &token, value).await.is_ok() {
                    highest = seq;
                }
            }
            highest
        });
    }
    let mut highest = 0;
    while let Some(written) = tasks.join_next().await {
        highest = highest.max(written.expect("a writer"));
    }
    let last = token(u64::MAX, 1);
    let sealed = store.seal("many", &last).await.expect("the highest");
    let value = sealed.value.expect("somebody wrote");
    assert_eq!(
        u64::from_be_bytes(value.try_into().expect("eight")),
        highest
    );
}

/// A lease that a test ends: what a holder has, without a store of leases.
#[derive(Clone, Debug)]
pub struct Held {
    token: FencingToken,
    lost: tokio::sync::watch::Sender<Option<Why>>,
}

impl Held {
    /// One that is held.
    #[must_use]
    pub fn new(token: FencingToken) -> Self {
        let lost = tokio::sync::watch::Sender::new(None);
        Self { token, lost }
    }

    /// It is lost.
    pub fn lose(&self) {
        self.lost.send_replace(Some(Why::Expired));
    }

    fn ended(&self, why: Why) -> Lost {
        let (lock, rank) = (self.token.lock().clone(), self.token.rank());
        Lost { lock, rank, why }
    }
}

impl Proof for Held {
    type Lost = BoxFuture<'static, Lost>;

    fn token(&self) -> Result<&FencingToken, Lost> {
        match *self.lost.borrow() {
            Some(why) => Err(self.ended(why)),
            None => Ok(&self.token),
        }
    }

    fn remaining(&self) -> Duration {
        match self.token() {
            Ok(_) => Duration::MAX,
            Err(_) => Duration::ZERO,
        }
    }

    fn lost(&self) -> Self::Lost {
        let (own, mut lost) = (self.clone(), self.lost.subscribe());
        Box::pin(async move {
            let why = lost.wait_for(Option::is_some).await.map(|why| *why);
            own.ended(why.ok().flatten().unwrap_or(Why::Released))
        })
    }
}
