//! [`Queue`]: a link that sends one message after the other, at a rate.

#[cfg(test)]
mod tests;

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
