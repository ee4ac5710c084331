//! [`Volatile`]: what a node does not know after a crash.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::Crashed;
use super::cells::lock;
use super::core::NodeCore;

/// A value in a node's memory. From [`Node::memory`](crate::Node::memory).
///
/// A crash resets it to its first value. A handle: clones are one value.
///
/// What a future holds dies with it anyway; this is for what outlives the future, as what a
/// service keeps in itself does.
#[doc(alias = "in-memory state")]
pub struct Volatile<T> {
    node: Arc<NodeCore>,
    initial: Arc<T>,
    cell: Arc<Mutex<Option<(u64, Arc<T>)>>>,
}

impl<T> Volatile<T> {
    pub(super) fn new(node: &Arc<NodeCore>, initial: T) -> Self {
        Self {
            node: Arc::clone(node),
            initial: Arc::new(initial),
            cell: Arc::default(),
        }
    }

    /// Writes. The value that was there before a crash is dropped no later than here.
    ///
    /// # Errors
    ///
    /// [`Crashed`] while the node is down, and in code of an earlier incarnation; nothing is
    /// written then.
    pub fn set(&self, value: T) -> Result<(), Crashed> {
        let value = Arc::new(value);
        let old = self
            .node
            .alive(|incarnation| lock(&self.cell).replace((incarnation, value)))?;
        drop(old);
        Ok(())
    }

    /// What was written since the last crash, or the first value. Of a node that is down: the
    /// first value.
    #[must_use]
    pub fn get(&self) -> T
    where
        T: Clone,
    {
        let life = self.node.life();
        let value = {
            let cell = lock(&self.cell);
            let written = cell.as_ref().filter(|(by, _)| Some(*by) == life);
            written.map(|(_, value)| value).cloned()
        };
        T::clone(&value.unwrap_or_else(|| Arc::clone(&self.initial)))
    }
}

impl<T> Clone for Volatile<T> {
    fn clone(&self) -> Self {
        Self {
            node: Arc::clone(&self.node),
            initial: Arc::clone(&self.initial),
            cell: Arc::clone(&self.cell),
        }
    }
}

impl<T> fmt::Debug for Volatile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volatile")
            .field("node", &self.node.name)
            .finish_non_exhaustive()
    }
}
