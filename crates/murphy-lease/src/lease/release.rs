//! [`Lease::release`]: given back, and what came of it.

use tokio::sync::oneshot;

use super::Lease;
use crate::release::{NotReleased, Paid};
use crate::{Lost, Why};

/// A lease was not, or not in time, given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// It had ended before: what was done last under it may have been done beside another holder.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// It was valid to the end of the work; that it is given back, the store did not say.
    #[error(transparent)]
    NotReleased(#[from] NotReleased),
}

impl Lease {
    /// Gives it back, and waits until the store has confirmed that. Release only when the work is done: from here
    /// on the lease counts as lost, before the store is asked.
    ///
    /// Tries again until it would have ended by itself; bound it from outside to wait for less.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`] says that it was lost before, or that the store has not confirmed.
    ///
    /// # Cancel safety
    ///
    /// The release goes on without the future.
    pub async fn release(mut self) -> Result<(), ReleaseError> {
        let checked = self.held.shared.check();
        self.held.shared.lose(Why::Released);
        let (answer, answered) = oneshot::channel();
        let told = self.keeper.take().map(|keeper| keeper.send(answer));
        checked?;
        let lost = |why| Lost {
            why,
            ..self.held.shared.loss()
        };
        let (Some(Ok(())), Ok(result)) = (told, answered.await) else {
            // The keeper was gone before it could be told.
            let why = match self.held.shared.loss().why {
                Why::Released => Why::Unattended,
                why => why,
            };
            return Err(lost(why).into());
        };
        match result? {
            // Only what was asked for once can say that it was not held: an answer may have been lost.
            Paid {
                was_held: false,
                attempts: 1,
            } => Err(lost(Why::Refused).into()),
            Paid { .. } => Ok(()),
        }
    }
}
