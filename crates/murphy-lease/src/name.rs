//! [`LockName`]: what is leased.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a lock: 1 to 255 bytes of text without control characters. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockName(Arc<str>);

/// Text that cannot name a lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// There is none.
    #[error("a lock's name is empty: give it at least one character")]
    Empty,
    /// Too long for a header, and for some stores.
    #[error("a lock's name has {length} bytes: use at most {max}", max = LockName::MAX_BYTES)]
    Long {
        /// How long it is.
        length: usize,
    },
    /// A line break, say, which would end a header.
    #[error("a lock's name has the control character {control:?} at byte {at}: leave it out")]
    Control {
        /// Which.
        control: char,
        /// Where.
        at: usize,
    },
}

impl LockName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// A lock by its name.
    ///
    /// # Errors
    ///
    /// [`BadName`] says what is wrong with it.
    pub fn try_new(name: &str) -> Result<Self, BadName> {
        let length = name.len();
        match name.char_indices().find(|(_, c)| c.is_control()) {
            _ if name.is_empty() => Err(BadName::Empty),
            _ if length > Self::MAX_BYTES => Err(BadName::Long { length }),
            Some((at, control)) => Err(BadName::Control { control, at }),
            None => Ok(Self(name.into())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for LockName {
    type Error = BadName;

    fn try_from(name: &str) -> Result<Self, BadName> {
        Self::try_new(name)
    }
}

impl TryFrom<String> for LockName {
    type Error = BadName;

    fn try_from(name: String) -> Result<Self, BadName> {
        Self::try_new(&name)
    }
}

impl TryFrom<&String> for LockName {
    type Error = BadName;

    fn try_from(name: &String) -> Result<Self, BadName> {
        Self::try_new(name)
    }
}

impl From<&LockName> for LockName {
    fn from(name: &LockName) -> Self {
        name.clone()
    }
}

/// What is a name already, is not a bad one.
impl From<Infallible> for BadName {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl FromStr for LockName {
    type Err = BadName;

    fn from_str(name: &str) -> Result<Self, BadName> {
        Self::try_new(name)
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for LockName {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for LockName {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Self::try_new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        let long = "x".repeat(256);
        for (text, said) in [
            ("", "a lock's name is empty: give it at least one character"),
            (&long, "a lock's name has 256 bytes: use at most 255"),
            (
                "a\nb",
                "a lock's name has the control character '\\n' at byte 1: leave it out",
            ),
        ] {
            assert_eq!(LockName::try_new(text).unwrap_err().to_string(), said);
        }
        for text in ["orders", "orders/17", "Füße; era=1", "%"] {
            assert_eq!(LockName::try_new(text).unwrap().as_str(), text);
        }
    }
}
