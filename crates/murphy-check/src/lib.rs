//! Was that history legal?

mod checker;
mod history;
pub mod model;
mod operation;
mod problem;
mod search;
mod shrink;
mod verdict;

pub use checker::{Checker, check};
pub use history::{History, Misuse, Ticket};
pub use model::{Model, OperationOf};
pub use operation::{BadOperation, Operation, Outcome};
pub use verdict::{Verdict, VerdictOf, Why, Witness};
