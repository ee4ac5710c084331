//! [`Durable`] and [`Volatile`]: what a node knows after a crash, and what it does not.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Crashed;
use super::core::NodeCore;
use super::section::Where;

/// The most durable cells of one node.
const MOST_CELLS: usize = 65_536;

/// A node's disk: cells by name.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    cells: Mutex<BTreeMap<Arc<str>, Labelled>>,
}

#[derive(Debug)]
struct Labelled {
    /// What is in it, for people.
    label: &'static str,
    cell: Arc<dyn Any + Send + Sync>,
}

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

struct Pages<T> {
    stored: Option<Arc<T>>,
    /// Written by this incarnation, and not synced.
    written: Option<(u64, Arc<T>)>,
}

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

/// There is no such cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCell {
    /// The name is taken by a cell of another type.
    #[error("node `{node}`: `{name}` was asked for as `{asked}`, and holds a `{there}`")]
    WrongType {
        /// The node.
        node: Arc<str>,
        /// The cell's name.
        name: String,
        /// The type that was asked for.
        asked: &'static str,
        /// The type of what is there.
        there: &'static str,
    },
    /// The node has 65,536 cells.
    #[error("node `{node}`: no room for `{name}`: a node has at most {MOST_CELLS} durable cells")]
    TooMany {
        /// The node.
        node: Arc<str>,
        /// The cell's name.
        name: String,
    },
}

impl<T: Send + Sync + 'static> Durable<T> {
    pub(super) fn open(node: &Arc<NodeCore>, name: &str) -> Result<Self, BadCell> {
        let mut cells = lock(&node.cells.cells);
        if let Some(Labelled { label, cell }) = cells.get(name) {
            let cell = Arc::clone(cell).downcast();
            return match cell {
                Ok(cell) => Ok(Self {
                    node: Arc::clone(node),
                    cell,
                }),
                Err(_) => Err(BadCell::WrongType {
                    node: Arc::clone(&node.name),
                    name: name.to_owned(),
                    asked: type_name::<T>(),
                    there: label,
                }),
            };
        }
        if cells.len() >= MOST_CELLS {
            return Err(BadCell::TooMany {
                node: Arc::clone(&node.name),
                name: name.to_owned(),
            });
        }
        let cell = Arc::new(Mutex::new(Pages::<T> {
            stored: None,
            written: None,
        }));
        let labelled = Labelled {
            label: type_name::<T>(),
            cell: Arc::clone(&cell) as Arc<dyn Any + Send + Sync>,
        };
        cells.insert(name.into(), labelled);
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

impl NodeCore {
    /// The incarnation that is up.
    fn life(&self) -> Option<u64> {
        let world = self.lock();
        (!world.downs.is_on()).then_some(world.incarnation)
    }

    /// Does something that only a living incarnation may do, and which no crash comes between.
    fn alive<T>(&self, change: impl FnOnce(u64) -> T) -> Result<T, Crashed> {
        let mine = Where::incarnation_of(self);
        let world = self.lock();
        let mine = mine.unwrap_or(world.incarnation);
        if world.downs.is_on() || mine != world.incarnation {
            return Err(self.crashed(mine, false));
        }
        Ok(change(mine))
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

impl<T> Clone for Volatile<T> {
    fn clone(&self) -> Self {
        Self {
            node: Arc::clone(&self.node),
            initial: Arc::clone(&self.initial),
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

impl<T> fmt::Debug for Volatile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volatile")
            .field("node", &self.node.name)
            .finish_non_exhaustive()
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
