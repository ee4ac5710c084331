//! What a call inherits from its caller, through a task-local: a [`Key`], a deadline and which
//! attempt it is.
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
    /// How many attempts came before this one.
    repeats: u32,
}

impl Scope {
    /// The scope that the running task is in; an empty one outside of any.
    #[inline]
    #[must_use]
    pub fn current() -> Self {
        SCOPE.try_with(|scope| *scope).unwrap_or_default()
    }

    /// The key of the scope that the running task is in: `Scope::current().key()`, for less.
    #[inline]
    #[must_use]
    pub fn current_key() -> Option<Key> {
        SCOPE.try_with(|scope| scope.key).unwrap_or(None)
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

    /// Which attempt at the operation this is: 1 unless somebody above repeats it.
    ///
    /// Of nested retries it is the number that the nearest one has set, which sets it from the
    /// second attempt on.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.repeats.saturating_add(1)
    }

    /// The same scope in its `attempt`-th attempt, 1 for the first (and for 0).
    #[must_use]
    pub const fn with_attempt(mut self, attempt: u32) -> Self {
        self.repeats = attempt.saturating_sub(1);
        self
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn outside_of_any_task_the_scope_is_empty() {
        assert_eq!(Scope::current(), Scope::default());
    }

    #[test]
    fn attempts_count_from_one() {
        let scope = Scope::default();
        assert_eq!(scope.attempt(), 1);
        for (given, is) in [(0, 1), (1, 1), (2, 2), (u32::MAX, u32::MAX)] {
            assert_eq!(scope.with_attempt(given).attempt(), is);
        }
        assert_eq!(scope.with_attempt(3).sync(|| Scope::current().attempt()), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_nested_deadline_only_shrinks() {
        let outer = Instant::now() + SECOND * 2;
        for (name, inner, want) in [
            ("an earlier one holds", outer - SECOND, outer - SECOND),
            ("a later one does not", outer + SECOND, outer),
        ] {
            let seen = Scope::current().with_deadline(outer).enter(async {
                let nested = Scope::current().with_deadline(inner);
                nested.enter(async { Scope::current().deadline() }).await
            });
            assert_eq!(seen.await, Some(want), "{name}");
        }
        assert_eq!(Scope::current().deadline(), None);
    }

    #[tokio::test]
    async fn a_key_is_inherited_until_another_is_set() {
        let in_order = Scope::current().with_key("order-17");
        in_order
            .enter(async {
                let deadline = Instant::now() + SECOND;
                let nested = Scope::current().with_deadline(deadline);
                let seen = nested.enter(async { Scope::current() }).await;
                assert_eq!(seen.key(), Some("order-17".into()));
                assert_eq!(seen.deadline(), Some(deadline));

                let renamed = Scope::current().with_key("order-18");
                let seen = renamed.enter(async { Scope::current().key() }).await;
                assert_eq!(seen, Some("order-18".into()));
                assert_eq!(Scope::current(), in_order, "what is inside stays inside");
            })
            .await;
    }

    #[tokio::test]
    async fn a_spawned_task_inherits_nothing_unless_it_is_carried_over() {
        let scope = Scope::current().with_key("order-17");
        scope
            .enter(async {
                let bare = tokio::spawn(async { Scope::current() });
                assert_eq!(bare.await.expect("no panic"), Scope::default());

                let carried = tokio::spawn(Scope::current().enter(async { Scope::current() }));
                assert_eq!(carried.await.expect("no panic"), scope);
            })
            .await;
    }

    #[tokio::test]
    async fn a_future_made_in_a_sync_scope_runs_outside_of_it() {
        let scope = Scope::current().with_key("order-17");
        assert_eq!(scope.sync(Scope::current), scope);
        let future = scope.sync(|| async { Scope::current() });
        assert_eq!(future.await, Scope::default());
    }

    #[test]
    fn a_panic_leaves_the_scope() {
        let outer = Scope::current().with_key("order-17");
        outer.sync(|| {
            let inner = Scope::current().with_key("order-18");
            let panic = std::panic::catch_unwind(|| inner.sync(|| panic!("as planned")));
            assert!(panic.is_err());
            assert_eq!(Scope::current(), outer);
        });
        assert_eq!(Scope::current(), Scope::default());
    }

    /// Between two polls of one task, another's scope is not seen.
    #[tokio::test]
    async fn tasks_on_one_thread_keep_their_scopes_apart() {
        let work = |key: u64| {
            Scope::current().with_key(key).enter(async move {
                for _ in 0..10 {
                    assert_eq!(Scope::current().key(), Some(Key::from(key)));
                    tokio::task::yield_now().await;
                }
            })
        };
        let (a, b) = (tokio::spawn(work(1)), tokio::spawn(work(2)));
        a.await.expect("its own key");
        b.await.expect("its own key");
    }
}
