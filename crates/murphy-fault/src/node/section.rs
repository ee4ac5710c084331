//! [`Section`]: a stretch of a node's code that is being run by this thread.

use std::cell::Cell;

use super::core::NodeCore;

thread_local! {
    static WHERE: Cell<Option<Where>> = const { Cell::new(None) };
}

/// Whose code this thread is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Where {
    /// The node's address, which is only compared.
    node: usize,
    incarnation: u64,
}

impl Where {
    /// The innermost node whose code this thread is in.
    pub(super) fn current() -> Option<Self> {
        WHERE.get()
    }

    /// The incarnation of `node` whose code this is, if it is that node's.
    pub(super) fn incarnation_of(node: &NodeCore) -> Option<u64> {
        Self::current()
            .filter(|here| here.node == address(node))
            .map(|here| here.incarnation)
    }
}

/// While it is open, pauses and crashes wait for it.
pub(super) struct Section<'a> {
    node: &'a NodeCore,
    number: u64,
    outer: Option<Where>,
}

impl<'a> Section<'a> {
    /// Only for [`NodeCore::open`].
    pub(super) fn new(node: &'a NodeCore, number: u64, incarnation: u64) -> Self {
        let here = Where {
            node: address(node),
            incarnation,
        };
        Self {
            node,
            number,
            outer: WHERE.replace(Some(here)),
        }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        WHERE.set(self.outer);
        self.node.close(self.number);
    }
}

fn address(node: &NodeCore) -> usize {
    std::ptr::from_ref(node).addr()
}
