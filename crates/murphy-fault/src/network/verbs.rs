//! What can be done to a network.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::guard::{Cut, Grip, Held};
use super::shape::Shape;
use super::target::{Side, Target};
use super::wires::Trouble;
use super::{Network, NetworkError};
use crate::event::Verb;

/// The most disturbances of one network at one time.
const MOST_TROUBLES: usize = 1024;

impl Network {
    /// Cuts all links between two sides, both ways.
    ///
    /// # Errors
    ///
    /// [`NetworkError`]: a node that is unknown, on both sides, or on none; an empty side; no run is
    /// on. Nothing is cut then.
    #[doc(alias = "split brain")]
    pub fn partition<N: AsRef<str>, M: AsRef<str>>(
        &self,
        one: impl IntoIterator<Item = N>,
        other: impl IntoIterator<Item = M>,
    ) -> Result<Cut, NetworkError> {
        let sides = [self.side(one, 0)?, self.side(other, 1)?];
        self.cut(Target::groups(self, &sides, None)?)
    }

    /// Cuts all links between these groups, both ways.
    ///
    /// # Errors
    ///
    /// As [`partition`](Self::partition).
    pub fn partition_groups<G, N>(
        &self,
        groups: impl IntoIterator<Item = G>,
    ) -> Result<Cut, NetworkError>
    where
        G: IntoIterator<Item = N>,
        N: AsRef<str>,
    {
        let groups = groups.into_iter().enumerate();
        let groups: Result<Vec<Side>, _> = groups.map(|(i, g)| self.side(g, i)).collect();
        self.cut(Target::groups(self, &groups?, None)?)
    }

    /// Cuts the links from these nodes to those, one way: what they send is lost, what they are
    /// sent arrives.
    ///
    /// # Errors
    ///
    /// [`NetworkError`]: a node that is unknown or on both sides; an empty side; no run is on.
    #[doc(alias = "asymmetric partition")]
    pub fn partition_oneway<N: AsRef<str>, M: AsRef<str>>(
        &self,
        from: impl IntoIterator<Item = N>,
        to: impl IntoIterator<Item = M>,
    ) -> Result<Cut, NetworkError> {
        self.cut(Target::between(
            self,
            self.side(from, 0)?,
            self.side(to, 1)?,
        )?)
    }

    /// Cuts one node off from everybody, both ways, also from nodes that are declared later.
    ///
    /// # Errors
    ///
    /// [`NetworkError`]: the node is unknown; no run is on.
    pub fn isolate(&self, node: &str) -> Result<Cut, NetworkError> {
        let shape = Shape::Alone(self.id(node)?);
        let whom = format!("{node} | everybody else");
        self.cut(Target { shape, whom })
    }

    /// Cuts all links between two sides, but for one node that sees both.
    ///
    /// # Errors
    ///
    /// As [`partition`](Self::partition).
    pub fn bridge<N: AsRef<str>, M: AsRef<str>>(
        &self,
        bridge: &str,
        one: impl IntoIterator<Item = N>,
        other: impl IntoIterator<Item = M>,
    ) -> Result<Cut, NetworkError> {
        let bridge = self.id(bridge)?;
        let sides = [self.side(one, 0)?, self.side(other, 1)?];
        self.cut(Target::groups(self, &sides, Some(bridge))?)
    }

    /// Puts the nodes on a ring, in the order in which they were declared, and cuts all links but
    /// those to the nearest: each sees a majority, and no two see the same one (Jepsen's nemesis
    /// of this name). Three nodes on a ring see each other; it takes five to hurt.
    ///
    /// # Errors
    ///
    /// [`NetworkError::TooFew`] under three nodes; no run is on.
    pub fn majorities_ring(&self) -> Result<Cut, NetworkError> {
        self.cut(Target::ring(self)?)
    }

    /// Holds what these nodes send to those: nothing is lost, and nothing arrives, until the guard
    /// is dropped. Then messages depart in the order in which they came. A caller that leaves takes
    /// its message along, unless that is a reply on its way.
    ///
    /// A link holds 4,096 messages; what comes after them is lost. A released message departs when
    /// its call is polled, so a caller that does not poll keeps those behind it waiting.
    ///
    /// # Errors
    ///
    /// As [`partition_oneway`](Self::partition_oneway).
    pub fn hold<N: AsRef<str>, M: AsRef<str>>(
        &self,
        from: impl IntoIterator<Item = N>,
        to: impl IntoIterator<Item = M>,
    ) -> Result<Held, NetworkError> {
        let target = Target::between(self, self.side(from, 0)?, self.side(to, 1)?)?;
        self.disturb(Verb::Hold, target).map(Held)
    }

    /// Heals all cuts, guarded or not.
    pub fn repair(&self) {
        self.end_all(Verb::Heal, "all links", false);
    }

    /// Lets all messages go that are on hold.
    pub fn release(&self) {
        self.end_all(Verb::Release, "all links", true);
    }

    /// Heals one link, in this direction, out of all cuts that it is in by now.
    ///
    /// # Errors
    ///
    /// [`NetworkError::UnknownNode`].
    pub fn repair_link(&self, from: &str, to: &str) -> Result<(), NetworkError> {
        let link = (self.id(from)?, self.id(to)?);
        let wires = Arc::clone(self.wires());
        let mend = || {
            wires.change(|state| {
                let cuts = state.troubles.iter_mut().filter(|t| !t.holds);
                let cuts = cuts.filter(|t| t.strikes(link));
                let mended = cuts.map(|cut| cut.mended.insert(link)).count();
                (mended > 0).then_some(())
            })
        };
        // Without a run there is nothing to heal.
        let whom = format!("{from} -> {to}");
        if let Ok(Some(())) = self.inner().disturb_if(self.only, Verb::Heal, &whom, mend) {
            self.wires().wake();
        }
        Ok(())
    }

    fn end_all(&self, verb: Verb, whom: &str, holds: bool) {
        let wires = Arc::clone(self.wires());
        let mend = || {
            wires.change(|state| {
                let before = state.troubles.len();
                state.troubles.retain(|t| t.holds != holds);
                (state.troubles.len() < before).then_some(())
            })
        };
        if let Ok(Some(())) = self.inner().disturb_if(self.only, verb, whom, mend) {
            self.wires().wake();
        }
    }

    fn cut(&self, target: Target) -> Result<Cut, NetworkError> {
        self.disturb(Verb::Partition, target).map(Cut)
    }

    fn disturb(&self, verb: Verb, target: Target) -> Result<Grip, NetworkError> {
        let Target { shape, whom } = target;
        let wires = Arc::clone(self.wires());
        let add = || {
            wires.change(|state| {
                if state.troubles.len() >= MOST_TROUBLES {
                    return None;
                }
                state.last += 1;
                state.troubles.push(Trouble {
                    id: state.last,
                    holds: verb == Verb::Hold,
                    shape,
                    mended: BTreeSet::new(),
                });
                Some(state.last)
            })
        };
        let id = self.inner().disturb_if(self.only, verb, &whom, add)?;
        let id = id.ok_or(NetworkError::TooMany {
            what: "disturbances at one time",
            most: MOST_TROUBLES,
            remedy: "drop the guards of some, or `repair`",
        })?;
        // Messages on hold may now depart, into the cut.
        self.wires().wake();
        Ok(Grip {
            chaos: Arc::downgrade(self.inner()),
            wires: Arc::clone(self.wires()),
            id,
            verb: match verb {
                Verb::Hold => Verb::Release,
                _ => Verb::Heal,
            },
            whom,
            kept: false,
        })
    }
}
