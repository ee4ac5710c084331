//! The future of a [`Bulkhead`](super::Bulkhead).

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project::pin_project;
use tower_service::Service;

use super::passage::{Passage, Stopped};
use super::{Shed, Why};
use crate::TARGET;
use crate::metered::count;
use crate::surface::{Boxed, Surface};

/// A call that waits for its place, holds it, or was shed.
///
/// # Panics
///
/// When it waits with a deadline outside a tokio runtime with time enabled, and when it is polled
/// after it is done.
///
/// # Cancel safety
///
/// Dropping it drops the inner future and gives its place back, inside or in the queue.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<S: Service<Req>, Req, M = Boxed> {
    #[pin]
    passage: Passage<S, Req>,
    site: Arc<str>,
    surface: PhantomData<M>,
}

impl<S: Service<Req>, Req, M> ResponseFuture<S, Req, M> {
    #[inline]
    pub(super) const fn new(passage: Passage<S, Req>, site: Arc<str>) -> Self {
        Self {
            passage,
            site,
            surface: PhantomData,
        }
    }
}

impl<S, Req, M> Future for ResponseFuture<S, Req, M>
where
    S: Service<Req>,
    M: Surface<Shed, S::Error>,
{
    type Output = Result<S::Response, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.passage.poll(cx).map_err(|stopped| match stopped {
            Stopped::Inner(error) => M::inner(error),
            Stopped::Shed(why) => M::own(shed(this.site, why)),
        })
    }
}

#[cold]
fn shed(site: &Arc<str>, why: Why) -> Shed {
    count("murphy_policy_bulkhead_shed_total", site);
    tracing::debug!(name: "bulkhead.shed", target: TARGET, site = &**site, %why, "shed");
    Shed::new(Arc::clone(site), why)
}

impl<S: Service<Req>, Req, M> fmt::Debug for ResponseFuture<S, Req, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("bulkhead::ResponseFuture")
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}
