//! [`Lease`]: the guard of a lease that is held.

mod charge;
pub(crate) mod held;
pub(crate) mod keeper;
mod mark;
mod post;
pub(crate) mod release;
pub(crate) mod rest;
pub(crate) mod run;
pub(crate) mod shared;
mod signal;
mod views;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::charge::{Attended, Charge, Rested};
use self::held::{Held, NotEnsured};
use self::post::{Idle, Left};
use self::rest::EARLY;
use self::shared::{Begun, Shared};
use crate::ask::LeaseStore;
use crate::machine::{Renewal, Terms};
use crate::release::Owed;
use crate::settings::Settings;
use crate::{FencingToken, Lost, Ttl, Why, event};

/// A lease that is held, for as long as it can be proved to be.
///
/// It is renewed in the background, at a third of its time and, if that fails, again and again until its time is up: from its
/// first renewal on by a task of its own, and before that it rests with others of its client. Both are the runtime's in which it was
/// acquired, and end with it: then it is lost. While that runtime is not run (one of a single thread, between two `block_on`), nothing is
/// renewed or released, and who waits for either in another waits.
/// That it is *lost* does not wait for any answer: by the holder's own clock it is over when its time is up, also while
/// a renewal hangs, and stays so.
///
/// What it cannot do is stop a holder that does not look: code between two looks may go on after the loss, and
/// what it has sent arrives when it likes. So give the [token](Self::token) to each write, and have the resource refuse
/// the old ones.
///
/// Dropping it releases it in the background, in that runtime, and no longer than until it would have ended by itself;
/// [`release`](Self::release) says what came of that.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use murphy_lease::{Locks, MemoryStore};
///
/// let locks = Locks::new(MemoryStore::new());
/// let lease = locks.acquire("orders").await?;
/// let sum = lease.run(|held| async move {
///     // .. give `held.token()?` to each write.
///     held.token().map(|token| token.rank())
/// }).await??;
/// assert_eq!(sum, lease.token()?.rank());
/// lease.release().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a lease is released when it is dropped"]
#[doc(alias = "guard")]
#[doc(alias = "lock")]
pub struct Lease {
    held: Held,
}

/// What a lease is made of.
pub(crate) struct Kept<S> {
    pub(crate) store: S,
    pub(crate) settings: Settings,
    pub(crate) token: FencingToken,
    pub(crate) ttl: Ttl,
    pub(crate) renewal: Renewal,
    /// When the request left that it was granted to, or that renewed it.
    pub(crate) sent: Instant,
    /// For how long from then.
    pub(crate) granted: Duration,
    pub(crate) now: Instant,
}

impl Lease {
    /// Keeps what was granted.
    pub(crate) fn keep<S: LeaseStore>(kept: Kept<S>) -> Self {
        let Kept {
            store,
            settings,
            token,
            ttl,
            renewal,
            sent,
            granted,
            now,
        } = kept;
        let terms = Terms {
            ttl,
            validity: settings.validity,
            renewal,
            pace: settings.pace(token.nonce()),
        };
        let span = event::holding(&settings.site, &token);
        let (lock, nonce) = (token.lock().clone(), token.nonce());
        let shared = Arc::new(Shared::new(Begun {
            token,
            site: settings.site.clone(),
            clock: settings.clock.clone(),
            sent,
            until: settings.validity.until(sent, granted),
            is_watched: matches!(renewal, Renewal::WhileProgress(_)),
            window: settings.validity.window(ttl.get().max(granted)),
        }));
        let until = terms.rests(sent, granted).filter(|at| *at > now + EARLY);
        // A watch begins with the lease.
        let rest = settings.rest().filter(|_| settings.watch.is_none());
        let keeper = Box::new(Rested {
            charge: Charge {
                store,
                ttl,
                owed: Owed::new(settings, lock, nonce),
                shared: Attended(Arc::clone(&shared)),
                ends: now + granted,
            },
            terms,
            sent,
            granted,
            now,
            span,
        });
        match (rest, until) {
            (Some(rest), Some(until)) => {
                shared.post.rests(keeper, rest, until, Arc::clone(&shared));
            }
            _ => {
                let (keepers, orders) = oneshot::channel();
                shared.post.works(keepers);
                let settings = keeper.charge.owed.settings.clone();
                settings.spawn(keeper.work(orders));
            }
        }
        let held = Held { shared };
        Self { held }
    }

    /// The proof that it is held: one look at the clock, and one at a number.
    ///
    /// Take it anew for each write.
    ///
    /// # Errors
    ///
    /// [`Lost`], from the instant on at which its time is up.
    #[inline]
    #[doc(alias = "fencing token")]
    pub fn token(&self) -> Result<&FencingToken, Lost> {
        self.held.token()
    }

    /// The token, whether or not it is lost: for a resource to decide, or for a test that shows that it does.
    #[must_use]
    pub fn stale_token(&self) -> &FencingToken {
        self.held.stale_token()
    }

    /// How much of it is left by the holder's own clock, if it is not renewed; nothing if it is lost.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.held.remaining()
    }

    /// Has at least so much left, and renews it first if there is less: in the runtime that it was acquired in, which has to be run
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// [`NotEnsured`]: it is lost, or no lease of this length leaves so much.
    ///
    /// # Cancel safety
    ///
    /// Safe. A renewal that was begun goes on.
    pub async fn ensure(&self, least: Duration) -> Result<(), NotEnsured> {
        self.held.ensure(least).await
    }

    /// Waits until it is lost, and says through what. At the latest a tick of the clock (1 ms) after its time is up, also
    /// while a renewal hangs; where the machine slept meanwhile, a second.
    ///
    /// The task that keeps it has to be run for that: where it stands still with the whole process, or with the node that it
    /// is on, this comes late. [`token`](Self::token) never does.
    ///
    /// # Cancel safety
    ///
    /// Safe, and any number may wait.
    pub async fn lost(&self) -> Lost {
        self.held.lost().await
    }

    /// Waits until a third of its time is left and no renewal has come back, or it is lost: the time to wind up.
    ///
    /// A renewal that comes after all makes it valid again.
    ///
    /// # Cancel safety
    ///
    /// Safe, and any number may wait.
    pub async fn expiring(&self) {
        self.held.expiring().await;
    }

    /// Cancelled when it is lost, released, or dropped: for tasks that work under it.
    ///
    /// Each is another; to cancel one changes nothing for the lease.
    #[must_use]
    pub fn child_token(&self) -> CancellationToken {
        self.held.child_token()
    }

    /// For [`Renewal::WhileProgress`]: the work moves.
    pub fn tick(&self) {
        self.held.tick();
    }

    /// A handle for work that is done under it. It keeps nothing alive: with the guard the lease is gone.
    #[must_use]
    pub fn held(&self) -> Held {
        self.held.clone()
    }

    /// Runs work until it is done, or the lease is lost: then the work is dropped where it stands, at its next `await`.
    ///
    /// The clock is looked at before and after each poll; work that only waits is told as whoever waits for [`lost`](Self::lost) is.
    /// A poll itself is not interrupted, and what the work has
    /// spawned is not stopped: give that a [`child_token`](Self::child_token).
    ///
    /// # Errors
    ///
    /// [`Lost`], also if the work was done in the very poll in which the lease ended: what it did last may have been done
    /// too late, and its result is dropped.
    ///
    /// # Cancel safety
    ///
    /// The work is dropped with the future. The lease stays.
    #[doc(alias = "critical section")]
    pub async fn run<W, F>(&self, work: W) -> Result<F::Output, Lost>
    where
        W: FnOnce(Held) -> F,
        F: Future,
    {
        self.held.token()?;
        run::Guarded::new(self.held.clone(), work(self.held())).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.shared.lose(Why::Released);
        match self.held.shared.post.leave() {
            Left::Idle(keeper, rest) => {
                let now = self.held.shared.clock.now();
                if let Some(returned) = keeper.give_back(now) {
                    drop(rest.runtime.spawn(returned));
                }
            }
            // Dropped, it tells the keeper.
            Left::Works(_) | Left::Gone => {}
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("token", &self.stale_token())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
