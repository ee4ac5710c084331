//! [`Crowd`]: clients that call at the same time, each call under a key of its own.

use std::future::Future;
use std::time::Duration;

use murphy_core::{Key, Scope};
use tokio::task::JoinSet;

/// The most clients of one crowd.
const MOST: usize = 65_536;

/// Clients that call at the same time. From [`World::clients`](crate::World::clients).
///
/// Each call runs in a [`Scope`] whose key is (client, number), so that a fault at it strikes the
/// same operation in every run, whoever else calls.
///
/// # Examples
///
/// ```
/// # use murphy_chaos::{Budget, explore};
/// # explore("doc-crowd").budget(Budget::runs(500)).check(|w| async move {
/// let answers = w.clients(3).calls(2).each(|caller| async move { caller.client + caller.call }).await;
/// assert_eq!(answers, [0, 1, 1, 2, 2, 3]);
/// # let _ = tokio::time::timeout(std::time::Duration::from_secs(1), w.site("db").run(1u64, || async {})).await;
/// # });
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Crowd {
    clients: usize,
    calls: usize,
    pace: Duration,
}

/// Which client calls, and its how many-th call it is. Both count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The client.
    pub client: usize,
    /// The call.
    pub call: usize,
}

impl Caller {
    /// The key of its scope.
    #[must_use]
    pub fn key(&self) -> Key {
        // Never 0, which is the key of calls that have none.
        Key::from((self.client as u64 + 1, self.call as u64 + 1))
    }
}

impl Crowd {
    pub(crate) fn new(clients: usize) -> Self {
        Self {
            clients: clients.min(MOST),
            calls: 1,
            pace: Duration::ZERO,
        }
    }

    /// How many calls each client makes, one after the other. Default 1.
    pub fn calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// How long each client waits between its calls. Default not at all.
    pub fn pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Makes the calls. Gives back what came of them, by client and then by call.
    ///
    /// # Panics
    ///
    /// Outside of an exploration's run; and as `call` does.
    ///
    /// # Cancel safety
    ///
    /// Dropped, all clients are.
    pub async fn each<C, F>(self, call: C) -> Vec<F::Output>
    where
        C: Fn(Caller) -> F + Clone + 'static,
        F: Future + 'static,
        F::Output: 'static,
    {
        let mut clients = JoinSet::new();
        for client in 0..self.clients {
            let call = call.clone();
            clients.spawn_local(async move {
                let mut answers = Vec::with_capacity(self.calls);
                for nth in 0..self.calls {
                    if nth > 0 && !self.pace.is_zero() {
                        tokio::time::sleep(self.pace).await;
                    }
                    let caller = Caller { client, call: nth };
                    let scope = Scope::current().with_key(caller.key());
                    let answer = scope.sync(|| call(caller));
                    answers.push(scope.enter(answer).await);
                }
                (client, answers)
            });
        }
        let mut all: Vec<(usize, Vec<F::Output>)> = Vec::with_capacity(self.clients);
        while let Some(joined) = clients.join_next().await {
            match joined {
                Ok(answers) => all.push(answers),
                // Nobody aborts them: it was a panic.
                Err(e) => std::panic::resume_unwind(e.into_panic()),
            }
        }
        all.sort_by_key(|(client, _)| *client);
        all.into_iter().flat_map(|(_, answers)| answers).collect()
    }
}
