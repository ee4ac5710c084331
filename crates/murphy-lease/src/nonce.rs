//! [`Nonce`]: whose grant it is.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use murphy_core::{Key, Seed, mix};

/// Which attempt to acquire: 128 bits that no two share.
///
/// One is drawn for each `acquire`, and all its repetitions carry it, so that a reply that was lost is asked for again and
/// not taken for a rival's. Whoever knows it can release the lease: stores do not show it to others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(u128);

/// Where nonces come from: two seeds and a count.
#[derive(Debug)]
pub(crate) struct Nonces {
    /// Of the half that jitter and logs show.
    high: Seed,
    /// Of the half that no other client has: always the system's entropy.
    low: Seed,
    drawn: std::sync::atomic::AtomicU64,
}

impl Nonce {
    /// A nonce from its bits, as they came over a wire or out of a file.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// As it is written.
    pub(crate) fn hex(self) -> [u8; 32] {
        let digit = |four: u8| b"0123456789abcdef"[usize::from(four & 15)];
        let mut digits = [0; 32];
        for (two, byte) in digits.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            two.copy_from_slice(&[digit(byte >> 4), digit(byte)]);
        }
        digits
    }

    /// By what chance tells it from others: its upper half, which is the same again under one seed. One that was made by hand may
    /// have none: then the lower.
    pub(crate) const fn key(self) -> Key {
        let (high, low) = ((self.0 >> 64) as u64, self.0 as u64);
        Key::new(if high == 0 { low } else { high })
    }
}

impl Nonces {
    /// From the system's entropy.
    pub(crate) fn fresh() -> Self {
        Self::from_seeds(Seed::fresh(), Seed::fresh())
    }

    /// The same [keys](Nonce::key) each time, and never the same nonces: two clients of one seed would take each other's
    /// grants for their own, and both hold the lock.
    pub(crate) fn seeded(seed: Seed) -> Self {
        Self::from_seeds(seed, Seed::fresh())
    }

    const fn from_seeds(high: Seed, low: Seed) -> Self {
        let drawn = std::sync::atomic::AtomicU64::new(0);
        Self { high, low, drawn }
    }

    pub(crate) fn draw(&self) -> Nonce {
        let n = self
            .drawn
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let half = |seed: Seed| u128::from(mix(mix(seed.bits()).wrapping_add(mix(n))));
        Nonce(half(self.high) << 64 | half(self.low))
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the standard library pads, it pads a character at a time.
        f.write_str(std::str::from_utf8(&self.hex()).map_err(|_| fmt::Error)?)
    }
}

/// Its first eight digits: enough to tell two apart in a log, too few to release a lease with.
impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({:08x}..)", self.0 >> 96)
    }
}

impl FromStr for Nonce {
    type Err = ParseIntError;

    /// Of one to 32 hexadecimal digits, without a sign.
    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        // A sign is no digit: have the parser say so.
        let text = if text.starts_with('+') { "+" } else { text };
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// As text: JSON has no number for it.
#[cfg(feature = "serde")]
impl serde::Serialize for Nonce {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Nonce {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        for bits in [0, 7, u128::MAX] {
            let nonce = Nonce::from_bits(bits);
            assert_eq!(nonce.to_string().parse(), Ok(nonce));
        }
        for text in ["", "+1", "-1", "g", "100000000000000000000000000000000"] {
            assert!(text.parse::<Nonce>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_two_are_the_same() {
        let drawn = |nonces: Nonces| (0..1000).map(|_| nonces.draw()).collect::<Vec<_>>();
        let all: std::collections::BTreeSet<_> = [drawn(Nonces::fresh()), drawn(Nonces::fresh())]
            .concat()
            .into_iter()
            .collect();
        assert_eq!(all.len(), 2000);
    }

    #[test]
    fn two_of_one_seed_share_keys_and_no_nonce() {
        let [one, two] = [(); 2].map(|()| Nonces::seeded(Seed::new(7)));
        for _ in 0..1000 {
            let (one, two) = (one.draw(), two.draw());
            assert_eq!(one.key(), two.key());
            assert_ne!(one, two);
            // What a log shows repeats too.
            assert_eq!(format!("{one:?}"), format!("{two:?}"));
        }
        let keys = [7, 8, 7 << 64].map(|bits| Nonce::from_bits(bits).key());
        assert_ne!(keys[0], keys[1], "those that were made by hand differ");
        assert_eq!(keys[2], Key::new(7));
    }

    #[test]
    fn a_log_does_not_hold_enough_to_release_a_lease() {
        assert_eq!(
            format!("{:?}", Nonce::from_bits(u128::MAX)),
            "Nonce(ffffffff..)"
        );
    }
}
