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
    #[inline(never)]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<S::Response, S::Error>>
    where
        A: Able<Req, S::Response, S::Error>,
    {
        let reply = match &mut self.0 {
            Some(Later::Work(work)) => work.as_mut().poll_for_caller(cx),
            Some(Later::Linked(linked)) => {
                let linked = linked.as_mut().project();
                let reply = ready!(linked.inner.poll(cx));
                if linked.transit.is_clear() {
                    Poll::Ready(reply)
                } else {
                    match linked.transit.depart(reply) {
                        Ok(reply) => Poll::Ready(reply),
                        Err(stranded) => self.strand(stranded, cx),
                    }
                }
            }
            Some(Later::Stranded(stranded)) => stranded.poll(cx),
            // ## Over => Over. Polled after it was ready, which a caller must not do: as quiet as
            // an `async` block would be loud.
            None => Poll::Pending,
        };
        if reply.is_ready() {
            self.leave();
        }
        reply
    }

    /// ## Linked => Stranded. The work is done, and the reply does not get away.
    #[cold]
    fn strand(
        &mut self,
        mut stranded: Box<Stranded<Result<S::Response, S::Error>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        let reply = stranded.poll(cx);
        self.0 = Some(Later::Stranded(stranded));
        reply
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
