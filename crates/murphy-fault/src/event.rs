//! [`Event`]: something that was done to the network or to a node, and so to many calls.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text;

/// One thing that was done to the network, to a node or to its clock. In a ledger, beside the
/// [`Record`](crate::Record)s of the calls that a cut or a hold met. (Calls that a pause delays or a crash
/// takes have none: they are the node's work, and no leg of a call.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When, after arming.
    #[serde(with = "text::nanos", rename = "event_at_ns")]
    pub at: Duration,
    /// What was done.
    pub verb: Verb,
    /// To whom: a node, or links as `a, b -> c`.
    pub whom: String,
}

/// What can be done to the network, to a node or to its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verb {
    /// Links were cut: their messages are lost.
    Partition,
    /// A cut was mended.
    Heal,
    /// Links hold their messages.
    Hold,
    /// What was held is let go.
    Release,
    /// A node stands still.
    Pause,
    /// It goes on.
    Resume,
    /// A node lost everything that is not durable.
    Crash,
    /// It is back, with a new incarnation.
    Restart,
    /// A node's clock was bent.
    Clock,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Partition => "partition",
            Self::Heal => "heal",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Crash => "crash",
            Self::Restart => "restart",
            Self::Clock => "clock",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.whom)
    }
}

/// The world is left alone: no run is on.
///
/// Networks and nodes are disturbed only while their [`Chaos`](crate::Chaos) is armed, so that a
/// time limit stands behind every disturbance and a ledger before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no run is on: arm the chaos first, as `chaos.arm(&Plan::new(), limit)`")]
pub struct NotArmed;
