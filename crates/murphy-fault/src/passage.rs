//! [`Passing`]: a site's fates around any call.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use murphy_core::Key;
use pin_project::pin_project;
use tower_service::Service;

use crate::Orphan;
use crate::abilities::{Abilities, Able, ByClone, Can, Cannot};
use crate::carry::{Carry, Inline, OnLocal, OnTokio};
use crate::future::ResponseFuture;
use crate::marker::Marker;
use crate::seat::Seat;
use crate::service::FaultService;
use crate::site::Site;

/// One call that passes a site. From [`Site::run`]; await it.
#[must_use = "nothing happens until it is awaited"]
pub struct Passing<W, A = Abilities<Key>> {
    site: Site,
    work: W,
    abilities: A,
}

impl<W> Passing<W> {
    pub(crate) fn new(site: Site, key: Key, work: W) -> Self {
        let abilities = Abilities {
            key,
            words: Cannot,
            copy: Cannot,
            refuse: Cannot,
            requests: Cannot,
            replies: Cannot,
            failure: Cannot,
            carry: OnTokio,
            wire: Cannot,
            sizes: Cannot,
        };
        Self {
            site,
            work,
            abilities,
        }
    }
}

/// The same abilities but one, and so another type.
macro_rules! swap {
    ($passing:ident, $field:ident: $value:expr; $($kept:ident)*) => {
        Passing {
            site: $passing.site,
            work: $passing.work,
            abilities: Abilities { $field: $value, $($kept: $passing.abilities.$kept),* },
        }
    };
}

impl<W, C, R, P, X> Passing<W, Abilities<Key, Cannot, C, R, Cannot, P, Cannot, X>> {
    /// Lets the call be duplicated: the work is cloned, and done once more.
    pub fn duplicating(self) -> Passing<W, Abilities<Key, Cannot, ByClone, R, Cannot, P, Cannot, X>>
    where
        W: Clone,
    {
        swap!(self, copy: ByClone; key words refuse requests replies failure carry wire sizes)
    }

    /// Lets the call be refused: makes what a refused caller gets.
    pub fn refusing<T>(
        self,
        refuse: impl Fn(&Marker) -> T,
    ) -> Passing<
        W,
        Abilities<
            Key,
            Cannot,
            C,
            Can<impl Fn(&Marker) -> Result<T, Infallible>>,
            Cannot,
            P,
            Cannot,
            X,
        >,
    > {
        let refuse = move |marker: &Marker| Ok::<T, Infallible>(refuse(marker));
        swap!(self, refuse: Can::new(refuse); key words copy requests replies failure carry wire sizes)
    }

    /// For work that is not `Send`: as [`FaultLayer::local`](crate::FaultLayer::local).
    pub fn local(self) -> Passing<W, Abilities<Key, Cannot, C, R, Cannot, P, Cannot, OnLocal>> {
        swap!(self, carry: OnLocal; key words copy refuse requests replies failure wire sizes)
    }

    /// For work that borrows: as [`FaultLayer::inline`](crate::FaultLayer::inline).
    pub fn inline(self) -> Passing<W, Abilities<Key, Cannot, C, R, Cannot, P, Cannot, Inline>> {
        swap!(self, carry: Inline; key words copy refuse requests replies failure wire sizes)
    }
}

impl<W, F, A> IntoFuture for Passing<W, A>
where
    W: FnOnce() -> F,
    F: Future,
    A: Able<W, F::Output, Infallible>,
    A::Carrier: Carry<Orphan<Runner, W, A>>,
{
    type Output = F::Output;
    type IntoFuture = Passage<W, F, A>;

    fn into_future(self) -> Passage<W, F, A> {
        // It offers nothing to arming: the next call may have other abilities.
        let core = Arc::clone(&self.site.core);
        let mut service = FaultService::new(Runner, Seat::new(core), Arc::new(self.abilities));
        Passage {
            inner: service.call(self.work),
        }
    }
}

/// The future of a [`Passing`].
///
/// # Cancel safety
///
/// As that of [`ResponseFuture`].
#[pin_project]
pub struct Passage<W: FnOnce() -> F, F: Future, A> {
    #[pin]
    inner: ResponseFuture<Runner, W, A>,
}

impl<W, F, A> Future for Passage<W, F, A>
where
    W: FnOnce() -> F,
    F: Future,
    A: Able<W, F::Output, Infallible>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match ready!(self.project().inner.poll(cx)) {
            Ok(output) => Poll::Ready(output),
            Err(never) => match never {},
        }
    }
}

/// The service whose requests are calls.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Runner;

impl<W: FnOnce() -> F, F: Future> Service<W> for Runner {
    type Response = F::Output;
    type Error = Infallible;
    type Future = Answer<F>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, work: W) -> Answer<F> {
        Answer { inner: work() }
    }
}

#[doc(hidden)]
#[pin_project]
#[derive(Debug)]
pub struct Answer<F> {
    #[pin]
    inner: F,
}

impl<F: Future> Future for Answer<F> {
    type Output = Result<F::Output, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map(Ok)
    }
}

impl<W, A> fmt::Debug for Passing<W, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passing")
            .field("site", &self.site.name())
            .finish_non_exhaustive()
    }
}

impl<W: FnOnce() -> F, F: Future, A> fmt::Debug for Passage<W, F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage").finish_non_exhaustive()
    }
}
