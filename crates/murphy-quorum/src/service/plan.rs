//! [`Plan`]: whom to ask, and when.

use std::time::Duration;

use crate::{Panel, Set};

/// Whom to ask, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plan {
    /// All at once: the answer is as late as the quorum's slowest, and no later.
    #[default]
    Broadcast,
    /// As many as are enough, in their order; the next for each that fails, and one more each time that so long has
    /// passed without a decision.
    Minimal {
        /// How long before one more is asked.
        hedge_after: Duration,
    },
}

impl Plan {
    /// Who is asked at once.
    pub(super) fn first(self, rule: &impl Panel) -> Set {
        let members = rule.members();
        match self {
            Self::Broadcast => members,
            Self::Minimal { .. } => {
                let mut asked = Set::EMPTY;
                for at in members.iter() {
                    if rule.would_do(asked) {
                        break;
                    }
                    asked = asked.or(Set::one(at));
                }
                asked
            }
        }
    }

    /// After how long one more is asked.
    pub(super) const fn hedge_after(self) -> Option<Duration> {
        match self {
            Self::Broadcast => None,
            Self::Minimal { hedge_after } => Some(hedge_after),
        }
    }
}
