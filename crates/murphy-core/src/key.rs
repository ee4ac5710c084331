//! [`Key`]: which operation a call belongs to.

use std::fmt;

use crate::hash::{GOLDEN, hash_bytes, mix};

/// The identity of an operation: an order number, a user, a trace id.
///
/// Calls with the same key share their fate across schedules and threads; the *occurrence* tells
/// the first attempt from the second. Text and bytes are hashed ([`hash_bytes`]), integers are
/// taken as they are, of a `u128` and of a pair the two halves are mixed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

impl Key {
    /// A key from its 64 bits.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// The 64 bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:#x})", self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl From<u64> for Key {
    fn from(bits: u64) -> Self {
        Self(bits)
    }
}

impl From<u32> for Key {
    fn from(bits: u32) -> Self {
        Self(u64::from(bits))
    }
}

impl From<u16> for Key {
    fn from(bits: u16) -> Self {
        Self(u64::from(bits))
    }
}

/// The same 64 bits: a negative number has a key too.
impl From<i64> for Key {
    fn from(number: i64) -> Self {
        Self(number as u64)
    }
}

impl From<usize> for Key {
    fn from(bits: usize) -> Self {
        Self(bits as u64)
    }
}

impl From<u128> for Key {
    fn from(bits: u128) -> Self {
        Self(mix((bits >> 64) as u64 ^ GOLDEN) ^ bits as u64)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(hash_bytes(text.as_bytes()))
    }
}

impl From<&String> for Key {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        Self(hash_bytes(bytes))
    }
}

/// An actor and its n-th operation.
impl<A: Into<Key>, B: Into<Key>> From<(A, B)> for Key {
    fn from((actor, operation): (A, B)) -> Self {
        let actor = mix(actor.into().0.wrapping_add(GOLDEN));
        Self(mix(actor ^ operation.into().0))
    }
}
