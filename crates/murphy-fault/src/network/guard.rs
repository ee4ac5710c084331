//! [`Cut`] and [`Held`]: disturbances that end when they are dropped.

use std::fmt;
use std::sync::{Arc, Weak};

use super::wires::Wires;
use crate::chaos::Inner;
use crate::event::Verb;

/// Links that are cut. Dropping it heals them, at once; other cuts of the same links stay.
#[derive(Debug)]
#[must_use = "dropping it heals the links at once"]
pub struct Cut(pub(super) Grip);

/// Links that hold their messages. Dropping it lets them go, in order; other holds stay.
#[derive(Debug)]
#[must_use = "dropping it releases the messages at once"]
pub struct Held(pub(super) Grip);

impl Cut {
    /// Heals the links.
    pub fn heal(self) {}

    /// Lets the links stay cut without the guard, until [`Network::repair`](crate::Network::repair)
    /// or the end of the run.
    pub fn keep(mut self) {
        self.0.kept = true;
    }
}

impl Held {
    /// Lets the messages go.
    pub fn release(self) {}

    /// Holds on without the guard, until [`Network::release`](crate::Network::release) or the end
    /// of the run.
    pub fn keep(mut self) {
        self.0.kept = true;
    }
}

/// What a guard holds on to.
pub(super) struct Grip {
    pub(super) chaos: Weak<Inner>,
    pub(super) wires: Arc<Wires>,
    pub(super) id: u64,
    /// What dropping it is called.
    pub(super) verb: Verb,
    pub(super) whom: String,
    pub(super) kept: bool,
}

impl Drop for Grip {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // Healed already, by hand or by the end of the run: nothing is left to be said. That is
        // asked where no run can end meanwhile.
        let mend = || self.wires.remove(self.id).then_some(());
        let mended = match self.chaos.upgrade() {
            Some(chaos) => chaos.disturb_if(None, self.verb, &self.whom, mend),
            // The run goes on for the sites of a chaos that is gone.
            None => Ok(mend()),
        };
        if let Ok(Some(())) = mended {
            self.wires.wake();
        }
    }
}

impl fmt::Debug for Grip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grip")
            .field("id", &self.id)
            .field("whom", &self.whom)
            .finish_non_exhaustive()
    }
}
