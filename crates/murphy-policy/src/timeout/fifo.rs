//! A queue in the order of deadlines, from whose middle anything can be taken in O(1).
//!
//! Pure: it is told the time. The slots of one `Vec` are linked by their indices.

use tokio::time::Instant;

/// No slot.
const NONE: u32 = u32::MAX;
/// How many slots an empty queue may keep.
const KEPT: usize = 1024;

/// What waits, the earliest deadline first. Holds as many slots as ever waited at once since it
/// was last empty, and up to 1024 then.
#[derive(Debug)]
pub(super) struct Fifo<T> {
    slots: Vec<Slot<T>>,
    head: u32,
    tail: u32,
    free: u32,
    /// How many slots are not free.
    taken: u32,
}

/// Linked into the queue while it has an item; due, or free, when it has none.
#[derive(Debug)]
struct Slot<T> {
    prev: u32,
    next: u32,
    deadline: Instant,
    item: Option<T>,
}

impl<T> Fifo<T> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            head: NONE,
            tail: NONE,
            free: NONE,
            taken: 0,
        }
    }

    /// The earliest deadline.
    pub(super) fn head(&self) -> Option<Instant> {
        self.slots.get(self.head as usize).map(|slot| slot.deadline)
    }

    /// `deadline`, or that of the last item where it is later: whoever read the clock first, and
    /// came second, waits for so much more.
    pub(super) fn no_earlier(&self, deadline: Instant) -> Instant {
        let tail = self.slots.get(self.tail as usize);
        tail.map_or(deadline, |tail| tail.deadline.max(deadline))
    }

    /// At the end. Its place holds until it is [`remove`](Self::remove)d, due or not.
    pub(super) fn push(&mut self, deadline: Instant, item: T) -> u32 {
        let slot = Slot {
            prev: self.tail,
            next: NONE,
            deadline: self.no_earlier(deadline),
            item: Some(item),
        };
        let at = self.place(slot);
        match self.slots.get_mut(self.tail as usize) {
            Some(tail) => tail.next = at,
            None => self.head = at,
        }
        self.tail = at;
        self.taken += 1;
        at
    }

    fn place(&mut self, slot: Slot<T>) -> u32 {
        if let Some(free) = self.slots.get_mut(self.free as usize) {
            let at = std::mem::replace(&mut self.free, free.next);
            *free = slot;
            return at;
        }
        self.slots.push(slot);
        // 2³² slots are 170 GB.
        self.slots.len() as u32 - 1
    }

    /// The item at `at`; none if it was due.
    pub(super) fn waiting(&mut self, at: u32) -> Option<&mut T> {
        self.slots[at as usize].item.as_mut()
    }

    /// Takes out the first item, if it is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let at = self.head;
        self.head().filter(|deadline| *deadline <= now)?;
        self.unlink(at)
    }

    /// Gives up the place `at`, and what waited there.
    pub(super) fn remove(&mut self, at: u32) -> Option<T> {
        let item = self.unlink(at);
        self.slots[at as usize].next = std::mem::replace(&mut self.free, at);
        self.taken -= 1;
        if self.taken == 0 && self.slots.len() > KEPT {
            *self = Self::new();
        }
        item
    }

    fn unlink(&mut self, at: u32) -> Option<T> {
        let slot = &mut self.slots[at as usize];
        let item = slot.item.take()?;
        let (prev, next) = (slot.prev, slot.next);
        match self.slots.get_mut(prev as usize) {
            Some(prev) => prev.next = next,
            None => self.head = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(next) => next.prev = prev,
            None => self.tail = prev,
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a `Vec` that is searched.
        #[test]
        fn it_is_a_queue_from_which_anything_can_be_taken(
            steps in prop::collection::vec((0_u8..4, any::<prop::sample::Index>()), 0..200)
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut fifo = Fifo::new();
            // Place, deadline, item; none once it was due.
            let mut model: Vec<(u32, Instant, Option<usize>)> = Vec::new();
            for (n, (step, index)) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => {
                        let deadline = now + Duration::from_secs(3);
                        model.push((fifo.push(deadline, n), deadline, Some(n)));
                    }
                    2 if !model.is_empty() => {
                        let (at, _, item) = model.remove(index.index(model.len()));
                        prop_assert_eq!(fifo.remove(at), item);
                    }
                    _ => {
                        now += Duration::from_secs(1);
                        let first = model.iter_mut().find(|entry| entry.2.is_some());
                        let due = first.filter(|entry| entry.1 <= now);
                        prop_assert_eq!(fifo.pop_due(now), due.and_then(|entry| entry.2.take()));
                    }
                }
                let first = model.iter().find(|entry| entry.2.is_some());
                prop_assert_eq!(fifo.head(), first.map(|entry| entry.1));
                for (at, _, item) in &model {
                    prop_assert_eq!(fifo.waiting(*at).copied(), *item);
                }
                prop_assert_eq!(fifo.taken as usize, model.len());
            }
        }
    }

    #[test]
    fn who_comes_second_is_never_due_first() {
        let mut fifo = Fifo::new();
        let late = Instant::now() + Duration::from_secs(1);
        fifo.push(late, 1);
        fifo.push(late - Duration::from_micros(1), 2);
        assert_eq!(fifo.pop_due(late - Duration::from_micros(1)), None);
        assert_eq!(fifo.pop_due(late), Some(1));
        assert_eq!(fifo.head(), Some(late));
        assert_eq!(fifo.pop_due(late), Some(2));
    }

    #[test]
    fn a_crowd_that_left_leaves_no_memory_behind() {
        let mut fifo = Fifo::new();
        let places: Vec<u32> = (0..5000).map(|n| fifo.push(Instant::now(), n)).collect();
        for at in places {
            fifo.remove(at);
        }
        assert_eq!(fifo.slots.capacity(), 0);
        assert!(size_of::<Slot<std::task::Waker>>() <= 48);
    }
}
