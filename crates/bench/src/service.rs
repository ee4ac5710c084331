//! The services beneath: they cost next to nothing, so that what is around them shows.
//!
//! Their functions are never inlined, as a real service's are too large to be. Otherwise the
//! optimiser folds a call, and some layers with it, into nothing.

use std::fmt;
use std::future::Future;
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

/// Always ready, and so is its reply.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prompt {
    salt: u64,
}

impl Service<u64> for Prompt {
    type Response = u64;
    type Error = Broken;
    type Future = Reply;

    #[inline(never)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        black_box(cx);
        Poll::Ready(Ok(()))
    }

    #[inline(never)]
    fn call(&mut self, request: u64) -> Reply {
        let reply = black_box(request ^ self.salt);
        Reply { reply, pends: 0 }
    }
}

/// Always ready; its reply pends once and wakes its task itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hesitant {
    salt: u64,
}

impl Service<u64> for Hesitant {
    type Response = u64;
    type Error = Broken;
    type Future = Reply;

    #[inline(never)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        black_box(cx);
        Poll::Ready(Ok(()))
    }

    #[inline(never)]
    fn call(&mut self, request: u64) -> Reply {
        let reply = black_box(request ^ self.salt);
        Reply { reply, pends: 1 }
    }
}

/// The reply of either: 16 bytes.
#[derive(Debug)]
pub struct Reply {
    reply: u64,
    /// How often it pends yet.
    pends: u64,
}

impl Future for Reply {
    type Output = Result<u64, Broken>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.pends == 0 {
            return Poll::Ready(Ok(self.reply));
        }
        self.pends -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
