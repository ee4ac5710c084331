//! [`Durable`]: what a node knows after a crash.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::Crashed;
use super::cells::{BadCell, lock};
use super::core::NodeCore;

/// A named value on a node's disk. From [`Node::durable`](crate::Node::durable).
///
/// ```text
///   set ──▶ written, not synced ── sync ──▶ stored
///                   │ crash
///                   ▼
///                 lost
/// ```
///
/// It is what `fsync` promises: [`store`](Self::store) is durable when it has returned; what was
/// only [`set`](Self::set) is seen by every reader until a crash takes it back. There are no torn
/// writes, and nobody loses what was synced. A handle: clones, and the same name, are one cell.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use murphy_core::Seed;
/// use murphy_fault::{Chaos, Plan, TimeLimit};
///
/// let chaos = Chaos::new(Seed::new(1));
/// let node = chaos.node("a");
/// let term = node.durable::<u64>("term")?;
/// term.store(7)?;
/// term.set(8)?; // not synced
/// let _armed = chaos.arm(&Plan::new(), TimeLimit::None)?;
/// node.restart()?; // kill -9, and back again
/// assert_eq!(term.get(), Some(7));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "persistent storage")]
#[doc(alias = "stable storage")]
#[doc(alias = "fsync")]
pub struct Durable<T> {
    node: Arc<NodeCore>,
    cell: Arc<Mutex<Pages<T>>>,
}

#[derive(Debug)]
struct Pages<T> {
    stored: Option<Arc<T>>,
    /// Written by this incarnation, and not synced.
    written: Option<(u64, Arc<T>)>,
}

impl<T: Send + Sync + 'static> Durable<T> {
    pub(super) fn open(node: &Arc<NodeCore>, name: &str) -> Result<Self, BadCell> {
        let cell = node.cells.find::<T, _>(node, name)?;
        Ok(Self {
            node: Arc::clone(node),
            cell,
        })
    }

    /// Writes without syncing: every reader sees it at once, and a crash takes it back.
    ///
    /// # Errors
    ///
    /// [`Crashed`] while the node is down, and in code of an earlier incarnation; nothing is
    /// written then.
    #[doc(alias = "write")]
    pub fn set(&self, value: T) -> Result<(), Crashed> {
        let value = Arc::new(value);
        let old = self.node.alive(|incarnation| {
            let written = Some((incarnation, value));
            std::mem::replace(&mut lock(&self.cell).written, written)
        })?;
        drop(old);
        Ok(())
    }

    /// Makes durable what was written. Nothing to do is no error.
    ///
    /// # Errors
    ///
    /// [`Crashed`] as [`set`](Self::set) has it; nothing is synced then.
    #[doc(alias = "flush")]
    pub fn sync(&self) -> Result<(), Crashed> {
        let old = self.node.alive(|incarnation| {
            let mut pages = lock(&self.cell);
            match pages.written.take() {
                Some((by, value)) if by == incarnation => (pages.stored.replace(value), None),
                lost => (None, lost),
            }
        })?;
        drop(old);
        Ok(())
    }

    /// Writes and syncs, both or neither: it is durable when this has returned.
    ///
    /// # Errors
    ///
    /// [`Crashed`] as [`set`](Self::set) has it; nothing is stored then.
    pub fn store(&self, value: T) -> Result<(), Crashed> {
        let value = Arc::new(value);
        let old = self.node.alive(|_| {
            let mut pages = lock(&self.cell);
            (pages.stored.replace(value), pages.written.take())
        })?;
        drop(old);
        Ok(())
    }

    /// What was written last; `None` if nothing ever was. Of a node that is down: what is stored.
    #[must_use]
    #[doc(alias = "read")]
    pub fn get(&self) -> Option<T>
    where
        T: Clone,
    {
        let life = self.node.life();
        let value = {
            let pages = lock(&self.cell);
            let written = pages.written.as_ref();
            let written = written.filter(|(by, _)| Some(*by) == life);
            written
                .map(|(_, value)| value)
                .or(pages.stored.as_ref())
                .cloned()
        };
        value.map(|value| T::clone(&value))
    }

    /// What a crash now would leave.
    #[must_use]
    pub fn stored(&self) -> Option<T>
    where
        T: Clone,
    {
        let value = lock(&self.cell).stored.clone();
        value.map(|value| T::clone(&value))
    }
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            stored: None,
            written: None,
        }
    }
}

impl<T> Clone for Durable<T> {
    fn clone(&self) -> Self {
        Self {
            node: Arc::clone(&self.node),
            cell: Arc::clone(&self.cell),
        }
    }
}

impl<T> fmt::Debug for Durable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable")
            .field("node", &self.node.name)
            .finish_non_exhaustive()
    }
}
