//! [`Signal`]: told of a loss, once somebody wants to be.

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};

/// Whoever waits for a loss, made when the first does: most leases are released before anybody has.
#[derive(Default)]
pub(crate) struct Signal<T>(OnceLock<T>);

impl<T: Default> Signal<T> {
    /// To wait for. `tell` is called if it `is_lost` already: whoever made it so may have found nobody to tell.
    pub(crate) fn get(&self, is_lost: impl FnOnce() -> bool, tell: impl FnOnce(&T)) -> &T {
        if let Some(made) = self.0.get() {
            return made;
        }
        let made = self.0.get_or_init(T::default);
        // With the other fence: one of the two sees the other.
        fence(Ordering::SeqCst);
        if is_lost() {
            tell(made);
        }
        made
    }

    /// It is lost. Those that wait, if any do.
    pub(crate) fn made(&self) -> Option<&T> {
        fence(Ordering::SeqCst);
        self.0.get()
    }
}
