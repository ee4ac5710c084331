//! Values that may be written in more than one way. Not untagged enums: those cannot say what is
//! wrong.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::Number;
use super::duration::{Shaped, Span, Spread};

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a text such as `\"5%\"` or `\"0x2a\"`")
            }

            fn visit_i64<E: Error>(self, n: i64) -> Result<Number, E> {
                Ok(Number::Whole(n))
            }

            fn visit_u64<E: Error>(self, n: u64) -> Result<Number, E> {
                Ok(i64::try_from(n).map_or(Number::Text(n.to_string()), Number::Whole))
            }

            fn visit_f64<E: Error>(self, x: f64) -> Result<Number, E> {
                Ok(Number::Real(x))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                Ok(Number::Text(text.to_owned()))
            }
        }

        from.deserialize_any(Written)
    }
}

impl<'de> Deserialize<'de> for Spread {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Spread;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a duration such as `\"40ms\"`, or a distribution such as `{ exponential = { mean = \"40ms\" } }`",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Spread, E> {
                Ok(Spread::Fixed(Span::from(text)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Spread, A::Error> {
                Shaped::deserialize(MapAccessDeserializer::new(map))
                    .map(|s| Spread::Shaped(Box::new(s)))
            }
        }

        from.deserialize_any(Written)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, such as `\"2s\"` or `\"1s 500ms\"`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                Ok(Span::from(text))
            }
        }

        from.deserialize_any(Written)
    }
}
