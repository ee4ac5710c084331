//! [`IdempotencyKey`]: the name of one operation.

use std::fmt;

/// The name of one operation, the same for all its attempts: 128 bits, written as a random UUID
/// (RFC 9562, version 4), which is the form that most servers ask for.
///
/// Six of the bits say that it is one. It is hard to hit upon by accident, and no secret: a server
/// that takes knowing a key for being its owner is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(u128);

impl IdempotencyKey {
    /// A key from its bits, of which six are overwritten: version and variant.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        const VERSION: u128 = 0xF << 76;
        const VARIANT: u128 = 0b11 << 62;
        Self(bits & !VERSION & !VARIANT | 4 << 76 | 0b10 << 62)
    }

    /// All 128 bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |from: u32, digits: u32| self.0 >> from & ((1 << (digits * 4)) - 1);
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 8),
            part(80, 4),
            part(64, 4),
            part(48, 4),
            part(0, 12)
        )
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({self})")
    }
}

#[cfg(feature = "http")]
impl From<IdempotencyKey> for http::HeaderValue {
    fn from(key: IdempotencyKey) -> Self {
        let text = key.to_string();
        let value = Self::from_maybe_shared(bytes::Bytes::from(text));
        value.unwrap_or_else(|_| unreachable!("hexadecimal digits and dashes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_as_a_random_uuid() {
        for (bits, want) in [
            (0, "00000000-0000-4000-8000-000000000000"),
            (u128::MAX, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
            (
                0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
                "01234567-89ab-4def-8123-456789abcdef",
            ),
        ] {
            let key = IdempotencyKey::from_bits(bits);
            assert_eq!(key.to_string(), want);
            assert_eq!(IdempotencyKey::from_bits(key.bits()), key);
        }
    }
}
