//! [`Hold`]: several guards of one thing. It is on until the last one is gone.

use std::collections::BTreeSet;

/// No larger than the guards that somebody holds: those that were kept are one bit.
#[derive(Debug, Default)]
pub(super) struct Hold {
    guards: BTreeSet<u64>,
    kept: bool,
}

impl Hold {
    pub(super) fn is_on(&self) -> bool {
        self.kept || !self.guards.is_empty()
    }

    pub(super) fn add(&mut self, number: u64) {
        self.guards.insert(number);
    }

    /// This guard will not end it.
    pub(super) fn keep(&mut self, number: u64) {
        // A guard that was cleared meanwhile has nothing left to keep.
        self.kept |= self.guards.remove(&number);
    }

    /// Takes one guard away; `true` if it was the last one.
    pub(super) fn end(&mut self, number: u64) -> bool {
        self.guards.remove(&number) && !self.is_on()
    }

    /// Takes all away; `true` if it was on.
    pub(super) fn clear(&mut self) -> bool {
        let was_on = self.is_on();
        *self = Self::default();
        was_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_on_until_the_last_guard_is_gone() {
        let mut hold = Hold::default();
        assert!(!hold.clear());
        hold.add(1);
        hold.add(2);
        assert!(!hold.end(1), "another is left");
        assert!(!hold.end(1), "gone already");
        assert!(hold.is_on() && hold.end(2) && !hold.is_on());
    }

    #[test]
    fn a_kept_guard_is_ended_by_clearing_only() {
        let mut hold = Hold::default();
        hold.add(1);
        hold.add(2);
        hold.keep(1);
        assert!(!hold.end(2) && !hold.end(1) && hold.is_on());
        assert!(hold.clear() && !hold.is_on());
        hold.keep(2);
        assert!(!hold.is_on(), "a guard of the past keeps nothing");
    }
}
