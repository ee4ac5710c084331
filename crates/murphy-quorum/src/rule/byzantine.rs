//! Quorums that stand liars (Malkhi and Reiter, *Byzantine quorum systems*, Distributed Computing 11,
//! 1998).

use std::fmt;

use super::matching::classes;
use super::{Panel, Rule, decided, impossible, reachable};
use crate::{BadQuorum, Cause, Need, Set, System, Tally, Threshold, Verdict};

/// Unsigned data: n ≥ 4 f + 1, quorums of ⌈(n + 2 f + 1) / 2⌉, which meet in 2 f + 1.
///
/// Of a quorum's replies those count that f + 1 gave alike, and the newest of them is the answer.
/// While there is none, it waits for more; if there can be none it says so, and does not guess.
#[derive(Clone)]
pub struct Masking<V> {
    system: Threshold,
    faults: usize,
    version: V,
}

impl<V> Masking<V> {
    /// Of `members`, of whom up to `faults` may lie; newer by the version that `version` finds in a
    /// reply.
    ///
    /// # Errors
    ///
    /// [`BadQuorum::TooManyLiars`] says how many members are missing.
    pub fn try_new(members: usize, faults: usize, version: V) -> Result<Self, BadQuorum> {
        enough(members, faults, 4)?;
        let quorum = (members + 2 * faults + 1).div_ceil(2);
        let system = Threshold::of_first(quorum, members)?;
        Ok(Self {
            system,
            faults,
            version,
        })
    }

    /// The system of its quorums, by which a write is decided.
    #[must_use]
    pub const fn system(&self) -> Threshold {
        self.system
    }
}

impl<V> Panel for Masking<V> {
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

impl<R: PartialEq, K: Ord, V: Fn(&R) -> K> Rule<R> for Masking<V> {
    fn judge(&self, tally: &Tally<R>) -> Verdict {
        let (yes, outstanding) = (tally.yes(), tally.outstanding());
        if !self.system.is_quorum(yes) {
            return reachable(&self.system, tally);
        }
        let needed = self.faults + 1;
        let mut most = 0;
        let mut newest: Option<(Set, K)> = None;
        for alike in classes(tally) {
            most = most.max(alike.len());
            let first = alike.iter().next().and_then(|at| tally.reply(at));
            let Some(reply) = first.filter(|_| alike.len() >= needed) else {
                continue;
            };
            let version = (self.version)(reply);
            if newest.as_ref().is_none_or(|(_, best)| version > *best) {
                newest = Some((alike, version));
            }
        }
        if let Some((alike, _)) = newest {
            return decided(yes, alike);
        }
        let most = most + outstanding.len();
        if most >= needed {
            return Verdict::Pending;
        }
        impossible(&self.system, tally, Cause::NoMatch { needed, most })
    }
}

/// Data that speaks for itself, signed say: n ≥ 3 f + 1, quorums of ⌈(n + f + 1) / 2⌉, which meet in f + 1.
///
/// A reply that is not genuine is none: whoever sent it counts as if it had refused. Of a quorum of genuine ones the
/// newest is the answer.
#[derive(Clone)]
pub struct Dissemination<G, V> {
    system: Threshold,
    genuine: G,
    version: V,
}

impl<G, V> Dissemination<G, V> {
    /// Of `members`, of whom up to `faults` may lie. `genuine` says whether a reply is what somebody honest once
    /// wrote, `version` how new it is.
    ///
    /// # Errors
    ///
    /// [`BadQuorum::TooManyLiars`] says how many members are missing.
    pub fn try_new(
        members: usize,
        faults: usize,
        genuine: G,
        version: V,
    ) -> Result<Self, BadQuorum> {
        enough(members, faults, 3)?;
        let quorum = (members + faults + 1).div_ceil(2);
        let system = Threshold::of_first(quorum, members)?;
        Ok(Self {
            system,
            genuine,
            version,
        })
    }

    /// The system of its quorums, by which a write is decided.
    #[must_use]
    pub const fn system(&self) -> Threshold {
        self.system
    }
}

impl<G, V> Panel for Dissemination<G, V> {
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

impl<R, K: Ord, G: Fn(&R) -> bool, V: Fn(&R) -> K> Rule<R> for Dissemination<G, V> {
    fn judge(&self, tally: &Tally<R>) -> Verdict {
        let mut genuine = Set::EMPTY;
        let mut newest: Option<(usize, K)> = None;
        for (at, reply) in tally.replies().filter(|(_, reply)| (self.genuine)(reply)) {
            genuine = genuine.or(Set::one(at));
            let version = (self.version)(reply);
            if newest.as_ref().is_none_or(|(_, best)| version > *best) {
                newest = Some((at, version));
            }
        }
        match newest {
            Some((at, _)) if self.system.is_quorum(genuine) => decided(genuine, Set::one(at)),
            _ if self.system.is_quorum(genuine.or(tally.outstanding())) => Verdict::Pending,
            _ => {
                let mut verdict = impossible(&self.system, tally, Cause::TooFew);
                if let Verdict::Impossible(why) = &mut verdict {
                    why.reachable = genuine.or(tally.outstanding());
                    why.faulty = why.faulty.or(tally.yes().minus(genuine));
                }
                verdict
            }
        }
    }
}

fn enough(members: usize, faults: usize, times: usize) -> Result<(), BadQuorum> {
    let least = faults.saturating_mul(times).saturating_add(1);
    if members == 0 {
        return Err(BadQuorum::NoMembers);
    }
    if members < least {
        let by = least - members;
        return Err(BadQuorum::TooManyLiars {
            faults,
            members,
            least,
            by,
        });
    }
    Ok(())
}

impl<V> fmt::Debug for Masking<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masking")
            .field("system", &self.system)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

impl<G, V> fmt::Debug for Dissemination<G, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dissemination")
            .field("system", &self.system)
            .finish_non_exhaustive()
    }
}
