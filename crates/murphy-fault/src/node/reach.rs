//! [`Reach`]: where the work of a service on a node lies, and so whether a crash finds it.

use std::future::Future;

use super::run::{Run, RunInline};
use super::{Crashed, Node};
use crate::carry::Inline;

/// Where a call's work lies: [`Reached`], or [`Inline`] by the layer's `.inline()`.
#[diagnostic::on_unimplemented(
    message = "a crash comes from any thread, and cannot reach the work of this service",
    note = "the service, its request and its future must be `Send + 'static`; else give the node's layer `.inline()`"
)]
pub trait Reach<F: Future> {
    #[doc(hidden)]
    type Run: Future<Output = Result<F::Output, Crashed>>;

    #[doc(hidden)]
    fn begin(node: &Node, begun: bool, work: F) -> Self::Run;
}

/// Work lies where a crash finds it, from any thread. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached;

#[diagnostic::do_not_recommend]
impl<F: Future + Send + 'static> Reach<F> for Reached {
    type Run = Run<F>;

    fn begin(node: &Node, begun: bool, work: F) -> Run<F> {
        Run::begin(&node.core, None, begun, work)
    }
}

#[diagnostic::do_not_recommend]
impl<F: Future> Reach<F> for Inline {
    type Run = RunInline<F>;

    fn begin(node: &Node, begun: bool, work: F) -> RunInline<F> {
        RunInline::begin(&node.core, begun, work)
    }
}
