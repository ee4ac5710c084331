//! [`Queue`]: first in, first out.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use super::{Model, group_of};

/// A queue, first in, first out; empty at first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "FIFO")]
pub struct Queue<T> {
    of: PhantomData<fn() -> T>,
}

/// What a queue is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request<T> {
    /// Let this be its last.
    Enqueue(T),
    /// Hand over its first.
    Dequeue,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply<T> {
    /// To `Enqueue`: it is in.
    Enqueued,
    /// To `Dequeue`: what was first; `None`: it is empty.
    Dequeued(Option<T>),
}

impl<T> Queue<T> {
    /// Empty at first.
    pub const fn new() -> Self {
        let of = PhantomData;
        Self { of }
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone + Eq + Hash + Debug> Model for Queue<T> {
    type State = VecDeque<T>;
    type Request = Request<T>;
    type Reply = Reply<T>;
    type Key = ();
    type Next = Option<VecDeque<T>>;

    fn initial(&self) -> VecDeque<T> {
        VecDeque::new()
    }

    fn step(
        &self,
        state: &VecDeque<T>,
        request: &Request<T>,
        reply: Option<&Reply<T>>,
    ) -> Option<VecDeque<T>> {
        // What does not fit is said before the state is copied.
        match (request, reply) {
            (Request::Enqueue(_), None | Some(Reply::Enqueued)) | (Request::Dequeue, None) => {}
            (Request::Dequeue, Some(Reply::Dequeued(got))) if got.as_ref() == state.front() => {}
            _ => return None,
        }
        let mut next = state.clone();
        match request {
            Request::Enqueue(item) => next.push_back(item.clone()),
            Request::Dequeue => _ = next.pop_front(),
        }
        Some(next)
    }

    fn is_read(&self, _: &Request<T>, reply: Option<&Reply<T>>) -> bool {
        matches!(reply, Some(Reply::Dequeued(None)))
    }

    // Without an item the others come in their order still.
    fn group(&self, request: &Request<T>, reply: Option<&Reply<T>>) -> Option<u64> {
        match (request, reply) {
            (Request::Enqueue(item), _) | (_, Some(Reply::Dequeued(Some(item)))) => {
                Some(group_of(item))
            }
            _ => None,
        }
    }

    fn weight(&self, state: &VecDeque<T>) -> usize {
        size_of::<VecDeque<T>>() + state.capacity() * size_of::<T>()
    }

    fn show(&self, request: &Request<T>, reply: Option<&Reply<T>>) -> String {
        match (request, reply) {
            (Request::Enqueue(item), Some(_)) => format!("enqueue {item:?}"),
            (Request::Enqueue(item), None) => format!("enqueue {item:?} -> ?"),
            (Request::Dequeue, Some(Reply::Dequeued(Some(item)))) => format!("dequeue -> {item:?}"),
            (Request::Dequeue, Some(_)) => "dequeue -> nothing".to_owned(),
            (Request::Dequeue, None) => "dequeue -> ?".to_owned(),
        }
    }
}
