//! [`CasRegister`]: one value, read, written, and exchanged if it is what somebody thinks.

use std::fmt::Debug;
use std::hash::Hash;

use super::Model;

/// One value that is read, written, and compared and set.
///
/// A comparison that failed is an observation, `Swapped(false)`: the value was another. A client that
/// does not take it for one (Jepsen's `:fail` may be a refused connection) records a lost request instead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "compare and set")]
pub struct CasRegister<V> {
    initial: Option<V>,
}

/// What it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request<V> {
    /// What is the value?
    Read,
    /// Let it be this.
    Write(V),
    /// If it is `from`, let it be `to`.
    Cas {
        /// What it should be; `None`: nothing yet.
        from: Option<V>,
        /// What it shall be.
        to: V,
    },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply<V> {
    /// To a read: the value, or none.
    Value(Option<V>),
    /// To a write: it is written.
    Written,
    /// To a `Cas`: whether it was done. If not, the value was another.
    Swapped(bool),
}

impl<V> CasRegister<V> {
    /// Without a value at first.
    pub const fn new() -> Self {
        Self { initial: None }
    }

    /// With this value at first.
    pub const fn holding(value: V) -> Self {
        let initial = Some(value);
        Self { initial }
    }
}

impl<V> Default for CasRegister<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Clone + Eq + Hash + Debug> Model for CasRegister<V> {
    type State = Option<V>;
    type Request = Request<V>;
    type Reply = Reply<V>;
    type Key = ();
    type Next = Option<Option<V>>;

    fn initial(&self) -> Option<V> {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &Option<V>,
        request: &Request<V>,
        reply: Option<&Reply<V>>,
    ) -> Option<Option<V>> {
        match (request, reply) {
            (Request::Read, None) => Some(state.clone()),
            (Request::Read, Some(Reply::Value(read))) if read == state => Some(state.clone()),
            (Request::Write(value), None | Some(Reply::Written)) => Some(Some(value.clone())),
            (Request::Cas { from, to }, None | Some(Reply::Swapped(true))) if from == state => {
                Some(Some(to.clone()))
            }
            (Request::Cas { from, .. }, None | Some(Reply::Swapped(false))) if from != state => {
                Some(state.clone())
            }
            _ => None,
        }
    }

    fn is_read(&self, request: &Request<V>, reply: Option<&Reply<V>>) -> bool {
        matches!(request, Request::Read) || matches!(reply, Some(Reply::Swapped(false)))
    }

    fn show(&self, request: &Request<V>, reply: Option<&Reply<V>>) -> String {
        let asked = match request {
            Request::Read => "read".to_owned(),
            Request::Write(value) => format!("write {value:?}"),
            Request::Cas { from, to } => {
                let from = from.as_ref().map_or("nil".to_owned(), |v| format!("{v:?}"));
                format!("cas {from} {to:?}")
            }
        };
        match reply {
            None => format!("{asked} -> ?"),
            Some(Reply::Value(Some(value))) => format!("{asked} -> {value:?}"),
            Some(Reply::Value(None)) => format!("{asked} -> nil"),
            Some(Reply::Swapped(false)) => format!("{asked} -> not swapped"),
            Some(Reply::Written | Reply::Swapped(true)) => asked,
        }
    }
}
