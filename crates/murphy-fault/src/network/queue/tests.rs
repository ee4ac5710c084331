//! Queues beside a list of who is in them, and rates beside their texts.

use super::*;
use murphy_core::Draw;

const MS: u64 = 1_000_000;

/// One of each kind, which must be of one mind where all messages are equal: of one byte, and
/// so many milliseconds each.
fn both(millis: f64, places: u32) -> [Queue; 2] {
    let rate = PerSecond(1e3 / millis);
    [Rate::Messages(rate), Rate::Bytes(rate)].map(|rate| queue(&rate, places))
}

fn queue(rate: &Rate, places: u32) -> Queue {
    Queue::new(rate, NonZeroU32::new(places).unwrap())
}

#[test]
fn one_after_the_other() {
    for queue in both(10.0, 3) {
        for (now, left) in [(1, 10), (1, 20), (6, 25)] {
            assert_eq!(queue.enter(now * MS, || 1), Some(left * MS));
        }
    }
}

#[test]
fn a_full_queue_drops_its_tail_and_forgets_nobody_in_it() {
    for queue in both(10.0, 3) {
        for _ in 0..3 {
            assert!(queue.enter(MS, || 1).is_some());
        }
        assert_eq!(queue.enter(MS, || 1), None);
        assert_eq!(queue.enter(10 * MS, || 1), None);
        // The first has left at 11 ms.
        assert_eq!(queue.enter(11 * MS, || 1), Some(30 * MS));
    }
}

#[test]
fn an_idle_link_has_no_past() {
    for queue in both(5.0, 1) {
        queue.enter(MS, || 1);
        assert_eq!(queue.enter(1000 * MS, || 1), Some(5 * MS));
    }
}

#[test]
fn it_is_never_ahead_of_its_rate_nor_idle_with_work() {
    // Busy without a gap: the n-th has left after n times what one takes.
    for queue in both(3.0, 1000) {
        for n in 1..=1000 {
            assert_eq!(queue.enter(0, || 1), Some(3 * MS * n));
        }
        assert_eq!(queue.enter(0, || 1), None);
    }
}

#[test]
fn large_messages_keep_small_ones_waiting() {
    let queue = queue(&Rate::bytes(1e3).unwrap(), 2);
    assert_eq!(queue.enter(0, || 100), Some(100 * MS));
    assert_eq!(queue.enter(0, || 1), Some(101 * MS));
    assert_eq!(queue.enter(99 * MS, || 1), None);
    assert_eq!(queue.enter(100 * MS, || 1), Some(2 * MS));
    assert_eq!(queue.enter(100 * MS, || 1), None);
}

#[test]
fn equal_messages_are_counted_by_time_as_well_as_by_name() {
    let mut now = 0;
    for capacity in [1, 2, 7, 100] {
        let [even, sized] = both(4.0, capacity);
        for n in 0..10_000u64 {
            now += Draw::from_bits(n).nth(u64::from(capacity)).bits() % (9 * MS);
            // Now and then a crowd.
            for _ in 0..if n % 97 == 0 { 130 } else { 1 } {
                let [a, b] = [&even, &sized].map(|q| q.enter(now, || 1));
                assert_eq!(a, b, "{n}-th through {capacity} at {now}");
            }
        }
    }
}

#[test]
fn sizes_of_all_kinds_are_counted_as_a_list_counts_them() {
    for capacity in [1, 2, 3, 9, 64] {
        let queue = queue(&Rate::bytes(1e9).unwrap(), capacity);
        let (mut list, mut now) = (Vec::<u64>::new(), 0);
        for n in 0..20_000u64 {
            let draw = Draw::from_bits(n).nth(u64::from(capacity));
            now += draw.nth(1).bits() % 600;
            let size = draw.nth(2).bits() % 1000;
            list.retain(|left| *left > now);
            let want = (list.len() < capacity as usize).then(|| {
                let left = list.last().map_or(now, |last| *last) + size;
                list.push(left);
                left - now
            });
            assert_eq!(queue.enter(now, || size), want, "{n}-th through {capacity}");
        }
    }
}

#[test]
fn only_as_many_places_as_were_needed() {
    let queue = queue(&Rate::bytes(1.0).unwrap(), u32::MAX);
    (0..5).for_each(|_| assert!(queue.enter(0, || 1).is_some()));
    let Queue::Sized { leaving, .. } = &queue else {
        panic!("bytes");
    };
    assert_eq!(leaving.lock().unwrap().times.len(), 8);
}

#[test]
fn the_end_of_time_is_survived() {
    for rate in [Rate::messages, Rate::bytes] {
        let queue = queue(&rate(f64::MIN_POSITIVE).unwrap(), 9);
        assert_eq!(queue.enter(0, || u64::MAX), Some(i64::MAX as u64));
        assert!(queue.enter(u64::MAX, || u64::MAX).is_some());
    }
}

#[test]
fn rates_are_read_with_their_units() {
    for (text, size, takes) in [
        ("200/s", 7, 5 * MS),
        ("1kB/s", 5, 5 * MS),
        ("8 kbit/s", 5, 5 * MS),
        ("1Mbit/s", 125, MS),
        ("0.5MB/s", 500, MS),
    ] {
        let rate: Rate = text.parse().unwrap();
        let enters = queue(&rate, 1).enter(0, || size);
        assert_eq!(enters, Some(takes), "{text}");
        assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate), "{text}");
    }
    for text in [
        "", "5", "/s", "0/s", "-1/s", "NaN/s", "inf/s", "1mbps", "1Kb/s", "1e999B/s",
    ] {
        assert!(text.parse::<Rate>().is_err(), "{text}");
    }
}
