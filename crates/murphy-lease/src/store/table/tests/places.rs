//! Places that are kept for who asks again.

use super::*;

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
        let queue = &bench.table.rows[0].line;
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
    let places = bench.table.rows.values().map(|row| row.line.len());
    assert_eq!(places.sum::<usize>(), 1);
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
