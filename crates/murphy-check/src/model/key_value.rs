//! [`KeyValue`]: values under keys.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use super::Model;

/// Values under keys, each key a compare-and-set register of its own; empty at first.
///
/// Histories are checked key by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue<K, V> {
    of: PhantomData<fn() -> (K, V)>,
}

/// What it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request<K, V> {
    /// What is under this key?
    Get(K),
    /// Put this there.
    Put(K, V),
    /// Let nothing be there.
    Delete(K),
    /// If `from` is there, put `to` in its place.
    Cas {
        /// Where.
        key: K,
        /// What should be there; `None`: nothing.
        from: Option<V>,
        /// What shall be there.
        to: V,
    },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply<V> {
    /// To a `Get`: what is there, if anything.
    Value(Option<V>),
    /// To a `Put` and a `Delete`: it is done.
    Done,
    /// To a `Cas`: whether it was done. If not, something else was there.
    Swapped(bool),
}

impl<K, V> KeyValue<K, V> {
    /// Empty at first.
    pub const fn new() -> Self {
        let of = PhantomData;
        Self { of }
    }
}

impl<K, V> Default for KeyValue<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Model for KeyValue<K, V>
where
    K: Clone + Ord + Hash + Debug,
    V: Clone + Eq + Hash + Debug,
{
    type State = Option<V>;
    type Request = Request<K, V>;
    type Reply = Reply<V>;
    type Key = K;
    type Next = Option<Option<V>>;

    fn initial(&self) -> Option<V> {
        None
    }

    fn step(
        &self,
        state: &Option<V>,
        request: &Request<K, V>,
        reply: Option<&Reply<V>>,
    ) -> Option<Option<V>> {
        match (request, reply) {
            (Request::Get(_), None) => Some(state.clone()),
            (Request::Get(_), Some(Reply::Value(got))) if got == state => Some(state.clone()),
            (Request::Put(_, value), None | Some(Reply::Done)) => Some(Some(value.clone())),
            (Request::Delete(_), None | Some(Reply::Done)) => Some(None),
            (Request::Cas { from, to, .. }, None | Some(Reply::Swapped(true))) if from == state => {
                Some(Some(to.clone()))
            }
            (Request::Cas { from, .. }, None | Some(Reply::Swapped(false))) if from != state => {
                Some(state.clone())
            }
            _ => None,
        }
    }

    fn key(&self, request: &Request<K, V>) -> Option<K> {
        match request {
            Request::Get(key)
            | Request::Put(key, _)
            | Request::Delete(key)
            | Request::Cas { key, .. } => Some(key.clone()),
        }
    }

    fn is_read(&self, request: &Request<K, V>, reply: Option<&Reply<V>>) -> bool {
        matches!(request, Request::Get(_)) || matches!(reply, Some(Reply::Swapped(false)))
    }

    fn show(&self, request: &Request<K, V>, reply: Option<&Reply<V>>) -> String {
        let nil = |value: &Option<V>| value.as_ref().map_or("nil".into(), |v| format!("{v:?}"));
        let asked = match request {
            Request::Get(key) => format!("get {key:?}"),
            Request::Put(key, value) => format!("put {key:?} {value:?}"),
            Request::Delete(key) => format!("delete {key:?}"),
            Request::Cas { key, from, to } => format!("cas {key:?} {} {to:?}", nil(from)),
        };
        match reply {
            None => format!("{asked} -> ?"),
            Some(Reply::Value(value)) => format!("{asked} -> {}", nil(value)),
            Some(Reply::Swapped(false)) => format!("{asked} -> not swapped"),
            Some(Reply::Done | Reply::Swapped(true)) => asked,
        }
    }
}
