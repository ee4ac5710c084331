//! [`Lease`]: a lock that knows its holder, and may expire.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use super::Model;

/// A lock that knows its holder. Free at first.
///
/// A holder may acquire what it holds. An expiry is an operation too, [`Expire`](Request::Expire), of whoever keeps
/// the time: recorded as of unknown outcome, it may come at any later time, or never; a history
/// without one is of a lock that does not expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease<W> {
    of: PhantomData<fn() -> W>,
}

/// What a lease is asked, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request<W> {
    /// Let me hold it.
    Acquire(W),
    /// Let me hold it for longer.
    Renew(W),
    /// I do not need it any more.
    Release(W),
    /// This holder's time is up.
    Expire(W),
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It is done. To `Expire`: it had been held, and is not now.
    Done,
    /// It is not: somebody else holds it (`Acquire`), or who asks does not.
    Refused,
}

impl<W> Lease<W> {
    /// Free at first.
    pub const fn new() -> Self {
        let of = PhantomData;
        Self { of }
    }
}

impl<W> Default for Lease<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W: Clone + Eq + Hash + Debug> Model for Lease<W> {
    /// Who holds it.
    type State = Option<W>;
    type Request = Request<W>;
    type Reply = Reply;
    type Key = ();
    type Next = Option<Option<W>>;

    fn initial(&self) -> Option<W> {
        None
    }

    fn step(
        &self,
        holder: &Option<W>,
        request: &Request<W>,
        reply: Option<&Reply>,
    ) -> Option<Option<W>> {
        let (can, next) = match request {
            Request::Acquire(who) => (
                holder.is_none() || holder.as_ref() == Some(who),
                Some(who.clone()),
            ),
            Request::Renew(who) => (holder.as_ref() == Some(who), Some(who.clone())),
            Request::Release(who) | Request::Expire(who) => (holder.as_ref() == Some(who), None),
        };
        match reply {
            Some(Reply::Done) => can.then_some(next),
            Some(Reply::Refused) => (!can).then(|| holder.clone()),
            None => Some(if can { next } else { holder.clone() }),
        }
    }

    fn is_read(&self, request: &Request<W>, reply: Option<&Reply>) -> bool {
        matches!(request, Request::Renew(_)) || matches!(reply, Some(Reply::Refused))
    }

    fn show(&self, request: &Request<W>, reply: Option<&Reply>) -> String {
        let asked = match request {
            Request::Acquire(who) => format!("acquire as {who:?}"),
            Request::Renew(who) => format!("renew as {who:?}"),
            Request::Release(who) => format!("release as {who:?}"),
            Request::Expire(who) => format!("{who:?} expires"),
        };
        match reply {
            None => format!("{asked} -> ?"),
            Some(Reply::Done) => asked,
            Some(Reply::Refused) => format!("{asked} -> refused"),
        }
    }
}
