//! What came in over a wire, or from a disk.

use serde::{Deserialize, Deserializer};

/// An option that has to be there, if only to say that there is nothing: what was cut off or misspelt is an error, and
/// not a vote that was never given.
pub(crate) fn present<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(from)
}
