//! The two functions under every draw. Both are frozen: changing a constant here is a major
//! version, because every seed ever written down would mean something else.

/// 2⁶⁴ / φ, the increment of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
pub(crate) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of SplitMix64 ("variant 13" of Stafford): a bijection on 64 bits in which every
/// input bit reaches every output bit.
#[inline]
#[must_use]
pub const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The hash of a name: FNV-1a (64 bits) over its bytes, then [`mix`].
///
/// Not meant to resist an adversary who chooses names.
#[must_use]
pub const fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut h: u64 = 0xCBF2_9CE4_8422_2325;
    let mut i = 0;
    while i < bytes.len() {
        h = (h ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01B3);
        i += 1;
    }
    mix(h)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finaliser_is_splitmix64s() {
        // First outputs of SplitMix64 seeded with 1234567, as published with the generator.
        let mut state: u64 = 1_234_567;
        let mut next = || {
            state = state.wrapping_add(GOLDEN);
            mix(state)
        };
        assert_eq!(next(), 6_457_827_717_110_365_317);
        assert_eq!(next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn names_differ() {
        assert_ne!(hash_bytes(b""), hash_bytes(b"\0"));
        assert_ne!(hash_bytes(b"a->b"), hash_bytes(b"b->a"));
    }
}
