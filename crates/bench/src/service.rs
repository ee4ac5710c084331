//! The services beneath: they cost next to nothing, so that what is around them shows.
//!
//! The optimiser is kept from seeing what their futures hold, as it would be with a real service's.
//! Otherwise it folds a call and whatever is around it into nothing.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower::Service;

/// The one error. It never happens.
#[derive(Clone, Copy, Debug)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

/// Always ready, and so is its reply: the request.
#[derive(Clone, Copy, Debug)]
pub struct Prompt;

impl Service<u64> for Prompt {
    type Response = u64;
    type Error = Broken;
    type Future = Ready<Result<u64, Broken>>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: u64) -> Self::Future {
        black_box(ready(Ok(request)))
    }
}

/// Always ready; its reply pends once and wakes its task itself.
#[derive(Clone, Copy, Debug)]
pub struct Hesitant;

impl Service<u64> for Hesitant {
    type Response = u64;
    type Error = Broken;
    type Future = Hesitation;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: u64) -> Hesitation {
        black_box(Hesitation {
            request,
            pended: false,
        })
    }
}

/// The reply of a [`Hesitant`].
#[derive(Debug)]
pub struct Hesitation {
    request: u64,
    pended: bool,
}

impl Future for Hesitation {
    type Output = Result<u64, Broken>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.pended {
            return Poll::Ready(Ok(self.request));
        }
        self.pended = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
