//! Who was forgotten, so that late beats do not bring the dead back.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The last `keep` nodes that were forgotten, and the life in which each ended.
#[derive(Clone, Debug)]
pub(super) struct Ghosts<N> {
    keep: usize,
    known: HashMap<N, u64>,
    order: VecDeque<N>,
}

impl<N: Clone + Eq + Hash> Ghosts<N> {
    pub(super) fn new(keep: u32) -> Self {
        Self {
            keep: keep as usize,
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn of(&self, node: &N) -> Option<u64> {
        self.known.get(node).copied()
    }

    pub(super) fn add(&mut self, node: N, incarnation: u64) {
        if self.keep == 0 {
            return;
        }
        self.remove(&node);
        if self.order.len() == self.keep {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(node.clone(), incarnation);
        self.order.push_back(node);
    }

    /// It lives again, in a later life: its slot remembers it from now on.
    pub(super) fn remove(&mut self, node: &N) {
        if self.known.remove(node).is_some() {
            self.order.retain(|ghost| ghost != node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_ghosts_leave_first() {
        let mut ghosts = Ghosts::new(2);
        ghosts.add("a", 1);
        ghosts.add("b", 1);
        ghosts.add("a", 2);
        ghosts.add("c", 1);
        assert_eq!(
            ["a", "b", "c"].map(|n| ghosts.of(&n)),
            [Some(2), None, Some(1)]
        );
        ghosts.remove(&"a");
        ghosts.add("d", 1);
        assert_eq!(
            ["a", "c", "d"].map(|n| ghosts.of(&n)),
            [None, Some(1), Some(1)]
        );
    }
}
