//! [`Orphan`]: work without a caller.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_service::Service;

use super::Work;
use crate::abilities::Able;

/// Work whose caller left, on an executor. Runs in the caller's scope and span; a panic of the
/// service is caught and reported.
pub struct Orphan<S: Service<Req>, Req, A>(pub(super) Pin<Box<Work<S, Req, A>>>);

impl<S, Req, A> Future for Orphan<S, Req, A>
where
    S: Service<Req>,
    A: Able<Req, S::Response, S::Error>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (scope, span) = (self.0.scope, self.0.span.clone());
        span.in_scope(|| scope.sync(|| self.0.as_mut().poll_alone(cx)))
    }
}

impl<S: Service<Req>, Req, A> fmt::Debug for Orphan<S, Req, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orphan").finish_non_exhaustive()
    }
}
