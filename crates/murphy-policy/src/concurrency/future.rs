//! The future of a [`Concurrency`](super::Concurrency).

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project::pin_project;
use tower_service::Service;

use super::core::Core;
use super::measured::Measured;
use super::{Judge, Limited};
use crate::bulkhead::Why;
use crate::bulkhead::passage::{Passage, Stopped};
use crate::metered::count;
use crate::surface::{Boxed, Surface};
use crate::{AnyError, Classify, TARGET};

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
pub struct ResponseFuture<S, Req, C = AnyError, M = Boxed>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    #[pin]
    passage: Passage<Measured<S, C>, Req>,
    judge: Arc<Judge<C>>,
    surface: PhantomData<M>,
}

impl<S, Req, C, M> ResponseFuture<S, Req, C, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    #[inline]
    pub(super) const fn new(passage: Passage<Measured<S, C>, Req>, judge: Arc<Judge<C>>) -> Self {
        Self {
            passage,
            judge,
            surface: PhantomData,
        }
    }
}

impl<S, Req, C, M> Future for ResponseFuture<S, Req, C, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
    M: Surface<Limited, S::Error>,
{
    type Output = Result<S::Response, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.passage.poll(cx).map_err(|stopped| match stopped {
            Stopped::Inner(error) => M::inner(error),
            Stopped::Shed(why) => M::own(limited(&this.judge.core, why)),
        })
    }
}

#[cold]
fn limited(core: &Core, why: Why) -> Limited {
    let (site, limit) = (&*core.site, core.limit());
    count("murphy_policy_concurrency_limited_total", site);
    tracing::debug!(name: "concurrency.limited", target: TARGET, site, limit, %why, "shed");
    Limited::new(Arc::clone(&core.site), limit, why)
}

impl<S, Req, C, M> fmt::Debug for ResponseFuture<S, Req, C, M>
where
    S: Service<Req>,
    C: Classify<Req, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("concurrency::ResponseFuture")
            .field("core", &self.judge.core)
            .finish_non_exhaustive()
    }
}
