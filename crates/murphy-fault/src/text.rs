//! How keys, seeds, durations and probabilities are written in plans and ledgers.

use std::time::Duration;

use murphy_core::{Key, Seed};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// `0x…`: JSON and TOML numbers do not hold 64 bits everywhere.
pub(crate) mod key {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(key: &Key, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:#x}", key.bits()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Key, D::Error> {
        seed::deserialize(from).map(|seed| Key::new(seed.bits()))
    }
}

/// As a key.
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
