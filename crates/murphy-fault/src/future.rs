//! [`ResponseFuture`]: passes the service's future through, or carries a fate out.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;
use tower_service::Service;

use crate::abilities::Able;
use crate::transit::{Stranded, Transit};
use crate::work::Work;

/// The future of a [`FaultService`](crate::FaultService).
///
/// # Cancel safety
///
/// Dropping it cancels the call, as without us, unless its fate says that the work is done
/// whoever waits: then the work goes to the executor ([`Carry`](crate::Carry)) and runs on.
#[pin_project]
pub struct ResponseFuture<S: Service<Req>, Req, A> {
    #[pin]
    state: State<S, Req, A>,
}

// The inner future lies in place; a fate is one pointer whose drop is out of line. Anything fatter
// costs every call that passes.
#[pin_project(project = Project)]
enum State<S: Service<Req>, Req, A> {
    Passing(#[pin] S::Future),
    Fated(Fated<S, Req, A>),
}

/// A call that is more than a future of the service's, until it is over.
struct Fated<S: Service<Req>, Req, A>(Option<Later<S, Req, A>>);

enum Later<S: Service<Req>, Req, A> {
    Work(Pin<Box<Work<S, Req, A>>>),
    /// It passes over a link, which is looked at again when the reply departs.
    Linked(Pin<Box<Linked<S::Future>>>),
    /// Its reply met a disturbed link.
    Stranded(Box<Stranded<Result<S::Response, S::Error>>>),
}

#[pin_project]
struct Linked<F> {
    #[pin]
    inner: F,
    transit: Transit,
}

impl<S: Service<Req>, Req, A> ResponseFuture<S, Req, A> {
    #[inline]
    pub(crate) fn passing(inner: S::Future) -> Self {
        Self {
            state: State::Passing(inner),
        }
    }

    /// It passes, and its link is looked at again when the reply departs.
    #[inline]
    pub(crate) fn linked(inner: S::Future, transit: Transit) -> Self {
        let linked = Later::Linked(Box::pin(Linked { inner, transit }));
        Self {
            state: State::Fated(Fated(Some(linked))),
        }
    }

    pub(crate) fn fated(work: Pin<Box<Work<S, Req, A>>>) -> Self {
        Self {
            state: State::Fated(Fated(Some(Later::Work(work)))),
        }
    }
}

impl<S, Req, A> Future for ResponseFuture<S, Req, A>
where
    S: Service<Req>,
    A: Able<Req, S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Project::Passing(inner) => inner.poll(cx),
            Project::Fated(fated) => fated.poll(cx),
        }
    }
}

impl<S: Service<Req>, Req, A> Fated<S, Req, A> {
    /// Only tells the two apart, so that neither pays for the registers of the other.
    #[inline(never)]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<S::Response, S::Error>>
    where
        A: Able<Req, S::Response, S::Error>,
    {
        match self.0 {
            Some(Later::Linked(_)) => self.poll_linked(cx),
            _ => self.poll_fated(cx),
        }
    }

    #[inline(never)]
    fn poll_linked(&mut self, cx: &mut Context<'_>) -> Poll<Result<S::Response, S::Error>> {
        // Taken out, so that its end is known here and needs no second look at what it is.
        let Some(Later::Linked(mut linked)) = self.0.take() else {
            return Poll::Pending;
        };
        let passing = linked.as_mut().project();
        match passing.inner.poll(cx) {
            Poll::Pending => {
                self.0 = Some(Later::Linked(linked));
                Poll::Pending
            }
            Poll::Ready(reply) if passing.transit.is_still_clear() => Poll::Ready(reply),
            Poll::Ready(reply) => self.depart(linked, reply, cx),
        }
    }

    #[inline(never)]
    fn poll_fated(&mut self, cx: &mut Context<'_>) -> Poll<Result<S::Response, S::Error>>
    where
        A: Able<Req, S::Response, S::Error>,
    {
        let reply = match &mut self.0 {
            Some(Later::Work(work)) => work.as_mut().poll_for_caller(cx),
            Some(Later::Stranded(stranded)) => stranded.poll(cx),
            // ## Over => Over. Polled after it was ready, which a caller must not do: as quiet as
            // an `async` block would be loud.
            Some(Later::Linked(_)) | None => Poll::Pending,
        };
        if reply.is_ready() {
            self.leave();
        }
        reply
    }

    /// The reply departs, on a link that may be disturbed.
    #[cold]
    #[inline(never)]
    fn depart(
        &mut self,
        linked: Pin<Box<Linked<S::Future>>>,
        reply: Result<S::Response, S::Error>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        match linked.transit.depart(reply) {
            Ok(reply) => Poll::Ready(reply),
            // ## Linked => Stranded. The work is done, and the reply does not get away.
            Err(mut stranded) => {
                let reply = stranded.poll(cx);
                self.0 = Some(Later::Stranded(stranded));
                reply
            }
        }
    }
}

impl<S: Service<Req>, Req, A> Fated<S, Req, A> {
    /// The caller has its reply or has given up: what is left runs on without it.
    #[inline]
    fn leave(&mut self) {
        // Taken here, so that the compiler sees that there is nothing left to drop.
        if let Some(later) = self.0.take() {
            later.leave();
        }
    }
}

impl<S: Service<Req>, Req, A> Later<S, Req, A> {
    #[inline(never)]
    fn leave(self) {
        if let Self::Work(work) = self {
            Work::leave(work);
        }
    }
}

impl<S: Service<Req>, Req, A> Drop for Fated<S, Req, A> {
    #[inline]
    fn drop(&mut self) {
        self.leave();
    }
}

impl<S: Service<Req>, Req, A> fmt::Debug for ResponseFuture<S, Req, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
