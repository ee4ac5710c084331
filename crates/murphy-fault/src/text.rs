//! How keys, seeds, durations and probabilities are written in plans and ledgers.

use std::fmt;
use std::time::Duration;

use murphy_core::{Key, Seed};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

/// `0x…`: JSON and TOML numbers do not hold 64 bits everywhere.
pub(crate) mod key {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(key: &Key, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:#x}", key.bits()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Key, D::Error> {
        from.deserialize_any(Written)
    }

    /// A number, or a text: `0x2a` is the number, any other text has the key that its hash gives.
    struct Written;

    impl Visitor<'_> for Written {
        type Value = Key;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a key: a number, `\"0x2a\"`, or a text such as `\"order-17\"`")
        }

        fn visit_u64<E: Error>(self, bits: u64) -> Result<Key, E> {
            Ok(bits.into())
        }

        fn visit_i64<E: Error>(self, bits: i64) -> Result<Key, E> {
            Ok(bits.into())
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
            match text
                .strip_prefix("0x")
                .map(|hex| u64::from_str_radix(hex, 16))
            {
                Some(Ok(bits)) => Ok(bits.into()),
                Some(Err(_)) => Err(E::invalid_value(Unexpected::Str(text), &self)),
                None => Ok(text.into()),
            }
        }
    }
}

/// `0x…`, as a key is.
pub(crate) mod seed {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(seed: &Seed, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(seed)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Seed, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Whole nanoseconds, saturating at 2⁶⁴−1 (584 years).
pub(crate) mod nanos {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(d: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}

/// As `nanos`, or nothing.
pub(crate) mod maybe_nanos {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(d: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match d {
            Some(d) => nanos::serialize(d, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_nanos))
    }
}
