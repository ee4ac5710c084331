//! What a call inherits from its caller, through a task-local: a [`Key`] and a deadline.
//!
//! The scope belongs to the *task*: what the future `tokio::spawn`s does not inherit it. Carry it
//! over by hand: `tokio::spawn(Scope::current().enter(work))`.

use std::future::Future;

use tokio::time::Instant;

use crate::Key;

tokio::task_local! {
    static SCOPE: Scope;
}

/// The caller's key and deadline. [`Scope::current`] reads it, [`enter`](Scope::enter) sets it.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use murphy_core::{Key, Scope};
///
/// let seen = Scope::current().with_key("order-17").enter(async { Scope::current().key() }).await;
/// assert_eq!(seen, Some(Key::from("order-17")));
/// assert_eq!(Scope::current().key(), None);
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    key: Option<Key>,
    deadline: Option<Instant>,
}

impl Scope {
    /// The scope that the running task is in; an empty one outside of any.
    #[inline]
    #[must_use]
    pub fn current() -> Self {
        SCOPE.try_with(|scope| *scope).unwrap_or_default()
    }

    /// The key, if the caller has set one.
    #[must_use]
    pub const fn key(&self) -> Option<Key> {
        self.key
    }

    /// The instant after which nobody waits any more, if the caller has set one.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The same scope with this key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Key>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same scope with the earlier of its deadline and this one: a deadline only ever
    /// shrinks on its way down.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |outer| outer.min(deadline)));
        self
    }

    /// Runs `future` in this scope.
    ///
    /// # Cancel safety
    ///
    /// As that of `future`.
    pub fn enter<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        SCOPE.scope(self, future)
    }

    /// Calls `f` in this scope. What `f` returns leaves the scope, also if it is a future.
    pub fn sync<T>(self, f: impl FnOnce() -> T) -> T {
        SCOPE.sync_scope(self, f)
    }
}
