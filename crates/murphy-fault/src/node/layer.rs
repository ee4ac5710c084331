//! [`NodeLayer`]: places a service on a node.

use tower_layer::Layer;

use super::Node;
use super::reach::Reached;
use super::service::NodeService;
use crate::abilities::{Can, Cannot};
use crate::carry::Inline;
use crate::marker::Marker;
use crate::refuse;

/// Places a service on a node. From [`Node::layer`](crate::Node::layer).
///
/// It changes no type of the stack. While the node is paused, calls are accepted and wait: neither
/// the service's `poll_ready`, nor its `call`, nor its future is run; on resuming they go on in the
/// order of their arrival. A call that is in flight at a crash, or that is made while the node is
/// down, ends in silence, or, with one of the setters, in a refusal.
///
/// | the node | the caller sees | the service |
/// |---|---|---|
/// | is paused | silence, then the reply, late | runs when the node resumes |
/// | crashes with the call in flight | silence, or a refusal of leg *reply*: outcome unknown | is dropped, at once |
/// | is down | silence, or a refusal of leg *request* | never hears of it |
///
/// Calls are disturbed only if they were made while a run was on: otherwise one number is read,
/// and the call passes untouched to its end. Armed, a call costs a few short locks and two allocations.
///
/// What the service itself remembers (a counter in the service's value, the permits of a limit) survives a
/// crash, since the service is not built anew: keep state in [`Node::memory`](crate::Node::memory).
/// Past 262,144 pieces of work that live on the node, a call is treated as if the node were
/// down, and an event says so.
///
/// A caller that leaves takes its call along, as without us.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_core::Seed;
/// use murphy_fault::{Chaos, Plan, TimeLimit};
/// use std::{convert::Infallible, time::Duration};
/// use tower::{service_fn, ServiceBuilder, ServiceExt};
///
/// let chaos = Chaos::new(Seed::new(42));
/// let node = chaos.node("payments");
/// let service = ServiceBuilder::new()
///     .layer(node.layer())
///     .service(service_fn(|order: u64| async move { Ok::<_, Infallible>(order) }));
///
/// let _armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
/// let pause = node.pause().unwrap();
/// let mut call = tokio_test::task::spawn(service.oneshot(17));
/// assert!(call.poll().is_pending());
/// drop(pause); // resumes
/// assert_eq!(call.await, Ok(17));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct NodeLayer<R = Cannot, X = Reached> {
    node: Node,
    refuse: R,
    reach: X,
}

impl NodeLayer {
    pub(super) fn new(node: Node) -> Self {
        Self {
            node,
            refuse: Cannot,
            reach: Reached,
        }
    }
}

impl<R, X> NodeLayer<R, X> {
    /// Calls that a crash ends, or that find the node down, are refused: makes what the caller
    /// gets. The marker's site is the node's name and its fault `crash`.
    ///
    /// On which types this works, see [`FaultLayer::refusing`](crate::FaultLayer::refusing).
    #[must_use]
    #[doc(alias = "connection refused")]
    #[doc(alias = "connection reset")]
    pub fn refusing<Out, F>(self, refuse: F) -> NodeLayer<Can<F>, X>
    where
        F: Fn(&Marker) -> Out,
    {
        self.with_refusal(Can::new(refuse))
    }

    /// They are refused with the marker as a boxed error, as in most tower stacks.
    #[must_use]
    pub fn refusing_boxed(self) -> NodeLayer<refuse::Boxed, X> {
        self.with_refusal(refuse::Boxed)
    }

    /// They are refused with a response of this status, an empty body, and the marker in its
    /// extensions.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn refusing_http(self, status: http::StatusCode) -> NodeLayer<refuse::Http, X> {
        self.with_refusal(refuse::Http(status))
    }

    /// For services that are not `Send` or that borrow: the work lies in its caller's future,
    /// where no crash from outside can drop it. It is not polled again after a crash, and
    /// dropped when the caller is next polled, which the crash sees to, or leaves.
    #[must_use]
    pub fn inline(self) -> NodeLayer<R, Inline> {
        NodeLayer {
            node: self.node,
            refuse: self.refuse,
            reach: Inline,
        }
    }

    fn with_refusal<T>(self, refuse: T) -> NodeLayer<T, X> {
        NodeLayer {
            node: self.node,
            refuse,
            reach: self.reach,
        }
    }
}

impl<S, R: Clone, X> Layer<S> for NodeLayer<R, X> {
    type Service = NodeService<S, R, X>;

    fn layer(&self, inner: S) -> Self::Service {
        NodeService::new(inner, self.node.clone(), self.refuse.clone())
    }
}
