//! [`Proof`]: what can say whether a lease is still held.

use std::future::Future;
use std::time::Duration;

use crate::{FencingToken, Lost};

/// What can say whether a lease is still held: the lease itself, or a handle of it.
///
/// Clones are cheap, and speak of the same lease; its token is the same as long as it lives. Once lost it stays lost.
pub trait Proof: Clone + Send + Sync + 'static {
    /// Ends when the lease is lost: by the end of its validity at the latest, whatever else hangs.
    ///
    /// # Cancel safety
    ///
    /// Safe: ask for another.
    type Lost: Future<Output = Lost> + Send + 'static;

    /// The token, if the lease is valid at this moment. Looks at the clock; is called for each call, and each time that
    /// one is polled.
    ///
    /// # Errors
    ///
    /// [`Lost`].
    fn token(&self) -> Result<&FencingToken, Lost>;

    /// For how long it is valid yet, if it is not renewed; zero when it is lost.
    fn remaining(&self) -> Duration;

    /// That it is known to be lost. Need not look at the clock: whoever acts asks for the [`token`](Self::token).
    fn known_lost(&self) -> Option<Lost> {
        self.token().err()
    }

    /// Waits until it is lost.
    fn lost(&self) -> Self::Lost;
}
