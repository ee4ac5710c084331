//! Logical clocks: what came before what, without asking anybody for the time.
//!
//! An event *happened before* another if it came earlier on one node, or if a message from the one
//! reached the other, or by any chain of those (Lamport, *Time, Clocks, and the Ordering of Events
//! in a Distributed System*, CACM 21(7), 1978). Events without such a chain are *concurrent*: no
//! order between them is wrong, and none is true.
//!
//! | clock | its stamp | a happened before b | concurrent events | reads as a date |
//! |---|---|---|---|---|
//! | [`Lamport`] | [`LamportStamp`], one number | a < b, not conversely | ordered anyhow | no |
//! | [`Hybrid`] | [`HybridStamp`], a time of day and a number | a < b, not conversely | ordered anyhow, mostly by time of day | yes |
//! | [`Vector`] | [`VersionVector`], a number for each node | a < b, and conversely | known as such | no |
//!
//! A stamp is made for each event, by [`tick`](LogicalClock::tick), and for each message that comes
//! in, by [`observe`](LogicalClock::observe). Stamps travel as short texts, which are checked and
//! bounded when they are read. They order honest nodes: a peer that lies about its stamps can
//! hurry the others on, though never back.
//!
//! # Examples
//!
//! ```
//! use murphy_core::order::{Lamport, LogicalClock};
//!
//! let (web, bank) = (Lamport::new("web".parse()?), Lamport::new("bank".parse()?));
//! let asked = web.tick();
//! let on_the_wire = asked.to_string();
//! assert_eq!(on_the_wire, "1@web");
//! let heard = bank.observe(&on_the_wire.parse()?)?;
//! assert!(asked < heard);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod hybrid;
mod lamport;
mod node;
mod text;
mod vector;
mod version;

use std::fmt::Display;
use std::str::FromStr;

pub use self::error::{BadStamp, Refused};
pub use self::hybrid::{Hybrid, HybridStamp};
pub use self::lamport::{Lamport, LamportStamp};
pub use self::node::{BadNode, NodeId};
pub use self::vector::Vector;
pub use self::version::VersionVector;

/// A clock that counts what happened, and hears of what happened elsewhere.
///
/// Implemented by handles: clones are one clock, that of one node, and can be used from any thread.
#[doc(alias = "logical clock")]
#[doc(alias = "DistributedLog")]
pub trait LogicalClock: Send + Sync {
    /// What it gives to events.
    type Stamp: Clone + PartialOrd + Display + FromStr<Err = BadStamp> + Send + Sync + 'static;

    /// The stamp of an event here: something happened, or a message is about to be sent.
    ///
    /// Greater than all that this clock gave or took before.
    fn tick(&self) -> Self::Stamp;

    /// The stamp of receiving a message that brought this one.
    ///
    /// Greater than `remote`, and than all that this clock gave or took before.
    ///
    /// # Errors
    ///
    /// [`Refused`]: it cannot be right, or not be kept. The clock has not moved then.
    fn observe(&self, remote: &Self::Stamp) -> Result<Self::Stamp, Refused>;
}
