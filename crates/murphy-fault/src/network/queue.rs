//! [`Queue`]: a link that sends one message after the other, at a rate.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// How fast a link sends.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Rate {
    /// So many messages a second, whatever their size.
    Messages(PerSecond),
    /// So many bytes a second. Needs a sizer ([`sizing`](crate::FaultLayer::sizing)).
    Bytes(PerSecond),
}

/// A positive, finite number a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct PerSecond(f64);

/// What is no rate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`rate` is `{value}`: {remedy}")]
pub struct BadRate {
    /// The value found.
    pub value: String,
    /// What would be right.
    pub remedy: &'static str,
}

const POSITIVE: &str = "a rate is finite and greater than zero; for a link that carries nothing, \
                        cut it";

impl PerSecond {
    /// So many a second.
    ///
    /// # Errors
    ///
    /// [`BadRate`] unless it is finite and positive.
    pub fn try_new(n: f64) -> Result<Self, BadRate> {
        if n.is_finite() && n > 0.0 {
            Ok(Self(n))
        } else {
            Err(BadRate {
                value: n.to_string(),
                remedy: POSITIVE,
            })
        }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// How many nanoseconds the link is busy with each.
    fn nanos_each(self) -> f64 {
        1e9 / self.0
    }
}

impl Rate {
    /// So many messages a second.
    ///
    /// # Errors
    ///
    /// [`BadRate`] unless it is finite and positive.
    pub fn messages(per_second: f64) -> Result<Self, BadRate> {
        PerSecond::try_new(per_second).map(Self::Messages)
    }

    /// So many bytes a second. A byte has eight bits: 1 Mbit/s is 125,000.
    ///
    /// # Errors
    ///
    /// [`BadRate`] unless it is finite and positive.
    pub fn bytes(per_second: f64) -> Result<Self, BadRate> {
        PerSecond::try_new(per_second).map(Self::Bytes)
    }
}

/// `200/s`, `125 kB/s`, `1 Mbit/s`: decimal units, bits and bytes told apart.
impl std::str::FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let bad = || BadRate {
            value: text.chars().take(64).collect(),
            remedy: "write it as `200/s` (messages), `125kB/s` (bytes) or `1Mbit/s` (bits; units are decimal)",
        };
        let amount = text.trim().strip_suffix("/s").ok_or_else(bad)?;
        let digits = amount.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: f64 = digits.trim().parse().map_err(|_| bad())?;
        let (scale, messages) = match &amount[digits.len()..] {
            "" => (1.0, true),
            "B" => (1.0, false),
            "kB" => (1e3, false),
            "MB" => (1e6, false),
            "GB" => (1e9, false),
            "bit" => (0.125, false),
            "kbit" => (125.0, false),
            "Mbit" => (125e3, false),
            "Gbit" => (125e6, false),
            _ => return Err(bad()),
        };
        let rate = PerSecond::try_new(number * scale).map_err(|e| BadRate {
            value: text.chars().take(64).collect(),
            ..e
        })?;
        Ok(if messages {
            Self::Messages(rate)
        } else {
            Self::Bytes(rate)
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Messages(rate) => write!(f, "{}/s", rate.0),
            Self::Bytes(rate) => write!(f, "{}B/s", rate.0),
        }
    }
}

/// Who is on the link, and until when. Told the time, it decides at once; nobody waits in it.
///
/// A message that was let in is sent, whether or not its sender still waits: a queue of a switch
/// does not know that somebody hung up. Times are nanoseconds after arming.
#[derive(Debug)]
pub(crate) enum Queue {
    /// All messages take equally long, so that when the last has left says how many there are.
    Even {
        busy_until: AtomicU64,
        takes: u64,
        /// What a full queue, less one, takes.
        others: u64,
    },
    Sized {
        nanos_a_byte: f64,
        leaving: Mutex<Leaving>,
    },
}

/// When each message in a queue will have left: a ring, of which no more was made than was needed.
#[derive(Debug)]
pub(crate) struct Leaving {
    times: Vec<u64>,
    /// Where the oldest is, which makes room for the next.
    oldest: usize,
    last: u64,
    capacity: usize,
}

impl Queue {
    /// An empty one.
    pub(crate) fn new(rate: &Rate, capacity: NonZeroU32) -> Self {
        match rate {
            Rate::Messages(rate) => {
                let takes = nearest(rate.nanos_each());
                Self::Even {
                    busy_until: AtomicU64::new(0),
                    takes,
                    others: u64::from(capacity.get() - 1).saturating_mul(takes),
                }
            }
            Rate::Bytes(rate) => Self::Sized {
                nanos_a_byte: rate.nanos_each(),
                leaving: Mutex::new(Leaving {
                    times: vec![0],
                    oldest: 0,
                    last: 0,
                    capacity: capacity.get() as usize,
                }),
            },
        }
    }

    /// Lets a message in: how long until it has left, or nothing if there are as many in it already
    /// as it holds.
    #[inline]
    pub(crate) fn enter(&self, now: u64, size: impl FnOnce() -> u64) -> Option<u64> {
        match self {
            Self::Even {
                busy_until,
                takes,
                others,
            } => {
                let mut busy = busy_until.load(Relaxed);
                loop {
                    let waits = busy.saturating_sub(now);
                    // Each of those before it has left less than `takes` after the one before.
                    if waits > *others {
                        return None;
                    }
                    let stays = waits.saturating_add(*takes);
                    let left = now.saturating_add(stays);
                    match busy_until.compare_exchange_weak(busy, left, Relaxed, Relaxed) {
                        Ok(_) => return Some(stays),
                        Err(moved) => busy = moved,
                    }
                }
            }
            Self::Sized {
                nanos_a_byte,
                leaving,
            } => {
                // Signed numbers are converted in one instruction; nothing is as large as their end.
                let size = size().min(i64::MAX as u64) as i64;
                let takes = nearest(size as f64 * nanos_a_byte);
                let mut leaving = leaving.lock().unwrap_or_else(PoisonError::into_inner);
                leaving.enter(now, takes)
            }
        }
    }
}

/// Nanoseconds, to the nearest and 292 years at most.
fn nearest(nanos: f64) -> u64 {
    (nanos + 0.5) as i64 as u64
}

impl Leaving {
    /// It is full if the oldest of as many messages as it holds has not left. The ring grows only
    /// while that is so.
    #[inline]
    fn enter(&mut self, now: u64, takes: u64) -> Option<u64> {
        if *self.times.get(self.oldest)? > now && !self.grow() {
            return None;
        }
        let stays = self.last.saturating_sub(now).saturating_add(takes);
        self.last = now.saturating_add(stays);
        *self.times.get_mut(self.oldest)? = self.last;
        self.oldest += 1;
        if self.oldest == self.times.len() {
            self.oldest = 0;
        }
        Some(stays)
    }

    /// Makes as many places again, where the next goes.
    #[cold]
    fn grow(&mut self) -> bool {
        let places = self.times.len();
        let grows = places < self.capacity;
        if grows {
            self.times.rotate_left(self.oldest);
            self.times.resize((2 * places).min(self.capacity), 0);
            self.oldest = places;
        }
        grows
    }
}

#[cfg(test)]
mod tests {
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
}
