//! Quorums: ask many, decide once.
//!
//! [`Round`] is pure: told what became of each member, in any order, it says
//! as early as it is known whether it is decided, and whether it can still be. [`Quorum`] is a tower service
//! around it: one request to many services.
//!
//! | | what it is |
//! |---|---|
//! | [`Threshold`], [`Weighted`], [`Joint`] | which members are enough |
//! | [`ReadWrite`], [`Flexible`], [`Eventual`] | pairs of them that have to meet, and those that need not |
//! | [`Newest`], [`Matching`], [`Dissemination`], [`Masking`] | and which of their replies is the answer |
//! | [`Round`] | one question, and what became of it |
//! | [`Quorum`] | one request to many services, and one answer; what becomes of those who are late |
//! | [`Register`] | one value on many replicas, read and written by majorities |
//! | [`Ballot`], [`Voter`] | votes for a leader, one a term |
//!
//! *No* is not *unknown*. A member that refused will not have done it; one that was silent until its
//! time was up may have. Both are no yes, so both make a quorum impossible; but whoever gives up
//! has to undo at the second.
//!
//! # Events
//!
//! Target `murphy::quorum`; with the feature `metrics` each has a counter, with the label `site`.
//!
//! | name | level | when | fields | counter |
//! |---|---|---|---|---|
//! | `quorum.impossible` | warn, or debug where it is [quiet](Quorum::quiet) | there will be no quorum | `site`, `why` | `murphy_quorum_impossible_total` |
//! | `quorum.hedged` | debug | one more member is asked | `site`, `member` | `murphy_quorum_hedges_total` |
//! | `quorum.straggler_dropped` | warn | no room for one that is late | `site` | `murphy_quorum_stragglers_dropped_total` |
//! | `quorum.undone` | debug | a grant was taken back | `site`, `member`, `attempts` | `murphy_quorum_undone_total` |
//! | `quorum.not_undone` | error | a grant may be left behind | `site`, `member`, `attempts` | `murphy_quorum_not_undone_total` |
//!
//! # Spans
//!
//! `quorum.call` (debug; `site`, `member`): what one member is readied and called in, from when it is asked until it has
//! answered or is dropped.
//!
//! # Features
//!
//! `metrics`: the counters above. `serde`: what registers and voters ask, answer and keep, over a wire or on a disk
//! ([`register::Ask`], [`register::Versioned`], [`register::Stored`], [`Persisted`], [`Refusal`]).
//!
//! # Examples
//!
//! ```
//! use murphy_quorum::{Outcome, Round, Threshold, Verdict};
//!
//! let mut round = Round::new(Threshold::majority(5)?);
//! assert_eq!(round.on(0, Outcome::Yes(()))?, Verdict::Pending);
//! assert_eq!(round.on(3, Outcome::No)?, Verdict::Pending);
//! assert_eq!(round.on(1, Outcome::Unknown)?, Verdict::Pending);
//! let Verdict::Impossible(why) = round.on(4, Outcome::No)? else { panic!() };
//! assert_eq!(why.to_string(), "impossible: 3 of 5 needed, 2 reachable; no: 2, silent: 1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ballot;
mod error;
mod members;
pub mod register;
mod round;
mod rule;
pub mod service;
mod set;
mod system;
mod tally;
mod verdict;
mod voter;
#[cfg(feature = "serde")]
mod wire;

pub use ballot::{Ballot, Cast, Stranger};
pub use error::BadQuorum;
pub use members::Members;
pub use register::Register;
pub use round::{Outsider, Round};
pub use rule::{Dissemination, Masking, Matching, Newest, Panel, Rule};
pub use service::{
    Answer, Cancel, Compensate, Detach, Heard, HedgeAfter, Judge, Plan, Quorum, QuorumError,
};
pub use set::Set;
pub use system::{
    Eventual, Flexible, Joint, Meet, Need, ReadWrite, System, Threshold, Weighted, meet,
};
pub use tally::{Outcome, Standing, Tally};
pub use verdict::{Cause, Decision, Verdict, Why};
pub use voter::{Persisted, Refusal, Voter};
