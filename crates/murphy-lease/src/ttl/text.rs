//! [`Ttl`] in a file, and over a wire.

use std::fmt;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Ttl;

impl Serialize for Ttl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let ttl = if from.is_human_readable() {
            from.deserialize_any(Length)?
        } else {
            Duration::deserialize(from)?
        };
        Self::try_new(ttl).map_err(Error::custom)
    }
}

/// Longer than any that is meant.
const LONGEST: usize = 128;

struct Length;

impl<'de> Visitor<'de> for Length {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration, as `10s` or `1m 30s`, or as `{ secs = 10, nanos = 0 }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        if text.len() > LONGEST {
            let long = format!("a duration of more than {LONGEST} characters: write `10s`");
            return Err(E::custom(long));
        }
        humantime::parse_duration(text).map_err(|e| {
            E::custom(format!(
                "`{text}` is no duration ({e}): write `10s`, `1m 30s`"
            ))
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Duration, A::Error> {
        Duration::deserialize(MapAccessDeserializer::new(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Duration, A::Error> {
        Duration::deserialize(SeqAccessDeserializer::new(seq))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::value::SeqDeserializer;

    use super::*;

    fn read(json: &str) -> Result<Ttl, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn a_length_is_read_as_people_write_it_and_as_it_is_written() {
        for (json, want) in [
            (r#""10s""#, Ttl::from_secs(10)),
            (r#""1m 30s""#, Ttl::from_secs(90)),
            (r#""250ms""#, Ttl::from_millis(250)),
            (r#"{"secs":10,"nanos":0}"#, Ttl::from_secs(10)),
            (r#"{"secs":0,"nanos":5000000}"#, Ttl::from_millis(5)),
            ("[10,0]", Ttl::from_secs(10)),
        ] {
            assert_eq!(read(json), Ok(want), "{json}");
        }
    }

    #[test]
    fn what_is_no_length_is_refused_with_what_would_have_been_one() {
        let long = format!("{:?}", "1s ".repeat(50));
        for (json, said) in [
            (
                r#""ten""#,
                "`ten` is no duration (expected number at 0): write `10s`, `1m 30s`",
            ),
            (r#""0s""#, "`ttl = 0ns`: use 1 ms to 24 h; 10 s suits most"),
            (
                r#"{"secs":86401,"nanos":0}"#,
                "`ttl = 86401s`: use 1 ms to 24 h; 10 s suits most",
            ),
            (
                "10",
                "invalid type: integer `10`, expected a duration, as `10s` or `1m 30s`, or as `{ secs = 10, nanos = 0 }`",
            ),
            (&long, "a duration of more than 128 characters: write `10s`"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.starts_with(said), "{json}: {error}");
        }
    }

    /// As a format that does not say what it holds: seconds, and nanoseconds.
    struct Terse([u32; 2]);

    impl<'de> Deserializer<'de> for Terse {
        type Error = serde::de::value::Error;

        fn is_human_readable(&self) -> bool {
            false
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Error::custom("it does not say what it holds"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            _: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            visitor.visit_seq(SeqDeserializer::new(self.0.into_iter()))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    #[test]
    fn a_format_that_is_not_for_people_is_not_asked_what_it_holds() {
        let ttl = Ttl::deserialize(Terse([0, 5_000_000]));
        assert_eq!(ttl, Ok(Ttl::from_millis(5)));
        assert!(Ttl::deserialize(Terse([0, 0])).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(nanos in 1_000_000_u64..=86_400_000_000_000) {
            let ttl = Ttl::try_new(Duration::from_nanos(nanos)).unwrap();
            let json = serde_json::to_string(&ttl).unwrap();
            prop_assert_eq!(read(&json), Ok(ttl));
            let text = humantime::format_duration(ttl.get()).to_string();
            prop_assert_eq!(read(&format!("{text:?}")), Ok(ttl));
        }
    }
}
