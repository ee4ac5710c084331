//! Cheap checks: one pass, no search.
//!
//! Each takes what was seen in its order, and names the first violation. What it did not see it cannot hold
//! against anybody: they are for what always has to be so, beside a check of the whole history.
//!
//! | | holds |
//! |---|---|
//! | [`at_most_once`] | no effect happened twice |
//! | [`tokens_rise`], [`tokens_never_fall`] | each grant's token is above all before; what is admitted is never older |
//! | [`one_leader_a_term`] | no term has two leaders |
//! | [`sum_is_kept`] | every look at the accounts finds the same sum |
//! | [`reads_own_writes`] | nobody reads what was there before its own write |

mod bank;
mod leaders;
mod once;
mod own;
mod tokens;

pub use bank::{BadSum, sum_is_kept};
pub use leaders::{TwoLeaders, one_leader_a_term};
pub use once::{Twice, at_most_once};
pub use own::{OwnWriteMissed, reads_own_writes};
pub use tokens::{Fell, tokens_never_fall, tokens_rise};
