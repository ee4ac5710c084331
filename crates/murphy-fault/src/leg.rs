//! [`Leg`]: which way a message travels.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two legs of a call.
///
/// ```text
/// caller ──request leg──▶ service
/// caller ◀──reply leg──── service
/// ```
///
/// A lost request never happened. A lost reply did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// From the caller to the service.
    Request,
    /// From the service to the caller.
    Reply,
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Reply => "reply",
        })
    }
}
