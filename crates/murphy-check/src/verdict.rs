//! [`Verdict`]: legal, illegal with a witness, or unknown with the reason.

use std::fmt;

use crate::Operation;
use crate::model::{Model, OperationOf};

/// What a check says. Unknown is never a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a history that is not legal says so here"]
pub enum Verdict<K, I, O> {
    /// There is an order that explains all of it: places in the history, first to last. What is not among
    /// them did not happen.
    Legal {
        /// One such order. There may be others.
        order: Vec<usize>,
    },
    /// There is none, as these few operations show.
    Illegal(Box<Witness<K, I, O>>),
    /// It was not decided.
    Unknown(Why),
}

/// The verdict on a history of this model.
pub type VerdictOf<M> = Verdict<<M as Model>::Key, <M as Model>::Request, <M as Model>::Reply>;

/// Operations that cannot all have happened like that, *whatever the others did in their time*.
///
/// By themselves they are an illegal history. And they stay one beside all others that were called before the stuck one
/// returned, if each of those may have taken effect between its call and its return or not at all. (Leaving out writes alone
/// shows nothing: a read of 3 is illegal in any history from which the write of 3 was taken.)
///
/// # Limits
///
/// Smallest means: each operation is needed, if `is_smallest`. There may be another, smaller one elsewhere in the
/// history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Witness<K, I, O> {
    /// The part of the history that it is about, if it has parts.
    pub key: Option<K>,
    /// The operations, by call.
    pub operations: Vec<Operation<I, O>>,
    /// Where each of them is in the history.
    pub places: Vec<usize>,
    /// The place in the history of the one that cannot be explained: up to its return all was well.
    pub stuck: usize,
    /// Whether each of them is needed. `false`: there was no time to try all.
    pub is_smallest: bool,
}

/// Why it was not decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// It would take more steps.
    #[error("not decided in {steps} steps; parts left: {left}")]
    Steps {
        /// The bound.
        steps: u64,
        /// Parts of the history that were not decided.
        left: usize,
    },
    /// It would take more memory.
    #[error("not decided in {bytes} bytes; parts left: {left}")]
    Bytes {
        /// The bound.
        bytes: usize,
        /// Parts of the history that were not decided.
        left: usize,
    },
    /// The caller said stop.
    #[error("stopped; parts left: {left}")]
    Stopped {
        /// Parts of the history that were not decided.
        left: usize,
    },
    /// The history is longer than the checker takes.
    #[error("{operations} operations: {most} are the most; check in pieces, or by key")]
    TooLong {
        /// How many there are.
        operations: usize,
        /// The bound.
        most: usize,
    },
}

impl<K, I, O> Verdict<K, I, O> {
    /// Whether it is legal, for certain.
    pub const fn is_legal(&self) -> bool {
        matches!(self, Self::Legal { .. })
    }

    /// Whether it is illegal, for certain.
    pub const fn is_illegal(&self) -> bool {
        matches!(self, Self::Illegal(_))
    }

    /// Whether it was not decided.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// The witness, if it is illegal.
    pub const fn witness(&self) -> Option<&Witness<K, I, O>> {
        match self {
            Self::Illegal(witness) => Some(witness),
            Self::Legal { .. } | Self::Unknown(_) => None,
        }
    }

    /// 0 if legal, 1 if illegal, 2 if unknown.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Legal { .. } => 0,
            Self::Illegal(_) => 1,
            Self::Unknown(_) => 2,
        }
    }
}

/// One word.
impl<K, I, O> fmt::Display for Verdict<K, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Legal { .. } => "legal",
            Self::Illegal(_) => "illegal",
            Self::Unknown(_) => "unknown",
        })
    }
}

/// How an operation of a history is written in reports: who, what, and when.
pub(crate) fn line<M: Model>(model: &M, operation: &OperationOf<M>) -> String {
    let what = model.show(operation.request(), operation.reply());
    let (process, called) = (operation.process(), operation.called());
    match operation.returned() {
        Some(returned) => format!("{called}..{returned}  process {process}  {what}"),
        None => format!("{called}..  process {process}  {what}"),
    }
}

impl<K: fmt::Debug, I, O> Witness<K, I, O> {
    /// In words, a line each: events from and to, process, request and reply; `*` marks the one that cannot be
    /// explained.
    pub fn describe<M>(&self, model: &M) -> String
    where
        M: Model<Request = I, Reply = O>,
    {
        let mut text = String::new();
        if let Some(key) = &self.key {
            text.push_str(&format!("  key {key:?}\n"));
        }
        for (operation, place) in self.operations.iter().zip(&self.places) {
            let mark = if *place == self.stuck { '*' } else { ' ' };
            text.push_str(&format!("{mark} {}\n", line(model, operation)));
        }
        if !self.is_smallest {
            text.push_str(
                "  (not all of them may be needed: there were not enough steps to tell)\n",
            );
        }
        text
    }
}
