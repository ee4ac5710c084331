//! [`FencedLease`]: leases with fencing tokens, and the resource that checks them.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use super::Model;

/// A lease that comes with a fencing token, and a resource that admits no token older than the newest it has seen.
/// Free, and never granted, at first.
///
/// Every grant's token is higher than every one before, and stays as it is while it is renewed. Expiries are
/// operations, as of [`Lease`](super::lease::Lease).
///
/// # Limits
///
/// Of a grant whose reply was lost the token is not known: until it is seen in an answer to its holder, only grants
/// of known tokens are held against later ones. That can miss a violation, and never makes one up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "fencing token")]
pub struct FencedLease<W, T> {
    of: PhantomData<fn() -> (W, T)>,
}

/// What it is asked, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request<W, T> {
    /// Let me hold it.
    Acquire(W),
    /// Let me hold it for longer.
    Renew(W),
    /// I do not need it any more.
    Release(W),
    /// This holder's time is up.
    Expire(W),
    /// Of the resource: let this be written under my token.
    Write(T),
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply<T> {
    /// To `Acquire` and `Renew`: it is held, under this token.
    Held(T),
    /// To `Release`, `Expire` and `Write`: it is done.
    Done,
    /// It is not: somebody else holds it (`Acquire`), who asks does not, or the token is older than one that the
    /// resource has seen (`Write`).
    Refused,
}

/// Who holds it, under which token, if that is known; the highest token that was granted; the highest that the resource saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State<W, T> {
    holder: Option<(W, Option<T>)>,
    granted: Option<T>,
    seen: Option<T>,
}

impl<W, T> FencedLease<W, T> {
    /// Free, and never granted, at first.
    pub const fn new() -> Self {
        let of = PhantomData;
        Self { of }
    }
}

impl<W, T> Default for FencedLease<W, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W: Clone + Eq, T: Clone + Ord> State<W, T> {
    fn is_holder(&self, who: &W) -> bool {
        self.holder
            .as_ref()
            .is_some_and(|(holder, _)| holder == who)
    }

    /// `who` holds it: as before, or from now on.
    fn held(&self, who: &W, token: Option<&T>) -> Option<Self> {
        let known = match &self.holder {
            Some((_, known)) => known.as_ref(),
            None => None,
        };
        let mut next = self.clone();
        match (known, token) {
            // The token of a holder never moves.
            (Some(known), Some(token)) if known != token => return None,
            (Some(_), _) => return Some(next),
            (None, Some(token)) if self.granted.as_ref().is_some_and(|g| g >= token) => {
                return None;
            }
            (None, Some(token)) => next.granted = Some(token.clone()),
            (None, None) => {}
        }
        next.holder = Some((who.clone(), token.cloned()));
        Some(next)
    }

    fn freed(&self) -> Self {
        let mut next = self.clone();
        next.holder = None;
        next
    }

    /// The resource sees a token: whether it admits it, and what it has seen then.
    fn written(&self, token: &T) -> (bool, Self) {
        let mut next = self.clone();
        let admits = self.seen.as_ref().is_none_or(|seen| token >= seen);
        if admits {
            next.seen = Some(token.clone());
        }
        (admits, next)
    }
}

impl<W, T> Model for FencedLease<W, T>
where
    W: Clone + Eq + Hash + Debug,
    T: Clone + Ord + Hash + Debug,
{
    type State = State<W, T>;
    type Request = Request<W, T>;
    type Reply = Reply<T>;
    type Key = ();
    type Next = Option<State<W, T>>;

    fn initial(&self) -> State<W, T> {
        State {
            holder: None,
            granted: None,
            seen: None,
        }
    }

    fn step(
        &self,
        state: &State<W, T>,
        request: &Request<W, T>,
        reply: Option<&Reply<T>>,
    ) -> Option<State<W, T>> {
        let can = match request {
            Request::Acquire(who) => state.holder.is_none() || state.is_holder(who),
            Request::Renew(who) | Request::Release(who) | Request::Expire(who) => {
                state.is_holder(who)
            }
            Request::Write(token) => state.written(token).0,
        };
        if !can {
            return matches!(reply, None | Some(Reply::Refused)).then(|| state.clone());
        }
        match (request, reply) {
            (Request::Acquire(who) | Request::Renew(who), None) => state.held(who, None),
            (Request::Acquire(who) | Request::Renew(who), Some(Reply::Held(token))) => {
                state.held(who, Some(token))
            }
            (Request::Release(_) | Request::Expire(_), None | Some(Reply::Done)) => {
                Some(state.freed())
            }
            (Request::Write(token), None | Some(Reply::Done)) => Some(state.written(token).1),
            _ => None,
        }
    }

    fn is_read(&self, _: &Request<W, T>, reply: Option<&Reply<T>>) -> bool {
        matches!(reply, Some(Reply::Refused))
    }

    fn show(&self, request: &Request<W, T>, reply: Option<&Reply<T>>) -> String {
        let asked = match request {
            Request::Acquire(who) => format!("acquire as {who:?}"),
            Request::Renew(who) => format!("renew as {who:?}"),
            Request::Release(who) => format!("release as {who:?}"),
            Request::Expire(who) => format!("{who:?} expires"),
            Request::Write(token) => format!("write under {token:?}"),
        };
        match reply {
            None => format!("{asked} -> ?"),
            Some(Reply::Held(token)) => format!("{asked} -> token {token:?}"),
            Some(Reply::Done) => asked,
            Some(Reply::Refused) => format!("{asked} -> refused"),
        }
    }
}
