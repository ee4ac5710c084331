//! The second hook: what is sent when a request is sent again?

use super::Attempt;

/// Keeps what is needed to repeat a request.
///
/// A closure `Fn(&Req) -> Option<Req>` is one: it copies the request, or declines. A request that
/// cannot be repeated gets one attempt and an event (`retry.not_replayable`), never an error.
pub trait Replay<Req, E> {
    /// What is kept between attempts.
    type Saved;

    /// Splits a request into the one to send and what is kept of it. `None`: nothing will do.
    /// Not called where there is one attempt only.
    fn split(&self, request: Req) -> (Req, Option<Self::Saved>);

    /// The request for `attempt`, which is about to wait its turn and be sent. `None`: it cannot
    /// be repeated after all, and the last outcome stands.
    ///
    /// `error` is what the attempt before failed with, unless it failed with a reply: some errors
    /// give the request back. Where [`Attempt::is_last`] holds, nothing needs to stay behind.
    fn next(
        &self,
        saved: &mut Self::Saved,
        attempt: &Attempt,
        error: Option<&mut E>,
    ) -> Option<Req>;
}

/// The default: clones the request. n attempts take n - 1 clones; the last one moves the copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloneReplay;

impl<Req: Clone, E> Replay<Req, E> for CloneReplay {
    type Saved = Option<Req>;

    #[inline]
    fn split(&self, request: Req) -> (Req, Option<Self::Saved>) {
        let copy = request.clone();
        (request, Some(Some(copy)))
    }

    fn next(&self, saved: &mut Option<Req>, attempt: &Attempt, _: Option<&mut E>) -> Option<Req> {
        if attempt.is_last() {
            saved.take()
        } else {
            saved.clone()
        }
    }
}

/// Never repeats a request: one attempt each, whatever its type.
#[derive(Clone, Copy, Debug, Default)]
pub struct Once;

impl<Req, E> Replay<Req, E> for Once {
    type Saved = std::convert::Infallible;

    #[inline]
    fn split(&self, request: Req) -> (Req, Option<Self::Saved>) {
        (request, None)
    }

    fn next(&self, saved: &mut Self::Saved, _: &Attempt, _: Option<&mut E>) -> Option<Req> {
        match *saved {}
    }
}

impl<F, Req, E> Replay<Req, E> for F
where
    F: Fn(&Req) -> Option<Req>,
{
    type Saved = Option<Req>;

    #[inline]
    fn split(&self, request: Req) -> (Req, Option<Self::Saved>) {
        let copy = self(&request);
        (request, copy.map(Some))
    }

    fn next(&self, saved: &mut Option<Req>, attempt: &Attempt, _: Option<&mut E>) -> Option<Req> {
        if attempt.is_last() {
            saved.take()
        } else {
            saved.as_ref().and_then(self)
        }
    }
}
