//! [`ResponseFuture`]: passes the service's future through, or carries a fate out.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

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
    /// Passing, over a link that is looked at again when the reply departs.
    Linked(#[pin] S::Future, Transit),
    Stranded(Box<Stranded<Result<S::Response, S::Error>>>),
    Fated(Fated<S, Req, A>),
}

/// A call with a fate, until it is over.
struct Fated<S: Service<Req>, Req, A>(Option<Pin<Box<Work<S, Req, A>>>>);

impl<S: Service<Req>, Req, A> ResponseFuture<S, Req, A> {
    #[inline]
    pub(crate) fn passing(inner: S::Future) -> Self {
        Self {
            state: State::Passing(inner),
        }
    }

    #[inline]
    pub(crate) fn linked(inner: S::Future, transit: Transit) -> Self {
        Self {
            state: State::Linked(inner, transit),
        }
    }

    pub(crate) fn fated(work: Pin<Box<Work<S, Req, A>>>) -> Self {
        Self {
            state: State::Fated(Fated(Some(work))),
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
        let mut state = self.project().state;
        match state.as_mut().project() {
            Project::Passing(inner) => inner.poll(cx),
            Project::Linked(inner, transit) => {
                let reply = ready!(inner.poll(cx));
                if transit.is_clear() {
                    return Poll::Ready(reply);
                }
                match transit.depart(reply) {
                    Ok(reply) => Poll::Ready(reply),
                    Err(stranded) => {
                        // ## Linked => Stranded. The work is done; its reply does not get away.
                        let mut stranded = Box::new(stranded);
                        let reply = stranded.poll(cx);
                        state.set(State::Stranded(stranded));
                        reply
                    }
                }
            }
            Project::Stranded(stranded) => stranded.poll(cx),
            Project::Fated(fated) => fated.poll(cx),
        }
    }
}

impl<S: Service<Req>, Req, A> Fated<S, Req, A> {
    #[cold]
    #[inline(never)]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<S::Response, S::Error>>
    where
        A: Able<Req, S::Response, S::Error>,
    {
        let Some(work) = &mut self.0 else {
            // ## Over => Over. Polled after it was ready, which a caller must not do: as quiet as
            // an `async` block would be loud.
            return Poll::Pending;
        };
        let reply = work.as_mut().poll_for_caller(cx);
        if reply.is_ready() {
            self.leave();
        }
        reply
    }
}

impl<S: Service<Req>, Req, A> Fated<S, Req, A> {
    /// The caller has its reply or has given up: what is left runs on without it.
    #[inline]
    fn leave(&mut self) {
        // Taken here, so that the compiler sees that there is nothing left to drop.
        if let Some(work) = self.0.take() {
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
