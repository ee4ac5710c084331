//! [`Pending`]: a grant that may be there though nobody has it.

use tokio::time::Instant;

use crate::ask::LeaseStore;
use crate::release::{Owed, Release};
use crate::settings::Settings;
use crate::{LockName, Nonce, Ttl};

/// The requests under one nonce. Dropped while the store may have granted one of them, it has that released in
/// the background.
pub(super) struct Pending<S: LeaseStore> {
    pub(super) store: S,
    pub(super) settings: Settings,
    pub(super) lock: LockName,
    pub(super) nonce: Nonce,
    pub(super) ttl: Ttl,
    /// When a grant to any of them has ended by itself; `None` where there can be none.
    by: Option<Instant>,
    /// One of them went unanswered: it may be granted later than what came after it is refused.
    is_tainted: bool,
}

impl<S: LeaseStore> Pending<S> {
    pub(super) fn new(store: S, settings: Settings, lock: LockName, ttl: Ttl) -> Self {
        let nonce = settings.nonces.draw();
        Self {
            store,
            settings,
            lock,
            nonce,
            ttl,
            by: None,
            is_tainted: false,
        }
    }

    /// A request leaves, and nobody waits for its answer after `give_up`.
    pub(super) fn sent(&mut self, give_up: Instant) {
        let by = give_up.checked_add(self.ttl.get()).unwrap_or(give_up);
        self.by = self.by.max(Some(by));
    }

    /// It was answered: it is not granted.
    pub(super) fn refused(&mut self) {
        if !self.is_tainted {
            self.by = None;
        }
    }

    /// Nobody knows what became of it.
    pub(super) const fn unknown(&mut self) {
        self.is_tainted = true;
    }

    /// It is granted, and somebody has it.
    pub(super) fn taken(&mut self) -> Nonce {
        self.by = None;
        self.nonce
    }

    /// Gives up what may be there, and begins under another nonce.
    pub(super) fn renounce(&mut self) {
        self.give_back();
        self.nonce = self.settings.nonces.draw();
        self.is_tainted = false;
    }

    fn give_back(&mut self) {
        let Some(by) = self.by.take() else {
            return;
        };
        let owed = Owed::new(self.settings.clone(), self.lock.clone(), self.nonce);
        let Ok(room) = self.settings.room.clone().try_acquire_owned() else {
            // ## No room: told when `owed` is dropped, here. The ttl ends it.
            return drop(owed);
        };
        let mut release = Release {
            store: self.store.clone(),
            ttl: self.ttl,
            owed,
            by,
        };
        self.settings.spawn(async move {
            let now = release.owed.settings.clock.now();
            // What failed has been told.
            let _ = release.run(now).await;
            drop(room);
        });
    }
}

impl<S: LeaseStore> Drop for Pending<S> {
    fn drop(&mut self) {
        self.give_back();
    }
}
