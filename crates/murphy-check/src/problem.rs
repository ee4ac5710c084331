//! [`Problem`]: one part of a history, made ready for the search.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::Outcome;
use crate::model::{Model, OperationOf};

/// An operation of unknown outcome returns never.
pub(crate) const NEVER: u64 = u64::MAX;

/// One operation, as the search sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    /// Where it is in the history.
    pub(crate) at: usize,
    /// Operations of one class are alike in request and reply.
    pub(crate) class: u32,
    pub(crate) called: u64,
    /// By when it has taken effect, if it has.
    pub(crate) returned: u64,
    /// Or it may be left out.
    pub(crate) is_required: bool,
}

/// What is asked and answered by all operations of one class.
#[derive(Debug)]
pub(crate) struct Class<'a, M: Model> {
    pub(crate) request: &'a M::Request,
    pub(crate) reply: Option<&'a M::Reply>,
    pub(crate) is_read: bool,
}

impl<M: Model> Clone for Class<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Model> Copy for Class<'_, M> {}

/// Operations to put in order.
#[derive(Debug)]
pub(crate) struct Problem<'a, M: Model> {
    /// By call.
    pub(crate) ops: Vec<Op>,
    pub(crate) classes: Vec<Class<'a, M>>,
    /// Operations that may happen any number of times, or not at all, between their call and their return.
    pub(crate) noise: Vec<Op>,
}

impl<'a, M: Model> Problem<'a, M> {
    /// The operations at these places of the history, without those that say nothing: what never happened, and reads of
    /// which nobody knows the answer.
    pub(crate) fn new(model: &M, history: &'a [OperationOf<M>], places: &[usize]) -> Self {
        let hasher = FixedState::with_seed(0);
        let mut by_class: HashTable<u32> = HashTable::new();
        let mut classes: Vec<Class<'a, M>> = Vec::new();
        let mut ops = Vec::with_capacity(places.len());
        for &at in places {
            let operation = &history[at];
            let (request, reply) = (operation.request(), operation.reply());
            let is_read = model.is_read(request, reply);
            if matches!(operation.outcome(), Outcome::Failed) || (reply.is_none() && is_read) {
                continue;
            }
            let is = |&c: &u32| {
                let class = &classes[c as usize];
                class.request == request && class.reply == reply
            };
            let hash = hasher.hash_one((request, reply));
            let class = match by_class.find(hash, is) {
                Some(&class) => class,
                None => {
                    let class = index(classes.len());
                    classes.push(Class {
                        request,
                        reply,
                        is_read,
                    });
                    by_class.insert_unique(hash, class, |&c| {
                        let class = &classes[c as usize];
                        hasher.hash_one((class.request, class.reply))
                    });
                    class
                }
            };
            ops.push(Op {
                at,
                class,
                called: operation.called(),
                returned: operation.returned().unwrap_or(NEVER),
                is_required: operation.returned().is_some(),
            });
        }
        let group = |op: &Op| {
            let class = &classes[op.class as usize];
            model.group(class.request, class.reply)
        };
        // A group of which nothing is certain can be left out as a whole: nobody saw anything of it.
        let certain = ops.iter().filter(|op: &&Op| op.is_required);
        let certain: BTreeSet<u64> = certain.filter_map(group).collect();
        ops.retain(|op| op.is_required || group(op).is_none_or(|group| certain.contains(&group)));
        ops.sort_by_key(|op| (op.called, op.at));
        let noise = Vec::new();
        Self {
            ops,
            classes,
            noise,
        }
    }

    /// The same with other operations, of the same classes.
    pub(crate) fn of(&self, ops: Vec<Op>, noise: Vec<Op>) -> Self {
        let classes = self.classes.clone();
        Self {
            ops,
            classes,
            noise,
        }
    }

    /// Whether what may be left out has to be done in time, if at all: then less can be said beforehand.
    pub(crate) fn is_loose(&self) -> bool {
        let is_loose = |op: &Op| !op.is_required && op.returned != NEVER;
        !self.noise.is_empty() || self.ops.iter().any(is_loose)
    }

    /// Of each operation the one before it in its class, by return: as long as that can be taken, this
    /// need not be tried.
    pub(crate) fn twins(&self) -> Vec<u32> {
        let mut order: Vec<usize> = (0..self.ops.len()).collect();
        order.sort_by_key(|&op| (self.ops[op].returned, op));
        let mut last: BTreeMap<u32, usize> = BTreeMap::new();
        let mut twins = vec![u32::MAX; self.ops.len()];
        for op in order {
            if let Some(twin) = last.insert(self.ops[op].class, op) {
                twins[op] = index(twin);
            }
        }
        twins
    }
}

/// Numbers of operations, states and classes fit: histories are bounded.
pub(crate) fn index(n: usize) -> u32 {
    u32::try_from(n).expect("a history is bounded")
}

/// The places of each part of a history, by key; one part if an operation is about all.
pub(crate) fn parts<M: Model>(
    model: &M,
    history: &[OperationOf<M>],
) -> Vec<(Option<M::Key>, Vec<usize>)> {
    let mut parts: BTreeMap<M::Key, Vec<usize>> = BTreeMap::new();
    for (at, operation) in history.iter().enumerate() {
        match model.key(operation.request()) {
            Some(key) => parts.entry(key).or_default().push(at),
            None => return vec![(None, (0..history.len()).collect())],
        }
    }
    parts.into_iter().map(|(key, at)| (Some(key), at)).collect()
}
