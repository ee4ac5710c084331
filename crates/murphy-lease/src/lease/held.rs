//! [`Held`]: a handle of a lease, for the work that is done under it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use super::views::View;
use crate::{FencingToken, Lost};

/// A handle of a lease, for the work that is done under it; cheap to clone.
///
/// It sees what becomes of the lease and can have it renewed; it keeps nothing alive, and releases nothing. All methods are
/// those of [`Lease`](crate::Lease).
#[derive(Clone)]
pub struct Held {
    pub(crate) shared: Arc<Shared>,
}

/// So much time is not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotEnsured {
    /// The lease is lost.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// Just renewed it has less: `wanted` is more than its ttl gives, or nearly, and the store took long to answer.
    #[error(
        "{wanted:?} are wanted and a renewal left {left:?}: want less, or acquire it for longer"
    )]
    Short {
        /// How much there should be.
        wanted: Duration,
        /// How much there is, or can be.
        left: Duration,
    },
}

impl Held {
    /// The proof that the lease is held now.
    ///
    /// # Errors
    ///
    /// [`Lost`], from the instant on at which its time is up.
    #[inline]
    pub fn token(&self) -> Result<&FencingToken, Lost> {
        self.shared.token()
    }

    /// The token, whether or not the lease is lost.
    #[must_use]
    pub fn stale_token(&self) -> &FencingToken {
        &self.shared.token
    }

    /// How much is left by the holder's own clock, if it is not renewed; nothing if it is lost.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.shared.remaining()
    }

    /// Has at least so much left, and renews the lease first if there is less.
    ///
    /// # Errors
    ///
    /// [`NotEnsured`]: it is lost, or no lease of this length leaves so much.
    ///
    /// # Cancel safety
    ///
    /// Safe. A renewal that was begun goes on.
    pub async fn ensure(&self, least: Duration) -> Result<(), NotEnsured> {
        self.shared.progress();
        let asked = self.shared.clock.now();
        let is_there = |view: View| {
            if let Err(lost) = self.shared.check() {
                return Some(Err(lost.into()));
            }
            let left = self.shared.remaining();
            if left >= least {
                return Some(Ok(()));
            }
            let most = self.shared.window;
            if least > most || view.sent >= asked {
                let left = if least > most { most } else { left };
                let wanted = least;
                return Some(Err(NotEnsured::Short { wanted, left }));
            }
            self.shared.wish();
            None
        };
        self.shared.views.find(is_there).await
    }

    /// Waits until the lease is lost, and says through what.
    ///
    /// # Cancel safety
    ///
    /// Safe, and any number may wait.
    pub async fn lost(&self) -> Lost {
        self.shared.lost().cancelled().await;
        self.shared.loss()
    }

    /// Waits until a third of its time is left and no renewal has come back, or it is lost.
    ///
    /// # Cancel safety
    ///
    /// Safe, and any number may wait.
    pub async fn expiring(&self) {
        let is_expiring = |view: View| view.is_expiring.then_some(());
        self.shared.views.find(is_expiring).await;
    }

    /// Cancelled when the lease is lost.
    #[must_use]
    pub fn child_token(&self) -> CancellationToken {
        self.shared.lost().child_token()
    }

    /// For [`Renewal::WhileProgress`](crate::Renewal): the work moves.
    pub fn tick(&self) {
        self.shared.progress();
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("token", &self.stale_token())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
