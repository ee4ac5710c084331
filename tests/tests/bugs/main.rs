//! Ten services with a bug each, and their twins that differ by five lines at most.
//!
//! All are real axum services over the in-memory transport of a run. Each bug is found, shrunk to at most three
//! things, and repeated by its code in a fresh process; its twin is clean for the same budget. The lines between
//! `// Twins part.` and `// Twins meet.` are all that they differ by.

mod growth;
mod harness;
mod kit;
mod process;
mod promises;

mod budget_kept;
mod deadline_dropped;
mod duplicate_counted;
mod lost_update;
mod majority_off_by_one;
mod no_fencing;
mod not_idempotent;
mod paused_observer;
mod volatile_vote;
mod wrong_reply;

use harness::Bug;

/// All of them.
const BUGS: [Bug; 10] = [
    no_fencing::BUG,
    not_idempotent::BUG,
    majority_off_by_one::BUG,
    volatile_vote::BUG,
    paused_observer::BUG,
    duplicate_counted::BUG,
    deadline_dropped::BUG,
    budget_kept::BUG,
    lost_update::BUG,
    wrong_reply::BUG,
];
