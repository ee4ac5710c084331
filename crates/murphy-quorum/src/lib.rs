//! Quorums: ask many, decide once.
//!
//! Pure so far: no I/O and no clock. [`Round`] is told what became of each member, in any order, and says
//! as early as it is known whether it is decided, and whether it can still be.
//!
//! | | what it is |
//! |---|---|
//! | [`Threshold`], [`Weighted`], [`Joint`] | which members are enough |
//! | [`ReadWrite`], [`Flexible`], [`Eventual`] | pairs of them that have to meet, and those that need not |
//! | [`Newest`], [`Matching`], [`Dissemination`], [`Masking`] | and which of their replies is the answer |
//! | [`Round`] | one question, and what became of it |
//! | [`Ballot`], [`Voter`] | votes for a leader, one a term |
//!
//! *No* is not *unknown*. A member that refused will not have done it; one that was silent until its
//! time was up may have. Both are no yes, so both make a quorum impossible; but whoever gives up
//! has to undo at the second.
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
//! assert_eq!(why.to_string(), "impossible: 3 of 5 needed, 2 reachable");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ballot;
mod error;
mod members;
mod round;
mod rule;
mod set;
mod system;
mod tally;
mod verdict;
mod voter;

pub use ballot::{Ballot, Cast, Stranger};
pub use error::BadQuorum;
pub use members::Members;
pub use round::{Outsider, Round};
pub use rule::{Dissemination, Masking, Matching, Newest, Rule};
pub use set::Set;
pub use system::{
    Eventual, Flexible, Joint, Meet, Need, ReadWrite, System, Threshold, Weighted, meet,
};
pub use tally::{Outcome, Standing, Tally};
pub use verdict::{Cause, Decision, Verdict, Why};
pub use voter::{Persisted, Refusal, Voter};
