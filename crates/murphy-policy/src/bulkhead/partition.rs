//! Places for each key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use murphy_core::Key;

use super::gate::Gate;

/// All calls share the places; the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Whole;

/// Calls share places with those of the same key: [`BulkheadLayer::by`](super::BulkheadLayer::by).
#[derive(Clone, Copy, Debug)]
pub struct ByKey<F>(pub(super) F);

/// Whose places a call is to have. [`Whole`] and [`ByKey`] are all that there is.
pub trait Partition<Req>: sealed::Sealed {
    /// The key of its partition, if there are any.
    fn key(&self, request: &Req) -> Option<Key>;
}

impl<Req> Partition<Req> for Whole {
    #[inline]
    fn key(&self, _: &Req) -> Option<Key> {
        None
    }
}

impl<Req, F: Fn(&Req) -> Key> Partition<Req> for ByKey<F> {
    #[inline]
    fn key(&self, request: &Req) -> Option<Key> {
        Some((self.0)(request))
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Whole {}
    impl<F> Sealed for super::ByKey<F> {}
}

/// The shape of a gate, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) places: u32,
    pub(super) queue: u32,
    pub(super) newest_first: bool,
    pub(super) partitions: u32,
}

impl Shape {
    pub(super) fn gate(self) -> Arc<Gate> {
        Gate::new(self.places, self.queue, self.newest_first)
    }
}

/// A gate for each key that has calls, and one for the rest.
#[derive(Debug)]
pub(super) struct Gates {
    shape: Shape,
    rest: Arc<Gate>,
    parts: Mutex<BTreeMap<Key, Arc<Gate>>>,
}

impl Gates {
    pub(super) fn new(shape: Shape) -> Arc<Self> {
        Arc::new(Self {
            shape,
            rest: shape.gate(),
            parts: Mutex::default(),
        })
    }

    /// The gate of calls without a key, and of those whose partition there is no room for.
    pub(super) const fn rest(&self) -> &Arc<Gate> {
        &self.rest
    }

    /// The gate of `key`.
    pub(super) fn of(&self, key: Key) -> Arc<Gate> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = parts.get(&key) {
            return Arc::clone(gate);
        }
        if parts.len() >= self.shape.partitions as usize {
            // Whoever is inside or waits holds his gate.
            parts.retain(|_, gate| Arc::strong_count(gate) > 1);
        }
        if parts.len() >= self.shape.partitions as usize {
            return Arc::clone(&self.rest);
        }
        Arc::clone(parts.entry(key).or_insert_with(|| self.shape.gate()))
    }

    /// How many are inside and how many wait, everywhere.
    pub(super) fn counts(&self) -> (u32, u32) {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let gates = parts.values().chain([&self.rest]);
        gates.fold((0, 0), |(inside, waiting), gate| {
            let counts = gate.counts();
            (inside + counts.0, waiting + counts.2)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gates(partitions: u32) -> Arc<Gates> {
        Gates::new(Shape {
            places: 1,
            queue: 0,
            newest_first: false,
            partitions,
        })
    }

    #[test]
    fn a_key_keeps_its_gate_while_somebody_holds_it() {
        let gates = gates(2);
        let (one, two) = (gates.of(Key::new(1)), gates.of(Key::new(2)));
        assert!(Arc::ptr_eq(&one, &gates.of(Key::new(1))) && !Arc::ptr_eq(&one, &two));
        assert!(Arc::ptr_eq(&gates.of(Key::new(3)), gates.rest()), "no room");
        drop(two);
        assert!(
            !Arc::ptr_eq(&gates.of(Key::new(3)), gates.rest()),
            "the idle made room"
        );
        assert!(Arc::ptr_eq(&one, &gates.of(Key::new(1))));
    }

    #[test]
    fn there_are_never_more_than_it_was_told() {
        let gates = gates(3);
        let held: Vec<_> = (0..100).map(|key| gates.of(Key::new(key))).collect();
        assert_eq!(gates.parts.lock().unwrap().len(), 3);
        assert_eq!(
            held.iter()
                .filter(|gate| Arc::ptr_eq(gate, gates.rest()))
                .count(),
            97
        );
    }
}
