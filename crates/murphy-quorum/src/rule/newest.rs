//! [`Newest`]: of a quorum's replies, the one with the highest version.

use std::fmt;

use super::{Panel, Rule, decided, reachable};
use crate::{Need, Set, System, Tally, Verdict};

/// Of a quorum's replies, the one with the highest version; of equal ones, the first member's.
///
/// It has what was last written if each quorum of reads meets each of writes
/// ([`ReadWrite`](crate::ReadWrite)), and versions are never given twice.
#[derive(Clone)]
pub struct Newest<S, V> {
    system: S,
    version: V,
}

impl<S: System, V> Newest<S, V> {
    /// By the version that `version` finds in a reply.
    pub const fn new(system: S, version: V) -> Self {
        Self { system, version }
    }
}

impl<S: System, V> Panel for Newest<S, V> {
    fn members(&self) -> Set {
        System::members(&self.system)
    }

    fn would_do(&self, yes: Set) -> bool {
        self.system.is_quorum(yes)
    }

    fn need(&self) -> Need {
        System::need(&self.system)
    }
}

impl<R, K: Ord, S: System, V: Fn(&R) -> K> Rule<R> for Newest<S, V> {
    fn judge(&self, tally: &Tally<R>) -> Verdict {
        let yes = tally.yes();
        if !self.system.is_quorum(yes) {
            return reachable(&self.system, tally);
        }
        // Of equal ones `max_by_key` takes the last.
        let replies = tally
            .replies()
            .map(|(at, reply)| (at, (self.version)(reply)));
        let newest = replies.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let newest = newest.map_or(yes, |(at, _)| Set::one(at));
        decided(yes, newest)
    }
}

impl<S: fmt::Debug, V> fmt::Debug for Newest<S, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Newest")
            .field("system", &self.system)
            .finish_non_exhaustive()
    }
}
