//! [`Set`]: things that are in it, or not.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use super::Model;

/// A set, empty at first.
///
/// Where nobody asks for [`All`](Request::All) of it, a history is checked element by element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T> {
    of: PhantomData<fn() -> T>,
}

/// What a set is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request<T> {
    /// Let this be in it.
    Add(T),
    /// Let this not be in it.
    Remove(T),
    /// Is this in it?
    Contains(T),
    /// What is in it?
    All,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply<T> {
    /// To `Add` and `Remove`: it is done.
    Done,
    /// To `Contains`: whether it is; to `Add` and `Remove`: whether that changed anything.
    Is(bool),
    /// To `All`: these.
    These(BTreeSet<T>),
}

impl<T> Set<T> {
    /// Empty at first.
    pub const fn new() -> Self {
        let of = PhantomData;
        Self { of }
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone + Ord + Hash + Debug> Model for Set<T> {
    type State = BTreeSet<T>;
    type Request = Request<T>;
    type Reply = Reply<T>;
    type Key = T;
    type Next = Option<BTreeSet<T>>;

    fn initial(&self) -> BTreeSet<T> {
        BTreeSet::new()
    }

    fn step(
        &self,
        state: &BTreeSet<T>,
        request: &Request<T>,
        reply: Option<&Reply<T>>,
    ) -> Option<BTreeSet<T>> {
        let mut next = state.clone();
        let is = match request {
            Request::Add(element) => next.insert(element.clone()),
            Request::Remove(element) => next.remove(element),
            Request::Contains(element) => next.contains(element),
            Request::All => false,
        };
        let fits = match (request, reply) {
            (_, None) => true,
            (Request::Add(_) | Request::Remove(_), Some(Reply::Done)) => true,
            (Request::All, Some(Reply::These(these))) => these == state,
            (Request::All, Some(_)) => false,
            (_, Some(Reply::Is(told))) => *told == is,
            (_, Some(_)) => false,
        };
        fits.then_some(next)
    }

    fn key(&self, request: &Request<T>) -> Option<T> {
        match request {
            Request::Add(element) | Request::Remove(element) | Request::Contains(element) => {
                Some(element.clone())
            }
            Request::All => None,
        }
    }

    fn is_read(&self, request: &Request<T>, _: Option<&Reply<T>>) -> bool {
        matches!(request, Request::Contains(_) | Request::All)
    }

    fn weight(&self, state: &BTreeSet<T>) -> usize {
        size_of::<BTreeSet<T>>() + state.len() * (size_of::<T>() + 16)
    }

    fn show(&self, request: &Request<T>, reply: Option<&Reply<T>>) -> String {
        let asked = match request {
            Request::Add(element) => format!("add {element:?}"),
            Request::Remove(element) => format!("remove {element:?}"),
            Request::Contains(element) => format!("contains {element:?}"),
            Request::All => "all".to_owned(),
        };
        match reply {
            None => format!("{asked} -> ?"),
            Some(Reply::Is(is)) => format!("{asked} -> {is}"),
            Some(Reply::These(these)) => format!("{asked} -> {these:?}"),
            Some(Reply::Done) => asked,
        }
    }
}
