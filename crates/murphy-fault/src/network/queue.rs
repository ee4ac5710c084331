//! [`Queue`]: a link that sends one message after the other, at a rate.

use std::collections::VecDeque;
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

    /// As [`takes`](Self::takes), where that is the same for all messages.
    pub(crate) fn takes_always(&self) -> Option<u64> {
        matches!(self, Self::Messages(_)).then(|| self.takes(0))
    }

    /// How many nanoseconds the link is busy with a message of `size` bytes: to the nearest, and 584
    /// years at most, as everything here.
    pub(crate) fn takes(&self, size: u64) -> u64 {
        let (amount, rate) = match self {
            Self::Messages(rate) => (1.0, rate),
            Self::Bytes(rate) => (size as f64, rate),
        };
        (amount / rate.0 * 1e9 + 0.5) as u64
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
    Even { busy_until: AtomicU64 },
    /// When each message in it will have left, in order.
    Sized(Mutex<VecDeque<u64>>),
}

impl Queue {
    /// An empty one.
    pub(crate) fn new(rate: &Rate) -> Self {
        match rate {
            Rate::Messages(_) => Self::Even {
                busy_until: AtomicU64::new(0),
            },
            Rate::Bytes(_) => Self::Sized(Mutex::default()),
        }
    }

    /// Lets a message in that keeps the link busy for `takes`: how long until it has left, or
    /// nothing if there are `capacity` in it already.
    #[inline]
    pub(crate) fn enter(&self, now: u64, takes: u64, capacity: NonZeroU32) -> Option<u64> {
        match self {
            Self::Even { busy_until } => {
                let others = u64::from(capacity.get() - 1).saturating_mul(takes);
                let mut busy = busy_until.load(Relaxed);
                loop {
                    // Each of those before it has left less than `takes` after the one before.
                    if busy.saturating_sub(now) > others {
                        return None;
                    }
                    let left = busy.max(now).saturating_add(takes);
                    match busy_until.compare_exchange_weak(busy, left, Relaxed, Relaxed) {
                        Ok(_) => return Some(left - now),
                        Err(moved) => busy = moved,
                    }
                }
            }
            Self::Sized(leaving) => enter_sized(leaving, now, takes, capacity),
        }
    }
}

fn enter_sized(
    leaving: &Mutex<VecDeque<u64>>,
    now: u64,
    takes: u64,
    capacity: NonZeroU32,
) -> Option<u64> {
    let mut leaving = leaving.lock().unwrap_or_else(PoisonError::into_inner);
    while leaving.front().is_some_and(|left| *left <= now) {
        leaving.pop_front();
    }
    if leaving.len() >= capacity.get() as usize {
        return None;
    }
    let begins = leaving.back().map_or(now, |last| (*last).max(now));
    let left = begins.saturating_add(takes);
    leaving.push_back(left);
    Some(left - now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use murphy_core::Draw;

    const MS: u64 = 1_000_000;

    /// One of each kind, which must be of one mind where all messages are equal.
    fn both() -> [Queue; 2] {
        let rate = PerSecond(1.0);
        [Rate::Messages(rate), Rate::Bytes(rate)].map(|rate| Queue::new(&rate))
    }

    fn places(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn one_after_the_other() {
        for queue in both() {
            for (now, left) in [(1, 10), (1, 20), (6, 25)] {
                assert_eq!(queue.enter(now * MS, 10 * MS, places(3)), Some(left * MS));
            }
        }
    }

    #[test]
    fn a_full_queue_drops_its_tail_and_forgets_nobody_in_it() {
        for queue in both() {
            for _ in 0..3 {
                assert!(queue.enter(MS, 10 * MS, places(3)).is_some());
            }
            assert_eq!(queue.enter(MS, 10 * MS, places(3)), None);
            assert_eq!(queue.enter(10 * MS, 10 * MS, places(3)), None);
            // The first has left at 11 ms.
            assert_eq!(queue.enter(11 * MS, 10 * MS, places(3)), Some(30 * MS));
        }
    }

    #[test]
    fn an_idle_link_has_no_past() {
        for queue in both() {
            queue.enter(MS, MS, places(1));
            assert_eq!(queue.enter(1000 * MS, 5 * MS, places(1)), Some(5 * MS));
        }
    }

    #[test]
    fn it_is_never_ahead_of_its_rate_nor_idle_with_work() {
        // Busy without a gap: the n-th has left after n times what one takes.
        for queue in both() {
            for n in 1..1000 {
                assert_eq!(queue.enter(0, 3 * MS, places(4096)), Some(3 * MS * n));
            }
        }
    }

    #[test]
    fn large_messages_keep_small_ones_waiting() {
        let queue = Queue::Sized(Mutex::default());
        assert_eq!(queue.enter(0, 100 * MS, places(3)), Some(100 * MS));
        assert_eq!(queue.enter(0, MS, places(3)), Some(101 * MS));
        assert_eq!(queue.enter(100 * MS, MS, places(2)), Some(2 * MS));
        assert_eq!(queue.enter(100 * MS, MS, places(2)), None);
    }

    #[test]
    fn equal_messages_are_counted_by_time_as_well_as_by_name() {
        let mut now = 0;
        for capacity in [1, 2, 7] {
            let [even, sized] = both();
            for n in 0..10_000u64 {
                now += Draw::from_bits(n).nth(u64::from(capacity)).bits() % (9 * MS);
                let [a, b] = [&even, &sized].map(|q| q.enter(now, 4 * MS, places(capacity)));
                assert_eq!(a, b, "{n}-th through {capacity} at {now}");
            }
        }
    }

    #[test]
    fn the_end_of_time_is_survived() {
        for queue in both() {
            assert_eq!(queue.enter(0, u64::MAX, places(9)), Some(u64::MAX));
            assert!(queue.enter(u64::MAX, u64::MAX, places(9)).is_some());
        }
        let slow = Rate::bytes(f64::MIN_POSITIVE).unwrap();
        assert_eq!(slow.takes(u64::MAX), u64::MAX);
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
            assert_eq!(rate.takes(size), takes, "{text}");
            assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate), "{text}");
        }
        for text in [
            "", "5", "/s", "0/s", "-1/s", "NaN/s", "inf/s", "1mbps", "1Kb/s", "1e999B/s",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
