//! The keyed draw: chance as a pure function of names.
//!
//! ```text
//! stream = mix(mix(mix(mix(seed + φ) ^ hash(site)) ^ hash(fault)) ^ lane)
//! point  = mix(mix(key + φ) ^ occurrence)
//! draw   = mix(stream ^ point)
//! ```
//!
//! `mix` is SplitMix64's finaliser, `hash` is FNV-1a and `mix`, `φ` is 2⁶⁴ over the golden ratio,
//! sums wrap. The formula is a promise; `tests/vectors.rs` freezes it.

use crate::hash::{GOLDEN, hash_bytes, mix};
use crate::{Key, Probability, Seed};

/// One question that a fault asks of chance. Each has its own stream, so that asking one more
/// question never moves the answer to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
#[non_exhaustive]
pub enum Lane {
    /// Does it fire?
    Fires = 1,
    /// How much: how long, how many?
    Magnitude = 2,
    /// Is the site active in this run at all?
    Active = 3,
    /// The state of a burst.
    Burst = 4,
    /// How a copy differs from the original.
    Copy = 5,
    /// What a typed hook does to a request or a reply.
    Alter = 6,
    /// How long a caller waits before its next attempt.
    Jitter = 7,
}

/// The draws of one lane of one fault at one site under one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(u64);

impl Stream {
    /// Premixes what does not change from call to call.
    #[must_use]
    pub const fn new(seed: Seed, site: &str, fault: &str, lane: Lane) -> Self {
        let h = mix(seed.bits().wrapping_add(GOLDEN));
        let h = mix(h ^ hash_bytes(site.as_bytes()));
        let h = mix(h ^ hash_bytes(fault.as_bytes()));
        Self(mix(h ^ lane as u64))
    }

    /// The draw at a point.
    #[inline]
    #[must_use]
    pub const fn at(self, point: Point) -> Draw {
        Draw(mix(self.0 ^ point.0))
    }
}

/// A key and an occurrence, mixed once for all the faults that look at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point(u64);

impl Point {
    /// The `occurrence`-th passage of `key` (0 is the first).
    #[inline]
    #[must_use]
    pub const fn keyed(key: Key, occurrence: u64) -> Self {
        Self(mix(mix(key.bits().wrapping_add(GOLDEN)) ^ occurrence))
    }

    /// The `ordinal`-th call of a site whose calls have no key: key 0.
    #[inline]
    #[must_use]
    pub const fn positional(ordinal: u64) -> Self {
        Self::keyed(Key::new(0), ordinal)
    }
}

/// 64 random-looking bits that are always the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draw(u64);

impl Draw {
    /// A draw from its bits, for tests and for tables.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// All 64 bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The top 53 bits as a number in `[0, 1)`.
    #[inline]
    #[must_use]
    pub const fn unit(self) -> f64 {
        (self.0 >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Whether `unit() < p`. A larger `p` never loses a hit.
    #[inline]
    #[must_use]
    pub const fn hits(self, p: Probability) -> bool {
        (self.0 >> 11) < p.threshold()
    }

    /// A further draw, for the `n`-th copy of one thing.
    #[must_use]
    pub const fn nth(self, n: u64) -> Self {
        Self(mix(self.0 ^ mix(n.wrapping_add(GOLDEN))))
    }
}
