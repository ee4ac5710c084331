//! Was that history legal?
//!
//! [`History`] records what clients asked and were told. [`Checker`] decides whether a [`Model`] could have told them so, one
//! request at a time: that is linearizability. The answer is [`Verdict::Legal`], with an order; [`Illegal`](Verdict::Illegal), with the
//! few operations that show it; or [`Unknown`](Verdict::Unknown), with the reason, which is never a pass.
//!
//! | | what it is |
//! |---|---|
//! | [`History`], [`Operation`], [`Outcome`] | what happened, in the order of events: answered, failed for certain, or unknown |
//! | [`Model`] | a sequential specification: yours, or one of [`model`] |
//! | [`model::register`], [`model::cas`], [`model::key_value`], [`model::text`] | values that are read and written |
//! | [`model::counter`], [`model::set`], [`model::queue`] | things that are counted, collected, and handed on |
//! | [`model::mutex`], [`model::lease`], [`model::fenced`] | who may act, and proof of it |
//! | [`Checker`], [`Verdict`], [`Witness`], [`Why`] | the question and its answers |
//! | [`Picture`] | an illegal window, as SVG or HTML |
//! | [`invariant`] | cheap checks: at most once, monotonic tokens, one leader a term, the sum of a bank, own writes |
//! | [`read`] | histories of Jepsen and of porcupine's test data |
//!
//! There is no clock in here, no thread, no chance and no tokio: the same history gives the same answer. Bounds are in
//! steps and bytes; for one in time, [`check_until`](Checker::check_until) asks the caller.
//!
//! # Lost is not unknown
//!
//! A request that was lost never happened; a call whose reply was lost may have, and may still: it overlaps
//! with everything after it, and doubles the work. Whoever injects the faults knows which it was:
//! [`lost_request`](History::lost_request), [`lost_reply`](History::lost_reply).
//!
//! # The program
//!
//! ```text
//! murphy-check MODEL FILE...
//! ```
//!
//! prints `FILE: legal`, `illegal` with the witness or `unknown` with the reason, and exits with 0, 1 or 2 (feature
//! `cli`, on by default; a library's user does without: `default-features = false`).
//!
//! # Examples
//!
//! ```
//! use murphy_check::model::lease::{Lease, Reply, Request};
//! use murphy_check::{History, check};
//!
//! let history = History::new();
//! let a = history.call(1, Request::Acquire("a"))?;
//! history.done(a, Reply::Done)?;
//! let b = history.call(2, Request::Acquire("b"))?;
//! history.done(b, Reply::Done)?; // and nobody let go of it
//! let verdict = check(&Lease::new(), &history.operations());
//! let witness = verdict.witness().expect("two holders");
//! assert_eq!(
//!     witness.describe(&Lease::new()),
//!     "  1..2  process 1  acquire as \"a\"\n* 3..4  process 2  acquire as \"b\"\n"
//! );
//! # Ok::<(), murphy_check::Misuse>(())
//! ```

mod checker;
mod history;
pub mod invariant;
pub mod model;
mod operation;
mod picture;
mod problem;
pub mod read;
mod search;
mod shrink;
mod verdict;

pub use checker::{Checker, check};
pub use history::{History, Misuse, Ticket};
pub use model::{Model, OperationOf};
pub use operation::{BadOperation, Operation, Outcome};
pub use picture::Picture;
pub use verdict::{Verdict, VerdictOf, Why, Witness};
