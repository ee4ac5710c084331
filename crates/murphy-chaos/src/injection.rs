//! [`Injection`]: one thing that goes wrong in a run, by the name of the place and not by position.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use humantime::format_duration;
use murphy_core::Key;

use crate::kind::Kind;

/// A call, as the fault layers key it: it is the same call in every run, whatever else is added.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId {
    /// The site that it passes.
    pub site: Arc<str>,
    /// Its key; 0 where it has none.
    pub key: Key,
    /// Which passage of the key; of a call without one, its ordinal at the site.
    pub occurrence: u64,
}

/// One thing that goes wrong in a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Injection {
    /// A fault at a call.
    Call {
        /// Which call.
        call: CallId,
        /// What happens to it.
        kind: Kind,
        /// How late, or how much later the copy; `None` where the kind has none.
        magnitude: Option<Duration>,
    },
    /// Something done to a node or to the network.
    Upset {
        /// What.
        what: Upset,
        /// When, after the run began. Whole milliseconds.
        at: Duration,
        /// For how long. Whole milliseconds.
        lasting: Duration,
    },
}

/// What is done to a node or to the network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Upset {
    /// The node stands still.
    Pause(Arc<str>),
    /// The node crashes, and restarts when the time is over.
    Crash(Arc<str>),
    /// The node is cut off from all others.
    Isolate(Arc<str>),
    /// Two nodes are cut off from one another.
    Cut(Arc<str>, Arc<str>),
    /// Messages from the first to the second are lost.
    CutOneway(Arc<str>, Arc<str>),
    /// The time of day of the node's clock is set forward by so many milliseconds, or back.
    Step(Arc<str>, i64),
}

impl Injection {
    /// Whether it only changes the order of things.
    #[must_use]
    pub fn is_nudge(&self) -> bool {
        matches!(self, Self::Call { kind, .. } if kind.is_nudge())
    }

    /// The word for it in coverage tables.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Call { kind, .. } => kind.name(),
            Self::Upset { what, .. } => what.kind(),
        }
    }

    /// Where it strikes: a site, a node or a pair of nodes.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Call { call, .. } => call.site.to_string(),
            Self::Upset { what, .. } => what.place(),
        }
    }

    /// Whether the two strike one call and one of them leaves nothing to the other.
    pub(crate) fn hides(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Call { call, kind, .. },
                Self::Call {
                    call: other,
                    kind: too,
                    ..
                },
            ) => call == other && (kind == too || kind.ends_the_call() || too.ends_the_call()),
            _ => false,
        }
    }
}

impl Upset {
    /// The word for it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Pause(_) => "pause",
            Self::Crash(_) => "crash",
            Self::Isolate(_) => "isolate",
            Self::Cut(..) => "cut",
            Self::CutOneway(..) => "cut-oneway",
            Self::Step(..) => "step",
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Pause(node) | Self::Crash(node) | Self::Isolate(node) | Self::Step(node, _) => {
                node.to_string()
            }
            Self::Cut(a, b) => format!("{a} | {b}"),
            Self::CutOneway(a, b) => format!("{a} -> {b}"),
        }
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            site,
            key,
            occurrence,
        } = self;
        match key.bits() {
            0 => write!(f, "call {occurrence} at {site}"),
            _ => write!(f, "passage {occurrence} of key {key} at {site}"),
        }
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call {
                call,
                kind,
                magnitude,
            } => {
                write!(f, "{kind}: {call}")?;
                match magnitude {
                    Some(by) => write!(f, ", by {}", format_duration(*by)),
                    None => Ok(()),
                }
            }
            Self::Upset { what, at, lasting } => {
                let (at, lasting) = (format_duration(*at), format_duration(*lasting));
                write!(f, "{what} from {at} for {lasting}")
            }
        }
    }
}

impl fmt::Display for Upset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause(node) => write!(f, "pause {node}"),
            Self::Crash(node) => write!(f, "crash {node}"),
            Self::Isolate(node) => write!(f, "isolate {node}"),
            Self::Cut(a, b) => write!(f, "cut {a} | {b}"),
            Self::CutOneway(a, b) => write!(f, "cut {a} -> {b}"),
            Self::Step(node, ms) => write!(f, "set the clock of {node} by {ms} ms"),
        }
    }
}
