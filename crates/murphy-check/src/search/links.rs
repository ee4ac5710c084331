//! [`Links`]: a list in a fixed order, from which is taken out and put back.

/// The end of a list.
pub(crate) const END: u32 = u32::MAX;

/// A doubly linked list of numbers below `n`. What was taken out last is put back first (Knuth's dancing links).
#[derive(Debug)]
pub(crate) struct Links {
    // The last element is the list's own, before the first and after the last.
    next: Vec<u32>,
    prev: Vec<u32>,
}

impl Links {
    /// The numbers of `order`, each below `n` and there once, in that order.
    pub(crate) fn new(n: usize, order: impl Iterator<Item = u32>) -> Self {
        let own = n as u32;
        let (mut next, mut prev) = (vec![own; n + 1], vec![own; n + 1]);
        let mut last = own;
        for element in order {
            next[last as usize] = element;
            prev[element as usize] = last;
            last = element;
        }
        next[last as usize] = own;
        prev[n] = last;
        Self { next, prev }
    }

    pub(crate) fn first(&self) -> u32 {
        self.after(self.next.len() as u32 - 1)
    }

    /// What comes after it; [`END`] after the last.
    pub(crate) fn after(&self, element: u32) -> u32 {
        let next = self.next[element as usize];
        if next as usize == self.next.len() - 1 {
            END
        } else {
            next
        }
    }

    pub(crate) fn take(&mut self, element: u32) {
        let (prev, next) = (self.prev[element as usize], self.next[element as usize]);
        self.next[prev as usize] = next;
        self.prev[next as usize] = prev;
    }

    pub(crate) fn put_back(&mut self, element: u32) {
        let (prev, next) = (self.prev[element as usize], self.next[element as usize]);
        self.next[prev as usize] = element;
        self.prev[next as usize] = element;
    }
}
