//! [`NodeService`]: a service on a node.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use murphy_core::Key;
use pin_project::pin_project;
use tower_service::Service;

use super::reach::{Reach, Reached};
use super::{Crashed, Node, NodeState};
use crate::Leg;
use crate::abilities::{Cannot, Refusing};
use crate::marker::Marker;

/// A service on a node. Made by [`NodeLayer`](crate::NodeLayer).
pub struct NodeService<S, R = Cannot, X = Reached> {
    inner: S,
    /// The instance has been readied for the next call.
    readied: bool,
    node: Node,
    refuse: R,
    reach: PhantomData<fn(X)>,
}

/// The future of a [`NodeService`].
///
/// # Cancel safety
///
/// Dropping it cancels the call, as without us.
#[pin_project]
pub struct NodeFuture<S, Req, R = Cannot, X = Reached>
where
    S: Service<Req>,
    X: Reach<OnNode<S, Req>>,
{
    #[pin]
    state: State<S::Future, X::Run, R>,
}

#[pin_project(project = Project)]
enum State<F, W, R> {
    Passing(#[pin] F),
    Placed {
        #[pin]
        work: W,
        ordinal: u64,
        node: Node,
        refuse: R,
    },
    Silent,
}

/// One call on a node: readies an instance if it has to, and calls it. Not to be named.
#[pin_project]
pub struct OnNode<S: Service<Req>, Req> {
    /// What is still to be called, and whether it has been readied.
    to_call: Option<(S, bool, Req)>,
    #[pin]
    call: Option<S::Future>,
}

impl<S, R, X> NodeService<S, R, X> {
    pub(super) fn new(inner: S, node: Node, refuse: R) -> Self {
        Self {
            inner,
            readied: false,
            node,
            refuse,
            reach: PhantomData,
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

    #[cold]
    #[inline(never)]
    fn call_placed<Req>(&mut self, readied: bool, request: Req) -> NodeFuture<S, Req, R, X>
    where
        S: Service<Req> + Clone,
        R: Refusing<S::Response, S::Error> + Clone,
        X: Reach<OnNode<S, Req>>,
    {
        let core = &self.node.core;
        let ordinal = core.calls.fetch_add(1, Relaxed);
        let section = core.open_running();
        let begun = section.is_ok() && readied;
        let work = if begun {
            OnNode::called(self.inner.call(request))
        } else if readied {
            // What was readied goes ahead, or down with the node; the clone stays behind.
            let clone = self.inner.clone();
            OnNode::waiting(std::mem::replace(&mut self.inner, clone), true, request)
        } else {
            OnNode::waiting(self.inner.clone(), false, request)
        };
        let work = X::begin(&self.node, begun, work);
        // Only now: what was called in this section has its place, so that a crash finds it.
        drop(section);
        NodeFuture {
            state: State::Placed {
                work,
                ordinal,
                node: self.node.clone(),
                refuse: self.refuse.clone(),
            },
        }
    }
}

impl<S, Req, R, X> Service<Req> for NodeService<S, R, X>
where
    S: Service<Req> + Clone,
    R: Refusing<S::Response, S::Error> + Clone,
    X: Reach<OnNode<S, Req>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = NodeFuture<S, Req, R, X>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if self.node.core.switch.is_armed() {
            let section = match self.node.core.open_running() {
                Ok(section) => section,
                // A backlog takes the connection of a process that stands still; what is down
                // answers, if at all, the call.
                Err(NodeState::Paused | NodeState::Down | NodeState::Running) => {
                    return Poll::Ready(Ok(()));
                }
            };
            ready!(self.inner.poll_ready(cx))?;
            drop(section);
        } else {
            ready!(self.inner.poll_ready(cx))?;
        }
        self.readied = true;
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let readied = std::mem::replace(&mut self.readied, false);
        if readied && !self.node.core.switch.is_armed() {
            return NodeFuture {
                state: State::Passing(self.inner.call(request)),
            };
        }
        self.call_placed(readied, request)
    }
}

impl<S, Req, R, X> Future for NodeFuture<S, Req, R, X>
where
    S: Service<Req>,
    R: Refusing<S::Response, S::Error>,
    X: Reach<OnNode<S, Req>>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let refusal = match state.as_mut().project() {
            Project::Passing(call) => return call.poll(cx),
            Project::Silent => return Poll::Pending,
            Project::Placed {
                work,
                ordinal,
                node,
                refuse,
            } => match ready!(work.poll(cx)) {
                Ok(reply) => return Poll::Ready(reply),
                Err(crashed) => refuse.refuse(&marker(node, &crashed, *ordinal)),
            },
        };
        // ## Placed => Silent. The connection died with the process, and nobody says so.
        state.set(State::Silent);
        refusal.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<S: Service<Req>, Req> OnNode<S, Req> {
    fn called(call: S::Future) -> Self {
        Self {
            to_call: None,
            call: Some(call),
        }
    }

    fn waiting(service: S, readied: bool, request: Req) -> Self {
        Self {
            to_call: Some((service, readied, request)),
            call: None,
        }
    }
}

impl<S: Service<Req>, Req> Future for OnNode<S, Req> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some((service, readied, _)) = this.to_call {
            if !*readied {
                ready!(service.poll_ready(cx))?;
                *readied = true;
            }
        }
        if let Some((mut service, _, request)) = this.to_call.take() {
            this.call.set(Some(service.call(request)));
        }
        match this.call.as_pin_mut() {
            Some(call) => call.poll(cx),
            None => Poll::Pending,
        }
    }
}

fn marker(node: &Node, crashed: &Crashed, ordinal: u64) -> Marker {
    Marker {
        site: node.core.name.clone(),
        fault: "crash".into(),
        leg: if crashed.began() {
            Leg::Reply
        } else {
            Leg::Request
        },
        ordinal,
        key: Key::new(0),
        occurrence: ordinal,
        seed: node.core.switch.seed(),
    }
}

impl<S: Clone, R: Clone, X> Clone for NodeService<S, R, X> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            readied: false,
            node: self.node.clone(),
            refuse: self.refuse.clone(),
            reach: PhantomData,
        }
    }
}

impl<S: fmt::Debug, R, X> fmt::Debug for NodeService<S, R, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeService")
            .field("inner", &self.inner)
            .field("node", &self.node.name())
            .finish_non_exhaustive()
    }
}

impl<S, Req, R, X> fmt::Debug for NodeFuture<S, Req, R, X>
where
    S: Service<Req>,
    X: Reach<OnNode<S, Req>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeFuture").finish_non_exhaustive()
    }
}

impl<S: Service<Req>, Req> fmt::Debug for OnNode<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnNode").finish_non_exhaustive()
    }
}
