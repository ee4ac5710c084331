//! [`Memory`]: what a quorum's client remembers of its locks: to save rounds, and so that none of its ballots is used twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{LockName, Nonce, Rank};

/// How much is remembered: beyond it one is forgotten for each new one, which costs a round when it is asked for. Ballots
/// of what was forgotten are above all that was.
const MOST: usize = 65_536;

/// Shared by all clones of a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The highest rank that was heard of.
    high: BTreeMap<LockName, Rank>,
    /// The highest of those that were forgotten.
    forgotten: Rank,
    /// Which ballot a nonce won.
    won: BTreeMap<(Nonce, LockName), Rank>,
}

impl Memory {
    pub(crate) fn high(&self, lock: &LockName) -> Rank {
        let known = self.known();
        known.high.get(lock).copied().unwrap_or(known.forgotten)
    }

    pub(crate) fn saw(&self, lock: &LockName, rank: Rank) {
        let mut known = self.known();
        let known = &mut *known;
        match known.high.get_mut(lock) {
            Some(high) => *high = rank.max(*high),
            None if rank > known.forgotten => {
                if let Some((_, high)) = put(&mut known.high, lock.clone(), rank) {
                    known.forgotten = known.forgotten.max(high);
                }
            }
            None => {}
        }
    }

    pub(crate) fn won(&self, lock: &LockName, nonce: Nonce) -> Option<Rank> {
        self.known().won.get(&(nonce, lock.clone())).copied()
    }

    pub(crate) fn wins(&self, lock: &LockName, nonce: Nonce, rank: Rank) {
        let _forgotten = put(&mut self.known().won, (nonce, lock.clone()), rank);
    }

    pub(crate) fn lost(&self, lock: &LockName, nonce: Nonce) {
        self.known().won.remove(&(nonce, lock.clone()));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was forgotten for it, if anything was.
fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) -> Option<(K, V)> {
    map.insert(key, value);
    if map.len() > MOST {
        map.pop_first()
    } else {
        None
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
        assert_eq!(memory.high(&lock(0)), Rank::new(0, 7), "not below what was");
        assert_eq!(memory.high(&lock(MOST)), Rank::new(0, 7), "never falls");
        assert_eq!(memory.known().high.len(), MOST);
    }
}
