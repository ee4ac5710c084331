//! [`Register`]: one value, read and written.

use std::fmt::Debug;
use std::hash::Hash;

use super::{Model, group_of};

/// One value that is read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register<V> {
    initial: Option<V>,
}

/// What a register is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request<V> {
    /// What is the value?
    Read,
    /// Let it be this.
    Write(V),
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply<V> {
    /// To a read: the value, or none.
    Value(Option<V>),
    /// To a write: it is written.
    Written,
}

impl<V> Register<V> {
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

impl<V> Default for Register<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Clone + Eq + Hash + Debug> Model for Register<V> {
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
            _ => None,
        }
    }

    fn is_read(&self, request: &Request<V>, _: Option<&Reply<V>>) -> bool {
        matches!(request, Request::Read)
    }

    // Without a value's writes and its reads the others read what they read before.
    fn group(&self, request: &Request<V>, reply: Option<&Reply<V>>) -> Option<u64> {
        match (request, reply) {
            (Request::Write(value), _) | (_, Some(Reply::Value(Some(value)))) => {
                Some(group_of(value))
            }
            _ => None,
        }
    }

    fn show(&self, request: &Request<V>, reply: Option<&Reply<V>>) -> String {
        match (request, reply) {
            (Request::Read, None) => "read -> ?".to_owned(),
            (Request::Read, Some(Reply::Value(Some(value)))) => format!("read -> {value:?}"),
            (Request::Read, Some(_)) => "read -> nil".to_owned(),
            (Request::Write(value), Some(_)) => format!("write {value:?}"),
            (Request::Write(value), None) => format!("write {value:?} -> ?"),
        }
    }
}
