//! [`Matching`]: so many equal replies.

use super::{Panel, Rule, decided, impossible};
use crate::system::Threshold;
use crate::{BadQuorum, Cause, Need, Set, System, Tally, Verdict};

/// `f + 1` equal replies of `n` members: one of them at least is no liar's.
///
/// It proves that an honest member said so, and not that it is the newest that any of them knows:
/// for that, quorums have to meet in enough members, as those of [`Masking`](super::Masking) do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matching {
    alike: Threshold,
}

impl Matching {
    /// Of `members`, of whom up to `faults` may lie.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: no members, more than 64, or no more members than liars.
    pub fn try_new(members: usize, faults: usize) -> Result<Self, BadQuorum> {
        let alike = Threshold::of_first(faults.saturating_add(1), members);
        let alike = alike.map_err(|e| match e {
            BadQuorum::OutOfRange { .. } => {
                let least = faults.saturating_add(1);
                let by = least - members;
                BadQuorum::TooManyLiars {
                    faults,
                    members,
                    least,
                    by,
                }
            }
            e => e,
        })?;
        Ok(Self { alike })
    }
}

impl Panel for Matching {
    fn members(&self) -> Set {
        System::members(&self.alike)
    }

    fn would_do(&self, yes: Set) -> bool {
        self.alike.is_quorum(yes)
    }

    fn need(&self) -> Need {
        System::need(&self.alike)
    }
}

impl<R: PartialEq> Rule<R> for Matching {
    fn judge(&self, tally: &Tally<R>) -> Verdict {
        let needed = self.alike.needed();
        let mut most = 0;
        for alike in classes(tally) {
            if alike.len() >= needed {
                return decided(alike, alike);
            }
            most = most.max(alike.len());
        }
        let most = most + tally.outstanding().len();
        if most >= needed {
            return Verdict::Pending;
        }
        impossible(&self.alike, tally, Cause::NoMatch { needed, most })
    }
}

/// Those who replied alike, once each.
pub(super) fn classes<R: PartialEq>(tally: &Tally<R>) -> impl Iterator<Item = Set> {
    let mut left = tally.yes();
    std::iter::from_fn(move || {
        let (_, reply) = tally.replies().find(|(at, _)| left.contains(*at))?;
        let alike = tally
            .replies()
            .filter(|(at, other)| left.contains(*at) && *other == reply);
        let alike: Set = alike.map(|(at, _)| at).collect();
        left = left.minus(alike.or(Set::one(left.iter().next()?)));
        Some(alike)
    })
}
