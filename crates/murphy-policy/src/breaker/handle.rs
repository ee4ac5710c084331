//! [`BreakerHandle`]: a hand on the switch.

use std::sync::Arc;

use tokio::sync::watch;

use super::core::Core;

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// Calls fail at once. Stays so when the time is up, until a call comes.
    Open,
    /// A few calls pass, to see how they fare; the others fail at once.
    #[doc(alias = "HalfOpen")]
    Probation,
    /// Calls fail at once until somebody says otherwise.
    #[doc(alias = "Isolated")]
    ForcedOpen,
    /// Calls pass and are not counted, until somebody says otherwise.
    #[doc(alias = "Disabled")]
    ForcedClosed,
}

/// Shows and sets the state of a breaker: [`BreakerLayer::handle`](crate::BreakerLayer::handle).
#[derive(Clone, Debug)]
pub struct BreakerHandle {
    core: Arc<Core>,
}

impl BreakerHandle {
    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Refuses every call from now on. Calls under way go on.
    #[doc(alias = "isolate")]
    pub fn force_open(&self) {
        self.core.force(true);
    }

    /// Lets every call pass from now on, and counts none.
    #[doc(alias = "disable")]
    pub fn force_closed(&self) {
        self.core.force(false);
    }

    /// Ends what was forced: the breaker is closed and has seen nothing yet. Changes nothing where
    /// nothing was forced.
    #[doc(alias = "reset")]
    pub fn automatic(&self) {
        self.core.automatic();
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.core.state()
    }

    /// Follows the states. Who looks late sees the latest only: nothing is queued.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<State> {
        self.core.subscribe()
    }

    /// The breaker's name.
    #[must_use]
    pub fn site(&self) -> &str {
        self.core.site()
    }
}
