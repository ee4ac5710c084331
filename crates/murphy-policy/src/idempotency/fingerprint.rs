//! [`Fingerprint`]: what tells one payload from another.

use http::request::Parts;

/// What a request asks for, in 128 bits: the method, path and query, and the bytes of the body.
///
/// FNV-1a over these, each with its length before it. Headers are left out: a repeat may have come
/// another way, with another trace. It tells a caller's mistake; a caller who looks for two
/// requests that have the same one finds them, and fools himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    pub(super) fn of(parts: &Parts, body: &[u8]) -> Self {
        let target = parts.uri.path_and_query();
        let target = target.map_or("", |target| target.as_str());
        let fields = [parts.method.as_str().as_bytes(), target.as_bytes(), body];
        let eat = |hash: u128, bytes: &[u8]| bytes.iter().fold(hash, step);
        Self(fields.iter().fold(OFFSET, |hash, field| {
            let length = (field.len() as u64).to_be_bytes();
            eat(eat(hash, &length), field)
        }))
    }

    /// A fingerprint from its bits, for stores.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// All 128 bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = (1 << 88) + 0x13b;

fn step(hash: u128, byte: &u8) -> u128 {
    (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http::Request;

    use super::*;

    fn of(method: &str, uri: &str, body: &str) -> Fingerprint {
        let request = Request::builder().method(method).uri(uri).body(());
        Fingerprint::of(&request.expect("a request").into_parts().0, body.as_bytes())
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // As published with the function: of no bytes, and of "a".
        assert_eq!(OFFSET, 144_066_263_297_769_815_596_495_629_667_062_367_629);
        assert_eq!(
            step(OFFSET, &b'a'),
            0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964
        );
    }

    #[test]
    fn another_payload_has_another() {
        let asks = [
            ("POST", "/pay", "17"),
            ("PATCH", "/pay", "17"),
            ("POST", "/pay?", "17"),
            ("POST", "/pay?a", "17"),
            ("POST", "/pay1", "7"),
            ("POST", "/pay", "18"),
            ("POST", "/pay", ""),
        ];
        let all: HashSet<_> = asks.iter().map(|(m, u, b)| of(m, u, b)).collect();
        assert_eq!(all.len(), asks.len());
        assert_eq!(of("POST", "/pay", "17"), of("POST", "/pay", "17"));
        // The host is how it came, not what it asks for.
        assert_eq!(of("POST", "http://a/pay", ""), of("POST", "/pay", ""));
    }
}
