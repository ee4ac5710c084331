//! [`Memory`]: what a quorum's client remembers of its locks, to save rounds. Nothing that safety rests on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{LockName, Nonce, Rank};

/// How much is remembered: beyond it one is forgotten for each new one, which costs a round when it is asked for.
const MOST: usize = 65_536;

/// Shared by all clones of a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The highest rank that was heard of.
    high: BTreeMap<LockName, Rank>,
    /// Which ballot a nonce won.
    won: BTreeMap<(Nonce, LockName), Rank>,
}

impl Memory {
    pub(crate) fn high(&self, lock: &LockName) -> Rank {
        self.known().high.get(lock).copied().unwrap_or(Rank::ZERO)
    }

    pub(crate) fn saw(&self, lock: &LockName, rank: Rank) {
        let high = &mut self.known().high;
        match high.get_mut(lock) {
            Some(known) => *known = rank.max(*known),
            None if rank > Rank::ZERO => put(high, lock.clone(), rank),
            None => {}
        }
    }

    pub(crate) fn won(&self, lock: &LockName, nonce: Nonce) -> Option<Rank> {
        self.known().won.get(&(nonce, lock.clone())).copied()
    }

    pub(crate) fn wins(&self, lock: &LockName, nonce: Nonce, rank: Rank) {
        put(&mut self.known().won, (nonce, lock.clone()), rank);
    }

    pub(crate) fn lost(&self, lock: &LockName, nonce: Nonce) {
        self.known().won.remove(&(nonce, lock.clone()));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    map.insert(key, value);
    if map.len() > MOST {
        map.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_remembered_than_fits() {
        let memory = Memory::default();
        let lock = |n: usize| LockName::try_new(&format!("lock-{n:06}")).unwrap();
        for n in 0..=MOST {
            memory.saw(&lock(n), Rank::new(0, 7));
        }
        memory.saw(&lock(MOST), Rank::new(0, 3));
        assert_eq!(memory.high(&lock(0)), Rank::ZERO);
        assert_eq!(memory.high(&lock(MOST)), Rank::new(0, 7), "never falls");
        assert_eq!(memory.known().high.len(), MOST);
    }
}
