//! [`States`]: the states that were reached, each with a number, and where each step leads.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::model::Model;
use crate::problem::{Class, index};

/// No state: the step is not one of the model.
pub(crate) const NONE: u32 = u32::MAX;

/// The possible states at one time are one set, and a set is a number. It has one state, unless steps
/// can lead to several or there is noise ([`closed`](Self::closed)).
#[derive(Debug)]
pub(crate) struct States<S> {
    states: Numbered<S>,
    sets: Numbered<Box<[u32]>>,
    steps: HashTable<(u32, u32, u32)>,
    noises: Numbered<Vec<u32>>,
    closures: HashTable<(u32, u32, u32)>,
    hasher: FixedState,
    heap: usize,
    /// More states than this are too many.
    most: usize,
    overflowed: bool,
    work: u64,
}

#[derive(Debug)]
struct Numbered<T> {
    items: Vec<T>,
    numbers: HashTable<u32>,
}

impl<T: Hash + Eq> Numbered<T> {
    fn new() -> Self {
        let (items, numbers) = (Vec::new(), HashTable::new());
        Self { items, numbers }
    }

    /// Its number, and whether it is new.
    fn number(&mut self, item: T, hasher: &FixedState) -> (u32, bool) {
        let Self { items, numbers } = self;
        let hash = hasher.hash_one(&item);
        if let Some(&number) = numbers.find(hash, |&n| items[n as usize] == item) {
            return (number, false);
        }
        let number = index(items.len());
        items.push(item);
        numbers.insert_unique(hash, number, |&n| hasher.hash_one(&items[n as usize]));
        (number, true)
    }

    fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<T>() + self.numbers.allocation_size()
    }
}

impl<S: Clone + Eq + Hash> States<S> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            states: Numbered::new(),
            sets: Numbered::new(),
            steps: HashTable::new(),
            noises: Numbered::new(),
            closures: HashTable::new(),
            hasher: FixedState::with_seed(0),
            heap: 0,
            most,
            overflowed: false,
            work: 0,
        }
    }

    /// Whether there were too many: then what it says is worth nothing.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// How often the model was asked.
    pub(crate) fn work(&self) -> u64 {
        self.work
    }

    /// The set of the first state.
    pub(crate) fn initial<M: Model<State = S>>(&mut self, model: &M) -> u32 {
        let first = vec![self.state(model, model.initial())];
        self.set(first)
    }

    /// Where an operation of this class leads; [`NONE`]: nowhere.
    pub(crate) fn step<M: Model<State = S>>(
        &mut self,
        model: &M,
        classes: &[Class<'_, M>],
        (set, class): (u32, u32),
    ) -> u32 {
        let hash = self.hasher.hash_one((set, class));
        if let Some(&(_, _, to)) = self.steps.find(hash, |&(s, c, _)| (s, c) == (set, class)) {
            return to;
        }
        let mut next = Vec::new();
        for at in 0..self.sets.items[set as usize].len() {
            let state = self.sets.items[set as usize][at];
            self.after(model, &classes[class as usize], state, &mut next);
        }
        let to = match next.is_empty() {
            true => NONE,
            false => self.set(next),
        };
        let hasher = &self.hasher;
        let of = |&(set, class, _): &(u32, u32, u32)| hasher.hash_one((set, class));
        self.steps.insert_unique(hash, (set, class, to), of);
        to
    }

    /// These states, and all to which noise of these classes leads from them.
    pub(crate) fn closed<M: Model<State = S>>(
        &mut self,
        model: &M,
        classes: &[Class<'_, M>],
        set: u32,
        noise: Vec<u32>,
    ) -> u32 {
        if noise.is_empty() {
            return set;
        }
        let (noise, _) = self.noises.number(noise, &self.hasher);
        let hash = self.hasher.hash_one((set, noise));
        if let Some(&(_, _, to)) = self
            .closures
            .find(hash, |&(s, n, _)| (s, n) == (set, noise))
        {
            return to;
        }
        let mut all = self.sets.items[set as usize].to_vec();
        let mut fresh = all.clone();
        while let Some(state) = fresh.pop() {
            let mut next = Vec::new();
            for at in 0..self.noises.items[noise as usize].len() {
                let class = self.noises.items[noise as usize][at];
                self.after(model, &classes[class as usize], state, &mut next);
            }
            for state in next {
                if let Err(place) = all.binary_search(&state) {
                    all.insert(place, state);
                    fresh.push(state);
                }
            }
            if self.overflowed {
                break;
            }
        }
        let to = self.set(all);
        let hasher = &self.hasher;
        let of = |&(set, noise, _): &(u32, u32, u32)| hasher.hash_one((set, noise));
        self.closures.insert_unique(hash, (set, noise, to), of);
        to
    }

    /// What it holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.states.bytes() + self.sets.bytes() + self.steps.allocation_size() + self.heap
    }

    fn state<M: Model<State = S>>(&mut self, model: &M, state: S) -> u32 {
        let more = model.weight(&state).saturating_sub(size_of::<S>());
        let (number, is_new) = self.states.number(state, &self.hasher);
        if is_new {
            self.heap += more;
            self.overflowed |= self.states.items.len() > self.most;
        }
        number
    }

    fn after<M: Model<State = S>>(
        &mut self,
        model: &M,
        class: &Class<'_, M>,
        state: u32,
        next: &mut Vec<u32>,
    ) {
        self.work += 1;
        let state = &self.states.items[state as usize];
        let steps = model.step(state, class.request, class.reply);
        for state in steps {
            next.push(self.state(model, state));
        }
    }

    fn set(&mut self, mut set: Vec<u32>) -> u32 {
        set.sort_unstable();
        set.dedup();
        let more = size_of_val(set.as_slice());
        let (number, is_new) = self.sets.number(set.into_boxed_slice(), &self.hasher);
        self.heap += if is_new { more } else { 0 };
        number
    }
}
