//! [`Taken`] and [`Cache`]: which operations have been put in order, and which such sets have been seen with which state.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// A set of operations. Those that may be left out have their own words: else one that never is would keep all
/// others in the cache's key.
#[derive(Debug)]
pub(crate) struct Taken {
    words: Vec<u64>,
    required: usize,
    places: Vec<u32>,
}

impl Taken {
    /// None of them; each is required or not.
    pub(crate) fn new(required: impl Iterator<Item = bool> + Clone) -> Self {
        let count = required.clone().filter(|is| *is).count() as u32;
        let words = (count as usize).div_ceil(64);
        let (mut one, mut other) = (0, words as u32 * 64);
        let place = |is| {
            let next = if is { &mut one } else { &mut other };
            *next += 1;
            *next - 1
        };
        let places: Vec<u32> = required.map(place).collect();
        Self {
            words: vec![0; (other as usize).div_ceil(64)],
            required: words,
            places,
        }
    }

    pub(crate) fn has(&self, op: u32) -> bool {
        let place = self.places[op as usize];
        self.words[place as usize / 64] >> (place % 64) & 1 == 1
    }

    pub(crate) fn flip(&mut self, op: u32) {
        let place = self.places[op as usize];
        self.words[place as usize / 64] ^= 1 << (place % 64);
    }

    /// As few words as tell it from every other: how many words are full at first, what follows up to the last
    /// that is not empty, and the same of those that may be left out.
    fn key(&self) -> (u32, &[u64], &[u64]) {
        let (required, others) = self.words.split_at(self.required);
        let full = required.iter().take_while(|word| **word == u64::MAX);
        let full = full.count();
        (full as u32, trimmed(&required[full..]), trimmed(others))
    }
}

fn trimmed(words: &[u64]) -> &[u64] {
    let used = words.iter().rposition(|word| *word != 0);
    &words[..used.map_or(0, |last| last + 1)]
}

/// Sets of operations, each with a state, that have been looked at. Exact: no two are taken for one.
#[derive(Debug)]
pub(crate) struct Cache {
    hasher: FixedState,
    // Entries start here in `words`: a head of two words, then the key's.
    entries: HashTable<usize>,
    words: Vec<u64>,
}

const HEAD: usize = 2;

impl Cache {
    pub(crate) fn new() -> Self {
        Self {
            hasher: FixedState::with_seed(0),
            entries: HashTable::new(),
            words: Vec::new(),
        }
    }

    /// Whether it had not been there.
    pub(crate) fn insert(&mut self, taken: &Taken, state: u32) -> bool {
        let (full, required, others) = taken.key();
        let head = [
            u64::from(state) | u64::from(full) << 32,
            required.len() as u64 | (others.len() as u64) << 32,
        ];
        let start = self.words.len();
        self.words.extend(head);
        self.words.extend(required);
        self.words.extend(others);
        let Self {
            hasher,
            entries,
            words,
        } = self;
        let hash = hash_of(hasher, words, start);
        let is = |&other: &usize| entry(words, other) == entry(words, start);
        if entries.find(hash, is).is_some() {
            words.truncate(start);
            return false;
        }
        entries.insert_unique(hash, start, |&at| hash_of(hasher, words, at));
        true
    }

    /// What it holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>() + self.entries.allocation_size()
    }
}

fn entry(words: &[u64], start: usize) -> &[u64] {
    let lengths = words[start + 1];
    let length = (lengths & u64::from(u32::MAX)) + (lengths >> 32);
    &words[start..start + HEAD + length as usize]
}

fn hash_of(hasher: &FixedState, words: &[u64], start: usize) -> u64 {
    let mut hash = hasher.build_hasher();
    for word in entry(words, start) {
        hash.write_u64(*word);
    }
    hash.finish()
}
