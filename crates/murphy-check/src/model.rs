//! [`Model`]: what one thing that is asked by one client at a time would answer.

use std::fmt::Debug;
use std::hash::Hash;

pub mod cas;
pub mod counter;
pub mod fenced;
pub mod key_value;
pub mod lease;
pub mod mutex;
pub mod queue;
pub mod register;
pub mod set;
pub mod text;

/// A sequential specification: a state, and what each request does to it.
///
/// A history is legal if its operations can be put into one order that respects which preceded which, and in
/// which each is a [`step`](Self::step) of the model.
///
/// All methods have to be functions of their arguments: answers are remembered.
///
/// # Examples
///
/// A bounded stock, whose refusals are part of its answers:
///
/// ```
/// use murphy_check::{Model, Operation, Outcome, check};
///
/// struct Stock(u32);
///
/// impl Model for Stock {
///     type State = u32;
///     type Request = (); // sell one
///     type Reply = bool;
///     type Key = ();
///     type Next = Option<u32>;
///
///     fn initial(&self) -> u32 {
///         self.0
///     }
///     fn step(&self, left: &u32, (): &(), sold: Option<&bool>) -> Option<u32> {
///         match sold {
///             Some(false) => (*left == 0).then_some(0),
///             Some(true) => left.checked_sub(1),
///             None => Some(left.saturating_sub(1)), // nobody knows which
///         }
///     }
/// }
///
/// let sale = |process| Operation::try_new(process, (), 1, Some((2, Outcome::Done(true))));
/// let oversold = [sale(1)?, sale(2)?];
/// assert!(check(&Stock(2), &oversold).is_legal());
/// assert!(check(&Stock(1), &oversold).is_illegal());
/// # Ok::<(), murphy_check::BadOperation>(())
/// ```
pub trait Model {
    /// What it remembers.
    type State: Clone + Eq + Hash + Debug;
    /// What it is asked.
    type Request: Clone + Eq + Hash + Debug;
    /// What it answers.
    type Reply: Clone + Eq + Hash + Debug;
    /// The names of its independent parts; `()` where there are none.
    type Key: Clone + Ord + Debug;
    /// The states that may follow: `Option<State>`, or `Vec<State>` if there can be several.
    type Next: IntoIterator<Item = Self::State>;

    /// The state at the beginning; of each part, if it has parts.
    fn initial(&self) -> Self::State;

    /// The states that may follow if this is asked and answered in `state`; none if that is no answer to it.
    /// Without a reply nobody knows it: every answer is possible. (That nothing was done needs no state: an operation of
    /// unknown outcome may be left out.)
    fn step(
        &self,
        state: &Self::State,
        request: &Self::Request,
        reply: Option<&Self::Reply>,
    ) -> Self::Next;

    /// The part that it is about. Parts are checked one by one, which is what makes long histories quick; so no answer may
    /// depend on two (Horn and Kroening, *Faster linearizability checking via P-compositionality*, 2015).
    /// `None`, the default: it is about all, and a history with one such operation is not split.
    fn key(&self, request: &Self::Request) -> Option<Self::Key> {
        _ = request;
        None
    }

    /// Whether this answer leaves every state as it is. The default is no; saying so of reads saves most of the
    /// work.
    fn is_read(&self, request: &Self::Request, reply: Option<&Self::Reply>) -> bool {
        _ = (request, reply);
        false
    }

    /// A name for a group of operations that can be left out together: without them, whatever was legal
    /// still is. `None`, the default: it cannot. It is used to make witnesses small, as in a queue that of all items
    /// shows two.
    fn group(&self, request: &Self::Request, reply: Option<&Self::Reply>) -> Option<u64> {
        _ = (request, reply);
        None
    }

    /// What a state weighs, in bytes, for the bound on memory: with what it points to. The default is its own
    /// size.
    fn weight(&self, state: &Self::State) -> usize {
        _ = state;
        size_of::<Self::State>()
    }

    /// An operation in words, for reports.
    fn show(&self, request: &Self::Request, reply: Option<&Self::Reply>) -> String {
        match reply {
            Some(reply) => format!("{request:?} -> {reply:?}"),
            None => format!("{request:?} -> ?"),
        }
    }
}

/// What `model` is asked and answers: shorthand.
pub type OperationOf<M> = crate::Operation<<M as Model>::Request, <M as Model>::Reply>;

/// A group's name from a value.
fn group_of(value: &impl Hash) -> u64 {
    use std::hash::BuildHasher;
    foldhash::fast::FixedState::with_seed(0).hash_one(value)
}
