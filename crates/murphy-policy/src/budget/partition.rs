//! [`Budgets`]: one budget a key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use murphy_core::Key;

use super::Budget;

/// A budget for each key (a tenant, a backend), so that the failures of one do not cost the others
/// theirs. Clones share them.
///
/// At most so many keys have one of their own; all others share one more.
///
/// # Examples
///
/// ```
/// use murphy_policy::{Budget, Budgets};
///
/// let budgets = Budgets::new(1_000, || Budget::try_new(0.1, 1).expect("a ratio"));
/// budgets.of("one").acquire().expect("its reserve").sent();
/// assert!(budgets.of("one").acquire().is_none());
/// assert!(budgets.of("other").acquire().is_some());
/// ```
#[derive(Clone)]
pub struct Budgets(Arc<Shared>);

struct Shared {
    most: usize,
    build: Box<dyn Fn() -> Budget + Send + Sync>,
    own: Mutex<BTreeMap<Key, Budget>>,
    others: Budget,
}

impl Budgets {
    /// At most `keys` budgets, each as `build` makes it, and one for all further keys together.
    #[must_use]
    pub fn new(keys: usize, build: impl Fn() -> Budget + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            most: keys,
            others: build(),
            build: Box::new(build),
            own: Mutex::default(),
        }))
    }

    /// The budget of this key. Takes a lock.
    #[must_use]
    pub fn of(&self, key: impl Into<Key>) -> Budget {
        let mut own = self.0.own.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, has_room) = (key.into(), own.len() < self.0.most);
        match own.get(&key) {
            Some(budget) => budget.clone(),
            None if has_room => {
                let budget = (self.0.build)();
                own.insert(key, budget.clone());
                budget
            }
            None => self.0.others.clone(),
        }
    }

    /// How many keys have a budget of their own.
    #[must_use]
    pub fn len(&self) -> usize {
        let own = self.0.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.len()
    }

    /// Whether no key has one yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Budgets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budgets")
            .field("most", &self.0.most)
            .field("own", &self.len())
            .finish_non_exhaustive()
    }
}
