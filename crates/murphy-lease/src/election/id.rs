//! [`NodeId`]: who votes, and who stands.

use std::fmt;
use std::str::FromStr;

use crate::{BadName, LockName};

/// The name of a voter or a candidate: 1 to 255 bytes of text without control characters. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct NodeId(LockName);

impl NodeId {
    /// A node by its name.
    ///
    /// # Errors
    ///
    /// [`BadName`] says what is wrong with it: the rules are those of a [`LockName`].
    pub fn try_new(name: &str) -> Result<Self, BadName> {
        LockName::try_new(name).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<&str> for NodeId {
    type Error = BadName;

    fn try_from(name: &str) -> Result<Self, BadName> {
        Self::try_new(name)
    }
}

impl FromStr for NodeId {
    type Err = BadName;

    fn from_str(name: &str) -> Result<Self, BadName> {
        Self::try_new(name)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
