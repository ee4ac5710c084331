//! [`Shelf`]: a node's disk, and the lives that may write to it.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
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

impl Shelf {
    /// The cell `C` of a `T` with this name. A new one is made for the type that is asked for first.
    pub(super) fn find<T, C>(&self, node: &NodeCore, name: &str) -> Result<Arc<C>, BadCell>
    where
        C: Default + Send + Sync + 'static,
    {
        let mut cells = lock(&self.cells);
        if let Some(there) = cells.get(name) {
            let cell = Arc::clone(&there.cell).downcast();
            return cell.map_err(|_| BadCell::WrongType {
                node: Arc::clone(&node.name),
                name: name.to_owned(),
                asked: type_name::<T>(),
                there: there.label,
            });
        }
        if cells.len() >= MOST_CELLS {
            return Err(BadCell::TooMany {
                node: Arc::clone(&node.name),
                name: name.to_owned(),
            });
        }
        let cell = Arc::new(C::default());
        let labelled = Labelled {
            label: type_name::<T>(),
            cell: Arc::clone(&cell) as Arc<dyn Any + Send + Sync>,
        };
        cells.insert(name.into(), labelled);
        Ok(cell)
    }
}

impl NodeCore {
    /// The incarnation that is up.
    pub(super) fn life(&self) -> Option<u64> {
        let world = self.lock();
        (!world.downs.is_on()).then_some(world.incarnation)
    }

    /// Does something that only a living incarnation may do, and which no crash comes between.
    pub(super) fn alive<T>(&self, change: impl FnOnce(u64) -> T) -> Result<T, Crashed> {
        let mine = Where::incarnation_of(self);
        let world = self.lock();
        let mine = mine.unwrap_or(world.incarnation);
        if world.downs.is_on() || mine != world.incarnation {
            return Err(self.crashed(mine, false));
        }
        Ok(change(mine))
    }
}

pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
