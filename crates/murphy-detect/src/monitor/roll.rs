//! The roll: which node has which slot.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// Names by slot, and slots by name. Names come from strangers, so the hash has a key of its own.
#[derive(Clone, Debug)]
pub(super) struct Roll<N> {
    names: Vec<N>,
    slots: HashTable<u32>,
    free: Vec<u32>,
    hasher: RandomState,
}

impl<N: Clone + Eq + Hash> Roll<N> {
    pub(super) fn new() -> Self {
        Self {
            names: Vec::new(),
            slots: HashTable::new(),
            free: Vec::new(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn reserve(&mut self, nodes: usize) {
        self.names.reserve_exact(nodes);
        let (names, hasher) = (&self.names, &self.hasher);
        self.slots
            .reserve(nodes, |&slot| hasher.hash_one(&names[slot as usize]));
    }

    pub(super) fn len(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(super) fn find(&self, node: &N) -> Option<u32> {
        let hash = self.hasher.hash_one(node);
        let is_it = |&slot: &u32| self.names[slot as usize] == *node;
        self.slots.find(hash, is_it).copied()
    }

    pub(super) fn name(&self, slot: u32) -> &N {
        &self.names[slot as usize]
    }

    /// A slot for a node that has none. One that was used before, if there is any.
    pub(super) fn add(&mut self, node: &N) -> u32 {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.names[slot as usize] = node.clone();
                slot
            }
            None => {
                self.names.push(node.clone());
                self.names.len() as u32 - 1
            }
        };
        let (names, hasher) = (&self.names, &self.hasher);
        let hash_of = |&slot: &u32| hasher.hash_one(&names[slot as usize]);
        self.slots.insert_unique(hash_of(&slot), slot, hash_of);
        slot
    }

    /// The name stays where it is until the slot is used again.
    pub(super) fn remove(&mut self, slot: u32) {
        let hash = self.hasher.hash_one(&self.names[slot as usize]);
        if let Ok(entry) = self.slots.find_entry(hash, |&other| other == slot) {
            entry.remove();
            self.free.push(slot);
        }
    }
}
