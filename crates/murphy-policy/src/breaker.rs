//! Middleware that stops calling a peer which does not answer, and asks now and then whether it
//! does again.
//!
//! It opens at failures in a row, at a share of failures or at a share of slow calls, over the last
//! calls or the last while. While it is open, calls fail at once with [`Open`] and the inner service
//! is left alone. After a time a few *trials* are let through; when they came back, it closes, or
//! opens for longer.
//!
//! ```text
//! Closed ── too much failed ──▶ Open ── a call, after its time ──▶ Probation
//!   ▲                            ▲  ◀── a trial failed, or none came back ──┤
//!   └──────────────────── the trials came back well ────────────────────────┘
//! ForcedOpen, ForcedClosed: by the handle, until `automatic` closes it
//! ```
//!
//! * What is terminal is a success: the peer answered ([`classify`](BreakerLayer::classify)). A call
//!   that was dropped is neither, and nor is one that a [`Bulkhead`](crate::Bulkhead) beneath shed:
//!   the peer was not asked. If it was a trial, its place is free again. So put a
//!   [`Timeout`](crate::Timeout) beneath: calls that only a deadline above ends never open it. What
//!   was begun in one state says nothing in the next.
//! * Readiness is the inner service's while the breaker lets calls through. While it refuses them,
//!   it is always ready, also for those who already wait for the inner service, and the `call`
//!   fails. An instance that was readied and not used is let go and a clone takes its place, so
//!   that it holds nobody's permit; hence `S: Clone`.
//! * It is a guess about a peer, made from the calls of this process only; replicas behind one name
//!   share one breaker, so that one bad replica of three can open it for all.
//!
//! A closed breaker takes no lock, allocates nothing, and reads the clock only for slow calls and
//! windows of time. A window of calls is two bits a call, one of time a few counters; both are O(1).
//! Threads that settle in the same moment as the state changes may be counted on either side of it.
//!
//! # Events
//!
//! | name | level | when | fields |
//! |---|---|---|---|
//! | `breaker.opened` | warn | it opened | `site`, `cause`, `wait`, `openings` |
//! | `breaker.probation` | info | a first trial leaves | `site` |
//! | `breaker.closed` | info | it closed | `site` |
//! | `breaker.forced` | warn | its handle forced it | `site`, `state` |
//! | `breaker.refused` | debug | a call was refused | `site` |
//!
//! Counters, by `site`: `murphy_policy_breaker_opened_total`,
//! `murphy_policy_breaker_probation_total`, `murphy_policy_breaker_closed_total`,
//! `murphy_policy_breaker_refused_total`.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{BoxError, BreakerLayer, Open, find};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let service = ServiceBuilder::new()
//!     .layer(BreakerLayer::new().consecutive(2)?)
//!     .service(service_fn(async |_: &str| Err::<(), BoxError>("refused".into())));
//! for _ in 0..2 {
//!     assert_eq!(service.clone().oneshot("hello").await.unwrap_err().to_string(), "refused");
//! }
//! let error = service.oneshot("hello").await.unwrap_err();
//! assert!(find::<Open>(&*error).unwrap().retry_after().is_some());
//! # Ok::<(), BoxError>(())
//! # }).unwrap();
//! ```

pub(crate) mod buckets;
mod core;
mod error;
mod event;
pub(crate) mod future;
mod handle;
mod knobs;
mod layer;
mod machine;
mod ring;
mod rules;
mod tally;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use self::core::Core;
pub use self::error::{BreakerError, Open};
pub use self::future::ResponseFuture;
use self::future::Ticket;
pub use self::handle::{BreakerHandle, State};
pub use self::layer::BreakerLayer;
pub use self::tally::Cause;
use crate::surface::{Boxed, Surface};
use crate::{AnyError, Classify};

/// Stops calling what does not answer. See the [module](self).
pub struct Breaker<S, C = AnyError, M = Boxed> {
    inner: S,
    judge: Arc<Judge<C>>,
    // Whether the inner instance was asked to be ready, and whether it is.
    asked: bool,
    ready: bool,
    // Fires when the state changes. Made when the inner service pends, gone with the call.
    turn: Option<Turn>,
    surface: PhantomData<M>,
}

type Turn = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// What judges an outcome, and what is done about it.
pub(super) struct Judge<C> {
    classify: C,
    core: Arc<Core>,
}

impl<S, C, M> Breaker<S, C, M> {
    fn new(inner: S, classify: C, core: Arc<Core>) -> Self {
        Self::with(inner, Arc::new(Judge { classify, core }))
    }

    const fn with(inner: S, judge: Arc<Judge<C>>) -> Self {
        Self {
            inner,
            judge,
            asked: false,
            ready: false,
            turn: None,
            surface: PhantomData,
        }
    }

    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, without its breaker.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// A hand on the breaker, which all services of its layer share.
    #[must_use]
    pub fn handle(&self) -> BreakerHandle {
        BreakerHandle::new(Arc::clone(&self.judge.core))
    }

    /// Readiness pends: says whether the state changed, and asks to be told when it does.
    #[cold]
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let turn = self.turn.get_or_insert_with(|| {
            let mut states = self.judge.core.subscribe();
            Box::pin(async move {
                // An error would be that the breaker is gone, which we hold.
                let _ = states.changed().await;
            })
        });
        turn.as_mut().poll(cx).map(|()| self.turn = None)
    }
}

impl<S: Clone, C, M> Breaker<S, C, M> {
    /// Lets go of an instance that was asked to be ready and will not be called.
    fn let_go(&mut self) {
        self.turn = None;
        if std::mem::take(&mut self.asked) {
            self.inner = self.inner.clone();
        }
    }
}

impl<S: Clone, C, M> Clone for Breaker<S, C, M> {
    #[inline]
    fn clone(&self) -> Self {
        Self::with(self.inner.clone(), Arc::clone(&self.judge))
    }
}

impl<S: fmt::Debug, C, M> fmt::Debug for Breaker<S, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("inner", &self.inner)
            .field("core", &self.judge.core)
            .finish_non_exhaustive()
    }
}

impl<S, C, M, Req> Service<Req> for Breaker<S, C, M>
where
    S: Service<Req> + Clone,
    S::Error: 'static,
    C: Classify<Req, S::Response, S::Error>,
    M: Surface<Open, S::Error>,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = ResponseFuture<S, Req, C, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        loop {
            self.ready = false;
            if self.judge.core.refuses() {
                self.let_go();
                return Poll::Ready(Ok(()));
            }
            self.asked = true;
            if let Poll::Ready(outcome) = self.inner.poll_ready(cx) {
                self.ready = true;
                return Poll::Ready(outcome.map_err(M::inner));
            }
            // Looked at again once there is an ear for changes, lest one falls in between.
            if self.poll_turn(cx).is_pending() && !self.judge.core.refuses() {
                return Poll::Pending;
            }
        }
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let admitted = match std::mem::take(&mut self.ready) {
            true => self.judge.core.admit(),
            false => Err(self.judge.core.refuse()),
        };
        match admitted {
            Ok(pass) => {
                self.asked = false;
                // Before anything of the user's that can panic: the ticket gives the place back.
                let ticket = Ticket::new(Arc::clone(&self.judge), pass);
                let seen = self.judge.classify.see(&request);
                ResponseFuture::running(self.inner.call(request), ticket, seen)
            }
            Err(open) => {
                self.let_go();
                ResponseFuture::refused(open)
            }
        }
    }
}
