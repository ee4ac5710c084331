//! The second hook: what is sent when a request is sent again?

use super::Attempt;

/// Keeps what is needed to repeat a request.
///
/// A closure `Fn(&Req) -> Option<Req>` is one: it copies the request, or declines. A request that
/// cannot be repeated gets one attempt and an event (`retry.not_replayable`), never an error.
pub trait Replay<Req, E> {
    /// What is kept between attempts.
    type Saved;

    /// Splits a request into the one to send as `first` and what is kept of it. `None`: nothing
    /// will do. Where [`first.is_last()`](Attempt::is_last), nothing need be kept.
    fn split(&self, request: Req, first: &Attempt) -> (Req, Option<Self::Saved>);

    /// The request for `attempt`, which is about to wait its turn and be sent. `None`: it cannot
    /// be repeated after all, and the last outcome stands.
    ///
    /// `error` is what the attempt before failed with, unless it failed with a reply: some errors
    /// give the request back. Where [`Attempt::is_last`] holds, nothing needs to stay behind: the last of
    /// all is not, as long as it would be sent once more if it never left.
    fn next(
        &self,
        saved: &mut Self::Saved,
        attempt: &Attempt,
        error: Option<&mut E>,
    ) -> Option<Req>;
}

/// The default: clones the request. n attempts take n clones: the last one may never leave, and is
/// then sent once more. That moves the copy, as the last one does where another was repeated so before.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloneReplay;

impl<Req: Clone, E> Replay<Req, E> for CloneReplay {
    type Saved = Option<Req>;

    #[inline]
    fn split(&self, request: Req, first: &Attempt) -> (Req, Option<Self::Saved>) {
        if first.is_last() {
            return unsaved(request);
        }
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
    fn split(&self, request: Req, _: &Attempt) -> (Req, Option<Self::Saved>) {
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
    fn split(&self, request: Req, first: &Attempt) -> (Req, Option<Self::Saved>) {
        if first.is_last() {
            return unsaved(request);
        }
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

/// Where there is one attempt only, nothing is kept for another.
#[cold]
fn unsaved<Req, T>(request: Req) -> (Req, Option<T>) {
    (request, None)
}

/// Makes each request anew: of no request a copy is kept.
///
/// The function is asked for every attempt but the first, which is the caller's own request. `None`
/// declines.
///
/// # Examples
///
/// ```
/// use murphy_policy::{Attempt, Factory, RetryLayer};
///
/// struct Upload(std::io::Empty);
/// let again = RetryLayer::new().replay(Factory(|_: &Attempt| Some(Upload(std::io::empty()))));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Factory<F>(pub F);

impl<F, Req, E> Replay<Req, E> for Factory<F>
where
    F: Fn(&Attempt) -> Option<Req>,
{
    type Saved = ();

    #[inline]
    fn split(&self, request: Req, first: &Attempt) -> (Req, Option<()>) {
        (request, (!first.is_last()).then_some(()))
    }

    fn next(&self, (): &mut (), attempt: &Attempt, _: Option<&mut E>) -> Option<Req> {
        (self.0)(attempt)
    }
}

/// Takes the request back out of the error that an attempt failed with, where it gives it back:
/// nothing is copied. A failure that is a reply, or an error without its request, is not repeated.
#[derive(Clone, Copy, Debug)]
pub struct Restore<F>(pub F);

impl<F, Req, E> Replay<Req, E> for Restore<F>
where
    F: Fn(&mut E) -> Option<Req>,
{
    type Saved = ();

    #[inline]
    fn split(&self, request: Req, first: &Attempt) -> (Req, Option<()>) {
        (request, (!first.is_last()).then_some(()))
    }

    fn next(&self, (): &mut (), _: &Attempt, error: Option<&mut E>) -> Option<Req> {
        error.and_then(&self.0)
    }
}
