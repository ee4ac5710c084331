//! [`Late`]: leases that were granted by a majority, while the rest of the members may not have heard of it yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::ask::{Round, Slate};
use crate::{LockName, Nonce};

/// How many are remembered. Beyond, a record that comes later than the release of its lease ends with its ttl.
const MOST: usize = 65_536;

/// Shared by all clones of a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Late(Arc<Mutex<BTreeMap<(Nonce, LockName), Weak<Round>>>>);

impl Late {
    /// A majority has recorded it, and some of the others may do so yet.
    pub(super) fn note(&self, lock: &LockName, nonce: Nonce, slate: &Slate) {
        let mut all = self.all();
        all.insert((nonce, lock.clone()), slate.round());
        if all.len() > MOST {
            all.pop_first();
        }
    }

    /// It is given back: whoever records it from now on is to undo that.
    pub(super) fn give_up(&self, lock: &LockName, nonce: Nonce) {
        let round = self.all().remove(&(nonce, lock.clone()));
        if let Some(round) = round.and_then(|round| round.upgrade()) {
            round.give_up();
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<(Nonce, LockName), Weak<Round>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
