//! [`NodeId`]: the name of whoever gives stamps.

use std::fmt;
use std::str::FromStr;

/// The name of a node, as short as a stamp needs it: 1 to 36 ASCII letters, digits, `-`, `_` and
/// `.`, so that a host name or a UUID fits. It is copied and not allocated.
///
/// No two clocks of a system may have the same one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// Zeros behind the text, so that their order is that of the texts.
    bytes: [u8; Self::LONGEST],
}

/// A text that is no name of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node: `{value}` is not a name of a node: {remedy}")]
pub struct BadNode {
    /// What was given, cut after 64 characters.
    pub value: String,
    /// What would have been right.
    pub remedy: String,
}

impl NodeId {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 36;

    /// A node by its name.
    ///
    /// # Errors
    ///
    /// [`BadNode`] if it is empty, longer than 36 bytes, or has anything else in it.
    pub fn try_new(name: &str) -> Result<Self, BadNode> {
        let bad = |remedy: &str| BadNode {
            value: name.chars().take(64).collect(),
            remedy: remedy.into(),
        };
        if name.is_empty() || name.len() > Self::LONGEST {
            return Err(bad("use 1 to 36 characters"));
        }
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if !name.bytes().all(is_allowed) {
            return Err(bad("use ASCII letters, digits, `-`, `_` and `.`"));
        }
        let mut bytes = [0; Self::LONGEST];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Ok(Self { bytes })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let name = self.bytes.split(|&b| b == 0).next().unwrap_or_default();
        // Checked when it was made: ASCII.
        std::str::from_utf8(name).unwrap_or_default()
    }
}

impl FromStr for NodeId {
    type Err = BadNode;

    fn from_str(name: &str) -> Result<Self, BadNode> {
        Self::try_new(name)
    }
}

impl TryFrom<&str> for NodeId {
    type Error = BadNode;

    fn try_from(name: &str) -> Result<Self, BadNode> {
        Self::try_new(name)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_its_name() {
        for name in ["a", "web-1.eu_west", "0", &"n".repeat(36)] {
            assert_eq!(NodeId::try_new(name).unwrap().as_str(), name);
        }
        let [a, ab, b] = ["a", "ab", "b"].map(|name| NodeId::try_new(name).unwrap());
        assert!(a < ab && ab < b, "in the order of their texts");
    }

    #[test]
    fn what_is_no_name_is_refused_with_a_remedy() {
        for (name, says) in [
            ("", "1 to 36"),
            (&*"n".repeat(37), "1 to 36"),
            ("a@b", "letters"),
            ("a b", "letters"),
            ("naïve", "letters"),
            ("a\0", "letters"),
        ] {
            let e = NodeId::try_new(name).unwrap_err().to_string();
            assert!(e.contains(says), "{name}: {e}");
        }
    }
}
