//! [`FaultService`]: the one service that carries out every fate.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use murphy_core::Scope;
use tokio::runtime::Handle;
use tower_service::Service;

use crate::abilities::{Abilities, Able};
use crate::carry::Carry;
use crate::future::ResponseFuture;
use crate::run::{Asked, Judged};
use crate::site::Seat;
use crate::work::{Orphan, Work};

/// A service whose calls pass a site. Made by [`FaultLayer`](crate::FaultLayer).
pub struct FaultService<S, A = Abilities> {
    inner: S,
    seat: Seat,
    abilities: Arc<A>,
}

impl<S, A> FaultService<S, A> {
    pub(crate) fn new(inner: S, seat: Seat, abilities: Arc<A>) -> Self {
        Self {
            inner,
            seat,
            abilities,
        }
    }

    /// The service beneath.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service beneath, out again without a trace.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, A> FaultService<S, A> {
    /// Draws the fate of a call; `None` if it passes.
    ///
    /// Never inlined: the disarmed path stays small.
    #[inline(never)]
    fn judge<Req>(&mut self, version: u64, request: &Req) -> Option<Box<Judged>>
    where
        S: Service<Req>,
        A: Able<Req, S::Response, S::Error>,
    {
        let abilities = &*self.abilities;
        let run = self.seat.run(version)?;
        if run.excludes()
            && run
                .limits()
                .exclude
                .iter()
                .any(|word| abilities.is(request, word))
        {
            return None;
        }
        let (passage, look_closer) = run.pass(abilities.key(request));
        if !look_closer {
            return None;
        }
        let asked = Asked {
            able: A::OFFERED,
            in_runtime: Handle::try_current().is_ok(),
            is: &|word| abilities.is(request, word),
        };
        run.decide(passage, &asked)
    }

    #[cold]
    #[inline(never)]
    fn begin<Req>(&mut self, judged: Box<Judged>, mut request: Req) -> ResponseFuture<S, Req, A>
    where
        S: Service<Req> + Clone,
        A: Able<Req, S::Response, S::Error>,
        A::Carrier: Carry<Orphan<S, Req, A>>,
    {
        let scope = Scope::current();
        let copies = judged
            .fate
            .copies
            .iter()
            .map(|_| self.abilities.copy(&request))
            .collect();
        if let Some(draw) = judged.fate.alter_request {
            self.abilities.alter_request(&mut request, draw);
        }
        let abilities = Arc::clone(&self.abilities);
        let carry = |orphan: Orphan<S, Req, A>, runtime: Option<&Handle>| {
            A::Carrier::carry(orphan, runtime)
        };
        let work = Work::begin(
            &mut self.inner,
            request,
            copies,
            judged,
            abilities,
            scope,
            carry,
        );
        ResponseFuture::fated(Box::pin(work))
    }
}

impl<S, A, Req> Service<Req> for FaultService<S, A>
where
    S: Service<Req> + Clone,
    A: Able<Req, S::Response, S::Error>,
    A::Carrier: Carry<Orphan<S, Req, A>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, A>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let version = self.seat.version();
        if version != 0 {
            if let Some(judged) = self.judge(version, &request) {
                return self.begin(judged, request);
            }
        }
        ResponseFuture::passing(self.inner.call(request))
    }
}

impl<S: Clone, A> Clone for FaultService<S, A> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            seat: self.seat.clone(),
            abilities: Arc::clone(&self.abilities),
        }
    }
}

impl<S: fmt::Debug, A> fmt::Debug for FaultService<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultService")
            .field("inner", &self.inner)
            .field("site", &self.seat.name())
            .finish_non_exhaustive()
    }
}
