//! [`Stamp`]: tells a request which attempt it is.

use super::{Attempt, Replay};

/// Writes on a request which attempt it is.
///
/// A closure `Fn(&mut Req, &Attempt)` is one. Beneath a retry the number is in the scope as well
/// ([`Scope::attempt`](murphy_core::Scope::attempt)), whatever the request.
pub trait Stamp<Req> {
    /// Called for every attempt, the first included, before it is sent.
    fn stamp(&self, request: &mut Req, attempt: &Attempt);
}

impl<F: Fn(&mut Req, &Attempt), Req> Stamp<Req> for F {
    fn stamp(&self, request: &mut Req, attempt: &Attempt) {
        self(request, attempt);
    }
}

/// A [`Replay`] whose requests say which attempt they are: see
/// [`stamping`](crate::RetryLayer::stamping).
#[derive(Clone, Copy, Debug)]
pub struct Stamped<R, T> {
    pub(super) replay: R,
    pub(super) stamp: T,
}

impl<R, T, Req, E> Replay<Req, E> for Stamped<R, T>
where
    R: Replay<Req, E>,
    T: Stamp<Req>,
{
    type Saved = R::Saved;

    fn split(&self, request: Req, first: &Attempt) -> (Req, Option<R::Saved>) {
        let (mut request, saved) = self.replay.split(request, first);
        self.stamp.stamp(&mut request, first);
        (request, saved)
    }

    fn next(&self, saved: &mut R::Saved, attempt: &Attempt, error: Option<&mut E>) -> Option<Req> {
        let mut request = self.replay.next(saved, attempt, error)?;
        self.stamp.stamp(&mut request, attempt);
        Some(request)
    }
}
