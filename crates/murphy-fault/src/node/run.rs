//! [`Run`] and [`RunInline`]: work that a node's pauses stop and its crashes end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::Crashed;
use super::core::{Evict, NodeCore};
use super::post::{Gate, Post};

/// Work on a node. From [`Node::run`](crate::Node::run) and [`Boot::run`](crate::Boot::run).
///
/// # Cancel safety
///
/// Dropping it drops the work, as without the node, also during a pause.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Run<F> {
    state: State<F>,
}

enum State<F> {
    On(Post, Arc<Slot<F>>),
    Down(Crashed),
    Over,
}

/// Where the work lies while nobody polls it, so that a crash finds it.
struct Slot<F> {
    body: Mutex<Body<F>>,
}

enum Body<F> {
    Here(Pin<Box<F>>),
    /// It is being polled, or a poll of it panicked.
    Out,
    /// A crash came by.
    Gone,
}

impl<F: Send + 'static> Run<F> {
    /// Work of this incarnation, or of the one that is up. `begun`: some of it was done already.
    pub(super) fn begin(
        node: &Arc<NodeCore>,
        incarnation: Option<u64>,
        begun: bool,
        work: F,
    ) -> Self {
        let slot = Arc::new(Slot {
            body: Mutex::new(Body::Here(Box::pin(work))),
        });
        let evict = Arc::clone(&slot) as Arc<dyn Evict>;
        let state = match Post::take(node, incarnation, begun, Some(evict)) {
            Ok(post) => State::On(post, slot),
            Err(crashed) => State::Down(crashed),
        };
        Self { state }
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Crashed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = match &self.state {
            State::On(post, slot) => slot.poll(post, cx),
            State::Down(crashed) => Poll::Ready(Err(crashed.clone())),
            // ## Over => Over. Polled after it was ready, which a caller must not do.
            State::Over => Poll::Pending,
        };
        if polled.is_ready() {
            self.state = State::Over;
        }
        polled
    }
}

impl<F: Future> Slot<F> {
    fn poll(&self, post: &Post, cx: &mut Context<'_>) -> Poll<Result<F::Output, Crashed>> {
        let section = match post.enter(cx.waker()) {
            Gate::Open(section) => section,
            Gate::Paused => return Poll::Pending,
            Gate::Gone => return Poll::Ready(Err(post.crashed())),
        };
        let Some(mut work) = self.take_out() else {
            return Poll::Pending;
        };
        match work.as_mut().poll(cx) {
            Poll::Ready(output) => {
                drop(work);
                // What was not handed out before the crash dies with it.
                let output = post.leave().then_some(output);
                drop(section);
                Poll::Ready(output.ok_or_else(|| post.crashed()))
            }
            Poll::Pending => {
                let dead = self.put_back(work);
                let gone = dead.is_some();
                // In the section: a crash on another thread waits for the destructors as well.
                drop(dead);
                drop(section);
                if gone {
                    return Poll::Ready(Err(post.crashed()));
                }
                Poll::Pending
            }
        }
    }
}

impl<F> Slot<F> {
    fn take_out(&self) -> Option<Pin<Box<F>>> {
        let mut body = self.lock();
        match std::mem::replace(&mut *body, Body::Out) {
            Body::Here(work) => Some(work),
            Body::Out => None,
            Body::Gone => {
                *body = Body::Gone;
                None
            }
        }
    }

    /// Puts the work back where a crash finds it; returns it if one came by meanwhile.
    fn put_back(&self, work: Pin<Box<F>>) -> Option<Pin<Box<F>>> {
        let mut body = self.lock();
        match &*body {
            Body::Gone => Some(work),
            Body::Here(_) | Body::Out => {
                *body = Body::Here(work);
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Body<F>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Send> Evict for Slot<F> {
    fn evict(&self) {
        let body = std::mem::replace(&mut *self.lock(), Body::Gone);
        // A destructor may do anything, and so runs under no lock.
        drop(body);
    }
}

impl<F> Drop for Run<F> {
    fn drop(&mut self) {
        if let State::On(post, slot) = &self.state {
            // A crash meanwhile waits until the destructors have run.
            let section = post.open_anyway();
            drop(slot.take_out());
            drop(section);
        }
    }
}

/// Work on a node that may borrow and need not be `Send`. From
/// [`Node::run_inline`](crate::Node::run_inline).
///
/// # Cancel safety
///
/// As [`Run`].
#[must_use = "futures do nothing unless they are awaited"]
#[pin_project]
pub struct RunInline<F> {
    post: Result<Post, Crashed>,
    #[pin]
    work: Option<F>,
}

impl<F> RunInline<F> {
    pub(super) fn begin(node: &Arc<NodeCore>, begun: bool, work: F) -> Self {
        let post = Post::take(node, None, begun, None);
        let work = post.is_ok().then_some(work);
        Self { post, work }
    }
}

impl<F: Future> Future for RunInline<F> {
    type Output = Result<F::Output, Crashed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let post = match this.post {
            Ok(post) => post,
            Err(crashed) => return Poll::Ready(Err(crashed.clone())),
        };
        let section = match post.enter(cx.waker()) {
            Gate::Open(section) => section,
            Gate::Paused => return Poll::Pending,
            Gate::Gone => {
                this.work.set(None);
                return Poll::Ready(Err(post.crashed()));
            }
        };
        let Some(work) = this.work.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let Poll::Ready(output) = work.poll(cx) else {
            return Poll::Pending;
        };
        this.work.set(None);
        let output = post.leave().then_some(output);
        drop(section);
        Poll::Ready(output.ok_or_else(|| post.crashed()))
    }
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for RunInline<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunInline").finish_non_exhaustive()
    }
}
