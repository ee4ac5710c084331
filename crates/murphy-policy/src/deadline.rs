//! Middleware that bounds a whole call: readiness, attempts and the sleeps between them.
//!
//! The clock starts at the first `poll_ready` that pends, else at `call`. The deadline is the
//! earlier of this layer's and the caller's own ([`Scope::deadline`]), and is in the scope while
//! the inner service is called and polled, so that a [`Retry`](crate::Retry) beneath knows what is
//! left and a further [`Deadline`] can only shrink it. What the inner service `tokio::spawn`s
//! leaves the scope.
//!
//! ```text
//! Idle ── pends ──▶ Waiting ── ready ──▶ call ──▶ Running ── time is up ──▶ Expired
//!   └──── ready ─────────────────────────▲          └── answers ──▶ done
//!                    └── time is up ──▶ Late ── call ──▶ Expired, inner service untouched
//! ```
//!
//! Running out of time while waiting for readiness is no readiness error, which would end the
//! service for good: `poll_ready` succeeds and the `call` that follows fails. An instance whose
//! call failed untouched keeps what it has of the inner service, its place in a queue or its
//! permit, until it calls or is dropped, and one whose caller walked away from `poll_ready` is late
//! for the next; use a clone for each call.
//!
//! A call costs one clock read, for the instant that propagates; the timer is made only when
//! something pends.
//!
//! # On the wire
//!
//! With the `http` feature, `SendDeadlineLayer` writes what is left on a client's requests, and
//! `ServerDeadlineLayer` takes it from there into the scope of a server's handler, and does not
//! begin what nobody waits for.
//!
//! | event | level | when | fields |
//! |---|---|---|---|
//! | `deadline.elapsed` | warn | a call, or a handler, outlived its deadline | `allowed` |
//! | `deadline.dropped` | warn | a request's time was up before its handler began | `site`, `allowed` |
//! | `deadline.bad_header` | debug | a header was no deadline, and ignored | `site`, `header` |
//!
//! Counters (feature `metrics`), by server: `murphy_policy_deadline_elapsed_total`,
//! `murphy_policy_deadline_dropped_total`, `murphy_policy_deadline_bad_header_total`.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{BoxError, DeadlineLayer, Expired, find};
//! use std::{future::pending, time::Duration};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let service = ServiceBuilder::new()
//!     .layer(DeadlineLayer::new(Duration::from_secs(5)))
//!     .service(service_fn(|_: &str| pending::<Result<(), BoxError>>()));
//! let error = service.oneshot("hello").await.unwrap_err();
//! assert_eq!(find::<Expired>(&*error).unwrap().allowed(), Duration::from_secs(5));
//! # });
//! ```

mod error;
mod future;
#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "http")]
mod header;
#[cfg(feature = "http")]
mod send;
#[cfg(feature = "http")]
mod serve;
#[cfg(feature = "http")]
mod server;

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::Scope;
use tokio::time::{Instant, Sleep};
use tower_layer::Layer;
use tower_service::Service;

pub use self::error::{DeadlineError, Expired};
pub use self::future::ResponseFuture;
#[cfg(feature = "http")]
pub use self::header::HEADER;
#[cfg(feature = "http")]
pub use self::send::{SendDeadline, SendDeadlineLayer};
#[cfg(feature = "http")]
pub use self::serve::ServeFuture;
#[cfg(feature = "http")]
pub use self::server::{ServerDeadline, ServerDeadlineLayer};
use crate::surface::{Boxed, Surface, Typed};
use crate::timer;

/// More than what a timer is rounded up by.
const ROUNDING: Duration = Duration::from_secs(1);

/// Puts a [`Deadline`] around a service.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer<M = Boxed> {
    total: Duration,
    surface: PhantomData<M>,
}

impl DeadlineLayer {
    /// At most `total` for each call, waiting for readiness included.
    ///
    /// [`Duration::ZERO`] lets nothing through; [`Duration::MAX`] sets no deadline of its own and
    /// still enforces the caller's.
    #[must_use]
    pub const fn new(total: Duration) -> Self {
        Self {
            total,
            surface: PhantomData,
        }
    }

    /// Errors are [`DeadlineError<S::Error>`](DeadlineError) instead of
    /// [`BoxError`](crate::BoxError); nothing is asked of `S::Error`.
    #[must_use]
    pub const fn typed(self) -> DeadlineLayer<Typed> {
        DeadlineLayer {
            total: self.total,
            surface: PhantomData,
        }
    }
}

impl<M> DeadlineLayer<M> {
    pub(crate) const fn total(&self) -> Duration {
        self.total
    }
}

impl<S, M> Layer<S> for DeadlineLayer<M> {
    type Service = Deadline<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Deadline {
            inner,
            total: self.total,
            wait: Wait::Idle,
            sleep: None,
            surface: PhantomData,
        }
    }
}

/// Ends a call with [`Expired`] when its time is up, readiness included. See the [module](self).
///
/// A clone starts idle: the wait of the original is not its own.
pub struct Deadline<S, M = Boxed> {
    inner: S,
    total: Duration,
    wait: Wait,
    // Boxed because services move. Made when readiness pends and gone with the call: a timer that
    // stayed would hold its task's waker, and is of no use under another runtime.
    sleep: Option<Pin<Box<Sleep>>>,
    surface: PhantomData<M>,
}

/// When a call began, and when it has to end (never, if that is past the end of time).
#[derive(Clone, Copy, Debug)]
struct Span {
    began: Instant,
    ends: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum Wait {
    Idle,
    Waiting(Span),
    Late(Span),
}

impl Span {
    fn starting_now(total: Duration) -> Self {
        let began = Instant::now();
        let ends = began.checked_add(total);
        Self { began, ends }.in_scope()
    }

    /// Cut to the deadline of the scope that the caller is in now.
    fn in_scope(mut self) -> Self {
        self.ends = match (self.ends, Scope::current().deadline()) {
            (Some(ours), Some(outer)) => Some(ours.min(outer)),
            (ours, outer) => ours.or(outer),
        };
        // tokio rounds up to the millisecond: an end that cannot be rounded is none.
        self.ends = self
            .ends
            .filter(|ends| ends.checked_add(ROUNDING).is_some());
        self
    }

    fn allowed(&self) -> Duration {
        self.ends.map_or(Duration::MAX, |ends| {
            ends.saturating_duration_since(self.began)
        })
    }
}

impl<S, M> Deadline<S, M> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, without its deadline.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// Readiness pends: arms the timer the first time, and says whether time is up.
    #[cold]
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let span = match self.wait {
            Wait::Late(_) => return Poll::Ready(()),
            Wait::Waiting(span) => span,
            Wait::Idle => {
                // ## Idle => Waiting. The call's clock starts.
                let span = Span::starting_now(self.total);
                self.wait = Wait::Waiting(span);
                self.sleep = span
                    .ends
                    .map(|ends| Box::pin(tokio::time::sleep_until(ends)));
                span
            }
        };
        match &mut self.sleep {
            Some(sleep) => {
                std::task::ready!(timer::poll(sleep.as_mut(), cx));
                // ## Waiting => Late. The next call fails without touching the inner service.
                self.wait = Wait::Late(span);
                self.sleep = None;
                Poll::Ready(())
            }
            None => Poll::Pending,
        }
    }
}

impl<S: Clone, M> Clone for Deadline<S, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            total: self.total,
            wait: Wait::Idle,
            sleep: None,
            surface: PhantomData,
        }
    }
}

impl<S: fmt::Debug, M> fmt::Debug for Deadline<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline")
            .field("inner", &self.inner)
            .field("total", &self.total)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

impl<S, M, Req> Service<Req> for Deadline<S, M>
where
    S: Service<Req>,
    M: Surface<Expired, S::Error>,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = ResponseFuture<S::Future, M>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self.inner.poll_ready(cx) {
            Poll::Ready(ready) => Poll::Ready(ready.map_err(M::inner)),
            Poll::Pending => self.poll_late(cx).map(Ok),
        }
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let (span, now) = match std::mem::replace(&mut self.wait, Wait::Idle) {
            Wait::Late(span) => return ResponseFuture::expired(span.allowed()),
            // Readiness can have been waited for in another scope than the call is made in.
            Wait::Waiting(span) => {
                self.sleep = None;
                (span.in_scope(), Instant::now())
            }
            Wait::Idle => {
                let span = Span::starting_now(self.total);
                (span, span.began)
            }
        };
        let Some(ends) = span.ends else {
            return ResponseFuture::running(self.inner.call(request), None, Duration::MAX);
        };
        if now >= ends {
            // Whoever asked has stopped waiting: the work would be for nobody.
            return ResponseFuture::expired(span.allowed());
        }
        let scope = Scope::current().with_deadline(ends);
        let inner = scope.sync(|| self.inner.call(request));
        ResponseFuture::running(inner, Some(ends), span.allowed())
    }
}
