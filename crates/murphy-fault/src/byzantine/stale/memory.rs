//! [`Memory`]: the last true replies, by key.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use murphy_core::{Draw, Key};

use crate::byzantine::flip::below;

/// A bounded number of replies in all. The oldest is forgotten first, whosever it is.
#[derive(Debug)]
pub(super) struct Memory<M> {
    capacity: NonZeroUsize,
    state: Mutex<State<M>>,
}

#[derive(Debug)]
struct State<M> {
    /// Of each key, the oldest first. No key is without a reply.
    replies: BTreeMap<Key, VecDeque<M>>,
    /// Whose replies they are, the oldest first.
    order: VecDeque<Key>,
}

impl<M> Memory<M> {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self {
            capacity,
            state: Mutex::new(State {
                replies: BTreeMap::new(),
                order: VecDeque::new(),
            }),
        }
    }

    pub(super) fn capacity(&self) -> NonZeroUsize {
        self.capacity
    }

    pub(super) fn len(&self) -> usize {
        self.lock().order.len()
    }

    pub(super) fn remember(&self, key: Key, reply: M) {
        let mut state = self.lock();
        let forgotten = if state.order.len() == self.capacity.get() {
            state.forget()
        } else {
            None
        };
        state.replies.entry(key).or_default().push_back(reply);
        state.order.push_back(key);
        // A destructor of somebody else's runs outside of the lock.
        drop(state);
        drop(forgotten);
    }

    /// One of the replies to this key, but for the newest.
    pub(super) fn stale(&self, key: Key, draw: Draw) -> Option<M>
    where
        M: Clone,
    {
        let state = self.lock();
        let replies = state.replies.get(&key)?;
        let older = replies.len().saturating_sub(1);
        replies.get(below(draw, older)?).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> State<M> {
    /// Forgets the oldest reply of all.
    fn forget(&mut self) -> Option<M> {
        let key = self.order.pop_front()?;
        let replies = self.replies.get_mut(&key)?;
        let oldest = replies.pop_front();
        if replies.is_empty() {
            self.replies.remove(&key);
        }
        oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_newest_and_never_more_than_it_may() {
        let memory = Memory::new(NonZeroUsize::new(4).unwrap());
        let all = |key: u64| -> Vec<u32> {
            let replies = memory.lock().replies.get(&Key::new(key)).cloned();
            replies.unwrap_or_default().into()
        };
        for reply in 0..6 {
            memory.remember(Key::new(u64::from(reply % 2)), reply);
        }
        assert_eq!((all(0), all(1)), (vec![2, 4], vec![3, 5]));
        for reply in 6..9 {
            memory.remember(Key::new(7), reply);
        }
        assert_eq!((all(0), all(1), all(7)), (vec![], vec![5], vec![6, 7, 8]));
        assert_eq!((memory.len(), memory.lock().replies.len()), (4, 2));
    }

    #[test]
    fn the_newest_is_never_stale() {
        let memory = Memory::new(NonZeroUsize::new(8).unwrap());
        let key = Key::new(1);
        let drawn = |memory: &Memory<u32>| {
            let draws = [0, 1 << 62, 1 << 63, u64::MAX];
            draws.map(|bits| memory.stale(key, Draw::from_bits(bits)))
        };
        assert_eq!(drawn(&memory), [None; 4]);
        memory.remember(key, 1);
        assert_eq!(drawn(&memory), [None; 4]);
        memory.remember(key, 2);
        assert_eq!(drawn(&memory), [Some(1); 4]);
        memory.remember(key, 3);
        assert_eq!(drawn(&memory), [Some(1), Some(1), Some(2), Some(2)]);
    }
}
