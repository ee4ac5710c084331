//! The table beside a naive one, which knows every caller by name and looks at each of them at each tick.

use std::collections::BTreeMap;

mod naive;
mod places;

use super::*;
use crate::{Claim, Grant, Ttl};

const LOCK: &str = "orders";

/// A caller: one call of one nonce.
type Caller = u32;

/// Counts, and is out of numbers when told so.
#[derive(Debug, Default)]
struct Counted {
    drawn: u64,
    dry: bool,
}

impl Ranks for Counted {
    fn draw(&mut self, high: Rank, claim: Claim, _: Duration) -> Drawn {
        if self.dry {
            return Drawn::Later;
        }
        self.drawn += 1;
        claimed(high, claim, 0).map_or(Drawn::Passed, Drawn::Rank)
    }

    fn reach(&mut self) -> Rank {
        Rank::new(0, self.drawn)
    }
}

/// A table with all its timers, and what everybody was told.
struct Bench {
    table: Table<Caller, Counted>,
    now: Instant,
    callers: Caller,
    waiting: BTreeMap<Caller, (Ticket, Instant)>,
    told: Vec<(Caller, Word)>,
}

fn lock() -> LockName {
    LOCK.try_into().unwrap()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn acquire(nonce: u8, ttl: u64, wait: u64) -> Acquire {
    Acquire {
        lock: lock(),
        nonce: Nonce::from_bits(nonce.into()),
        ttl: Ttl::try_new(millis(ttl)).unwrap(),
        claim: Claim::Above(Rank::ZERO),
        wait: millis(wait),
    }
}

impl Bench {
    fn new() -> Self {
        Self {
            table: Table::new(Counted::default(), Rank::ZERO, None),
            now: Instant::now(),
            callers: 0,
            waiting: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    /// The caller, and his answer if it came at once.
    fn ask(&mut self, request: LeaseRequest) -> (Caller, Result<Option<LeaseReply>, StoreFull>) {
        self.callers += 1;
        let (caller, mut words) = (self.callers, Words::new());
        let asked = self.table.ask(request, self.now, &mut words, || caller);
        self.hear(words);
        let asked = asked.map(|asked| match asked {
            Asked::Reply(reply) => Some(reply),
            Asked::Queued { ticket, look, who } => {
                assert_eq!(who, caller);
                self.waiting.insert(caller, (ticket, look));
                None
            }
        });
        (caller, asked)
    }

    fn acquire(&mut self, asked: Acquire) -> (Caller, Option<LeaseReply>) {
        let (caller, reply) = self.ask(LeaseRequest::Acquire(asked));
        (caller, reply.unwrap())
    }

    fn release(&mut self, nonce: u8) -> bool {
        let (lock, nonce) = (lock(), Nonce::from_bits(nonce.into()));
        match self.ask(LeaseRequest::Release { lock, nonce }).1 {
            Ok(Some(LeaseReply::Released { was_held })) => was_held,
            other => panic!("{other:?}"),
        }
    }

    fn hear(&mut self, words: Words<Caller>) {
        for (caller, word) in words {
            match word {
                Word::Look => {
                    if let Some((_, look)) = self.waiting.get_mut(&caller) {
                        *look = self.now;
                    }
                }
                answer => {
                    self.waiting.remove(&caller);
                    self.told.push((caller, answer));
                }
            }
        }
    }

    /// Lets those look whose time has come, until nobody's has.
    fn look(&mut self) {
        while let Some((caller, ticket)) = self.due() {
            let mut words = Words::new();
            let look = self.table.look(&lock(), ticket, self.now, &mut words);
            if let Some(look) = look {
                assert!(look > self.now, "it would look for ever");
                self.waiting.insert(caller, (ticket, look));
            }
            self.hear(words);
        }
    }

    fn due(&self) -> Option<(Caller, Ticket)> {
        let due = |(caller, (ticket, look)): (&Caller, &(Ticket, Instant))| {
            (*look <= self.now).then_some((*caller, *ticket))
        };
        self.waiting.iter().find_map(due)
    }

    fn advance(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now += millis(1);
            self.look();
        }
    }

    fn leave(&mut self, caller: Caller) {
        if let Some((ticket, _)) = self.waiting.remove(&caller) {
            let mut words = Words::new();
            self.table.leave(&lock(), ticket, self.now, &mut words);
            self.hear(words);
        }
    }

    fn granted(&self, caller: Caller) -> Option<Grant> {
        self.told.iter().find_map(|told| match told {
            (told, Word::Reply(LeaseReply::Granted(grant))) if *told == caller => Some(*grant),
            _ => None,
        })
    }
}

fn granted(reply: Option<LeaseReply>) -> Grant {
    match reply {
        Some(LeaseReply::Granted(grant)) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

#[test]
fn who_comes_first_is_served_first() {
    let mut bench = Bench::new();
    let first = granted(bench.acquire(acquire(1, 50, 0)).1);
    let waits: Vec<_> = (2..6)
        .map(|n| bench.acquire(acquire(n, 10, 100)).0)
        .collect();
    assert!(bench.release(1));
    let mut last = first.rank;
    for caller in waits {
        let rank = bench.granted(caller).expect("his turn").rank;
        assert!(rank > last);
        last = rank;
        // This one is not heard of again: the next has it when it is over.
        bench.advance(10);
    }
}

#[test]
fn a_short_lease_after_a_long_one_hurries_those_who_wait() {
    let mut bench = Bench::new();
    granted(bench.acquire(acquire(1, 1000, 0)).1);
    bench.acquire(acquire(2, 10, 5000));
    let (third, _) = bench.acquire(acquire(3, 10, 5000));
    bench.release(1);
    bench.advance(10);
    assert!(
        bench.granted(third).is_some(),
        "it looks when the second's ten are over"
    );
}

#[test]
fn a_waiter_that_never_looks_holds_nobody_up() {
    let mut bench = Bench::new();
    granted(bench.acquire(acquire(1, 10, 0)).1);
    let (paused, _) = bench.acquire(acquire(2, 10, 5000));
    let (third, _) = bench.acquire(acquire(3, 10, 5000));
    bench.waiting.remove(&paused);
    bench.advance(20);
    assert!(bench.granted(third).is_some());
}

#[test]
fn a_grant_that_nobody_heard_of_is_taken_back() {
    let mut bench = Bench::new();
    granted(bench.acquire(acquire(1, 50, 0)).1);
    let (second, _) = bench.acquire(acquire(2, 50, 100));
    let (twin, _) = bench.acquire(acquire(2, 50, 100));
    let (third, _) = bench.acquire(acquire(3, 50, 100));
    let tickets = [second, twin].map(|caller| bench.waiting[&caller].0);
    bench.release(1);
    assert_eq!(bench.granted(second), bench.granted(twin));
    for (ticket, taken_back) in tickets.into_iter().zip([false, true]) {
        let mut words = Words::new();
        bench.table.leave(&lock(), ticket, bench.now, &mut words);
        bench.hear(words);
        assert_eq!(bench.granted(third).is_some(), taken_back);
    }
}

#[test]
fn who_releases_while_he_waits_is_granted_nothing() {
    let mut bench = Bench::new();
    granted(bench.acquire(acquire(1, 50, 0)).1);
    let (second, _) = bench.acquire(acquire(2, 50, 100));
    assert!(!bench.release(2));
    assert!(matches!(bench.told[..], [(told, Word::Reply(LeaseReply::Held(_)))] if told == second));
    assert!(bench.release(1));
    assert_eq!(bench.granted(second), None);
}

#[test]
fn an_exact_claim_that_is_passed_while_it_waits_is_told_so() {
    let mut bench = Bench::new();
    let first = granted(bench.acquire(acquire(1, 10, 0)).1);
    let exactly = |nonce, seq| Acquire {
        claim: Claim::Exactly(Rank::new(0, seq)),
        ..acquire(nonce, 10, 100)
    };
    let (second, _) = bench.acquire(exactly(2, first.rank.seq + 1));
    let (third, _) = bench.acquire(exactly(3, first.rank.seq + 1));
    bench.advance(20);
    let high = bench.granted(second).unwrap().rank;
    assert_eq!(
        bench.told[1],
        (third, Word::Reply(LeaseReply::Passed { high }))
    );
    // One that is passed already does not even wait.
    granted(bench.acquire(acquire(4, 10, 0)).1);
    assert!(matches!(
        bench.acquire(exactly(5, 1)).1,
        Some(LeaseReply::Held(_))
    ));
}

#[test]
fn the_bounds_are_kept() {
    let mut bench = Bench::new();
    *bench.table.limits() = Limits {
        locks: 3,
        waiters: 2,
    };
    let named = |name: &str, asked: Acquire| {
        let lock = name.try_into().unwrap();
        LeaseRequest::Acquire(Acquire { lock, ..asked })
    };
    granted(bench.acquire(acquire(1, 50, 0)).1);
    bench.acquire(acquire(2, 50, 100));
    bench.acquire(acquire(2, 50, 100));
    let full = bench
        .ask(LeaseRequest::Acquire(acquire(3, 50, 100)))
        .1
        .unwrap_err();
    assert_eq!(
        full,
        StoreFull::Waiters {
            lock: lock(),
            limit: 2
        }
    );

    let b = granted(bench.ask(named("b", acquire(1, 50, 0))).1.unwrap());
    granted(bench.ask(named("c", acquire(1, 20, 0))).1.unwrap());
    let full = bench.ask(named("d", acquire(1, 50, 0))).1.unwrap_err();
    let (lock, limit) = ("d".try_into().unwrap(), 3);
    assert_eq!(full, StoreFull::Locks { lock, limit });
    // The lease of `c` is over, and it is forgotten for `d`, which begins above it.
    bench.advance(20);
    let d = granted(bench.ask(named("d", acquire(1, 50, 0))).1.unwrap());
    assert!(d.rank > b.rank);
}

#[test]
fn a_lock_that_was_forgotten_begins_above() {
    let mut bench = Bench::new();
    bench.table.limits().locks = 2;
    let mut last = BTreeMap::new();
    for n in 0..500_u32 {
        let name = format!("lock {}", n * 7 % 5);
        let lock: LockName = name.as_str().try_into().unwrap();
        let asked = Acquire {
            lock: lock.clone(),
            ..acquire(1, 50, 0)
        };
        let rank = granted(bench.ask(LeaseRequest::Acquire(asked)).1.unwrap()).rank;
        assert!(last.insert(name, rank) < Some(rank));
        let nonce = Nonce::from_bits(1);
        bench.ask(LeaseRequest::Release { lock, nonce }).1.unwrap();
    }
}

#[test]
fn a_lock_marked_above_what_is_drawn_next_is_not_forgotten() {
    let mut bench = Bench::new();
    bench.table.limits().locks = 1;
    let far = Claim::Above(Rank::new(0, u64::MAX - 9));
    granted(
        bench
            .acquire(Acquire {
                claim: far,
                ..acquire(1, 50, 0)
            })
            .1,
    );
    bench.release(1);
    let lock = "other".try_into().unwrap();
    let other = LeaseRequest::Acquire(Acquire {
        lock,
        ..acquire(1, 50, 0)
    });
    assert!(matches!(bench.ask(other).1, Err(StoreFull::Locks { .. })));
}

#[test]
fn nothing_is_granted_while_it_is_shut() {
    let mut bench = Bench::new();
    let high = Rank::new(0, 7);
    bench.table = Table::new(Counted::default(), high, Some(bench.now + millis(30)));
    let held = Holder {
        rank: high,
        remaining: millis(30),
    };
    assert_eq!(
        bench.acquire(acquire(1, 10, 0)).1,
        Some(LeaseReply::Held(held))
    );
    let (short, _) = bench.acquire(acquire(2, 10, 20));
    let (long, _) = bench.acquire(acquire(3, 10, 50));
    bench.advance(29);
    assert!(matches!(bench.told[..], [(told, Word::Reply(LeaseReply::Held(_)))] if told == short));
    assert!(!bench.table.is_quiet(bench.now));
    bench.advance(1);
    assert!(bench.granted(long).unwrap().rank > high);
    bench.advance(10);
    assert!(bench.table.is_quiet(bench.now));
}
