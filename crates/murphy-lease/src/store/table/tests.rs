//! The table beside a naive one, which knows every caller by name and looks at each of them at each tick.

use std::collections::BTreeMap;

mod naive;

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
fn who_asks_again_within_a_second_keeps_his_place() {
    for (late, is_kept) in [(0, true), (999, true), (1000, false)] {
        let mut bench = Bench::new();
        granted(bench.acquire(acquire(1, 5000, 0)).1);
        let (second, _) = bench.acquire(acquire(2, 10, 100));
        let (third, _) = bench.acquire(acquire(3, 10, 5000));
        bench.advance(100);
        assert!(
            matches!(bench.told[..], [(told, Word::Reply(LeaseReply::Held(_)))] if told == second)
        );
        bench.advance(late);
        let (again, _) = bench.acquire(acquire(2, 10, 1000));
        bench.release(1);
        assert_eq!(bench.granted(again).is_some(), is_kept, "{late} ms late");
        assert_eq!(bench.granted(third).is_some(), !is_kept);
    }
}

#[test]
fn who_is_away_holds_nobody_up_and_comes_next() {
    let mut bench = Bench::new();
    granted(bench.acquire(acquire(1, 5000, 0)).1);
    bench.acquire(acquire(2, 50, 100));
    let (third, _) = bench.acquire(acquire(3, 5000, 5000));
    let (fourth, _) = bench.acquire(acquire(4, 50, 5000));
    bench.advance(100);
    bench.release(1);
    assert!(bench.granted(third).is_some(), "the second is not there");
    let (second, _) = bench.acquire(acquire(2, 50, 1000));
    bench.release(3);
    assert!(bench.granted(second).is_some() && bench.granted(fourth).is_none());
}

#[test]
fn places_of_who_is_away_are_bounded_and_forgotten_with_the_lock() {
    let mut bench = Bench::new();
    bench.table.limits().waiters = 4;
    granted(bench.acquire(acquire(1, 5000, 0)).1);
    for nonce in 2..100 {
        bench.acquire(acquire(nonce, 10, 1));
        bench.advance(1);
        let queue = &bench.table.rows[0].queue;
        assert!(queue.len() <= 4, "{}", queue.len());
    }
    bench.release(1);
    assert!(bench.table.is_quiet(bench.now));
}

#[test]
fn a_place_is_kept_by_who_waited_last_and_not_by_who_left() {
    let mut bench = Bench::new();
    granted(bench.acquire(acquire(1, 50_000, 0)).1);
    let (long, _) = bench.acquire(acquire(2, 10, 60_000));
    bench.acquire(acquire(2, 10, 100));
    let (third, _) = bench.acquire(acquire(3, 10, 5000));
    bench.leave(long);
    bench.advance(1100);
    let (again, _) = bench.acquire(acquire(2, 10, 1000));
    bench.release(1);
    assert!(bench.granted(third).is_some() && bench.granted(again).is_none());
}

#[test]
fn who_asks_again_keeps_his_place_where_there_is_no_room_for_those_away() {
    let mut bench = Bench::new();
    bench.table.limits().waiters = 3;
    granted(bench.acquire(acquire(1, 5000, 0)).1);
    bench.acquire(acquire(2, 10, 100));
    bench.acquire(acquire(3, 10, 100));
    let (fourth, _) = bench.acquire(acquire(4, 10, 5000));
    bench.advance(100);
    let (second, _) = bench.acquire(acquire(2, 10, 1000));
    bench.release(1);
    assert!(bench.granted(second).is_some() && bench.granted(fourth).is_none());
}

#[test]
fn who_asks_again_where_a_number_is_lacking_is_told_when_it_comes() {
    let mut bench = Bench::new();
    granted(bench.acquire(acquire(1, 5000, 0)).1);
    bench.acquire(acquire(2, 10, 100));
    bench.advance(100);
    bench.release(1);
    bench.table.ranks().dry = true;
    let (second, none) = bench.acquire(acquire(2, 10, 100));
    assert_eq!(none, None);
    bench.advance(100);
    bench.table.ranks().dry = false;
    let mut words = Words::new();
    bench.table.numbered(bench.now, &mut words);
    bench.hear(words);
    assert!(bench.granted(second).is_some());
}

#[test]
fn who_is_granted_it_meanwhile_has_no_place_any_more() {
    let mut bench = Bench::new();
    granted(bench.acquire(acquire(1, 5000, 0)).1);
    bench.acquire(acquire(2, 10, 100));
    bench.advance(100);
    bench.release(1);
    granted(bench.acquire(acquire(2, 10, 0)).1);
    let (third, _) = bench.acquire(acquire(3, 5000, 5000));
    let (fourth, _) = bench.acquire(acquire(4, 10, 5000));
    bench.advance(10);
    assert!(bench.granted(third).is_some());
    let (second, _) = bench.acquire(acquire(2, 10, 5000));
    bench.release(3);
    assert!(bench.granted(fourth).is_some() && bench.granted(second).is_none());
}

#[test]
fn who_asks_again_is_granted_above_what_he_claims_now() {
    let mut bench = Bench::new();
    granted(bench.acquire(acquire(1, 5000, 0)).1);
    bench.acquire(acquire(2, 10, 100));
    bench.advance(100);
    let floor = Rank::new(0, 700);
    let (again, _) = bench.acquire(Acquire {
        claim: Claim::Above(floor),
        ..acquire(2, 10, 1000)
    });
    bench.release(1);
    assert!(bench.granted(again).unwrap().rank > floor);
}

#[test]
fn places_that_were_kept_at_other_locks_are_forgotten_too() {
    const LOCKS: usize = 20;
    let mut bench = Bench::new();
    let named = |n: usize, asked| Acquire {
        lock: format!("lock {n}").try_into().unwrap(),
        ..asked
    };
    for n in 0..LOCKS {
        granted(bench.acquire(named(n, acquire(1, 50_000, 0))).1);
        let (away, _) = bench.acquire(named(n, acquire(2, 10, 1)));
        let (ticket, look) = bench.waiting.remove(&away).unwrap();
        let mut words = Words::new();
        let lock = named(n, acquire(2, 10, 1)).lock;
        assert_eq!(bench.table.look(&lock, ticket, look, &mut words), None);
    }
    bench.now += millis(2000);
    granted(bench.acquire(acquire(1, 50_000, 0)).1);
    for _ in 0..=LOCKS {
        bench.acquire(acquire(2, 10, 5000));
    }
    let places = bench.table.rows.values().map(|row| row.queue.len());
    assert_eq!(places.sum::<usize>(), 1);
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
fn who_lacks_a_number_waits_for_it_and_keeps_his_place() {
    for fails in [false, true] {
        let mut bench = Bench::new();
        bench.table.ranks().dry = true;
        // He does not want to wait for the lock, and waits for the number.
        let (first, none) = bench.acquire(acquire(1, 10, 0));
        assert_eq!(none, None);
        let (twin, none) = bench.acquire(acquire(1, 10, 0));
        assert_eq!(none, None);
        assert!(matches!(
            bench.acquire(acquire(2, 10, 0)).1,
            Some(LeaseReply::Held(_))
        ));
        let (third, _) = bench.acquire(acquire(3, 10, 500));
        bench.advance(100);
        assert_eq!(bench.told, []);
        let mut words = Words::new();
        if fails {
            bench.table.unnumbered(&mut words);
            bench.hear(words);
            let failed = [first, twin, third].map(|caller| (caller, Word::Failed));
            assert_eq!(bench.told, failed);
        } else {
            bench.table.ranks().dry = false;
            bench.table.numbered(bench.now, &mut words);
            bench.hear(words);
            assert_eq!(bench.granted(first), bench.granted(twin));
            bench.advance(10);
            assert!(bench.granted(third).unwrap().rank > bench.granted(first).unwrap().rank);
        }
    }
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
