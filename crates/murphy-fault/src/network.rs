//! [`Network`]: named nodes, directed links, and what goes wrong between them.

mod error;
mod guard;
mod presets;
mod profile;
mod queue;
mod shape;
mod wires;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::chaos::{Chaos, Inner};
use crate::event::Verb;
use crate::plan::nearest;
use crate::site::Site;
use guard::Grip;
use shape::{ANY, NodeId, Shape};
use wires::Trouble;

pub use error::NetworkError;
pub use guard::{Cut, Held};
pub use presets::{Access, Regions, UnknownRegion};
pub use profile::{Basis, Profile, Source};
pub(crate) use queue::Queue;
pub use queue::{BadRate, PerSecond, Rate};
pub(crate) use wires::{OnHold, Profiles, Verdict, Wires};

/// The most nodes of one network.
pub const MOST_NODES: usize = 16_384;

/// The most disturbances of one network at one time.
const MOST_TROUBLES: usize = 1024;

/// Named nodes and the directed links between them. From [`Chaos::network`].
///
/// The site `"a->b"` *is* the link from node a to node b: the requests of its calls travel a→b,
/// their replies b→a. A link is looked at when a message departs, which for a reply is when the
/// service has answered; a message that departs into a cut is lost, silently.
///
/// ```text
///  partition(["a"], ["b", "c"])     partition_oneway(["a"], ["b"])     hold(["a"], ["b"])
///
///   a ──╳── b                        a ──╳─▶ b                          a ──▒─▶ b
///   a ──╳── c                        a ◀──── b                          a ◀──── b
///   b ───── c                        lost one way only                  kept, and let go in order
/// ```
///
/// Disturbances return guards that end them; nested ones compose: a link is whole when the last cut
/// that it is in is healed. They are possible only while the [`Chaos`] is armed, and the end of the
/// run heals everything.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_core::Seed;
/// use murphy_fault::{Chaos, Plan, TimeLimit};
/// use std::{convert::Infallible, time::Duration};
/// use tokio::time::timeout;
/// use tower::{service_fn, Layer, ServiceExt};
///
/// let chaos = Chaos::new(Seed::new(42));
/// let network = chaos.network();
/// network.nodes(["api", "payments"])?;
/// let echo = service_fn(|order: u64| async move { Ok::<_, Infallible>(order) });
/// let payments = chaos.site("api->payments").layer().layer(echo);
/// let _armed = chaos.arm(&Plan::new(), TimeLimit::None)?;
///
/// let cut = network.partition(["api"], ["payments"])?;
/// let silence = timeout(Duration::from_secs(5), payments.clone().oneshot(17)).await;
/// assert!(silence.is_err());
///
/// cut.heal();
/// assert_eq!(payments.oneshot(17).await, Ok(17));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "topology")]
pub struct Network {
    chaos: Chaos,
}

/// Names of nodes, by number and once each.
type Side = BTreeSet<NodeId>;

impl Network {
    pub(crate) fn of(chaos: Chaos) -> Self {
        Self { chaos }
    }

    /// Declares nodes. Those who are known already stay as they are.
    ///
    /// # Errors
    ///
    /// [`NetworkError::BadName`], [`NetworkError::TooMany`] past 16,384 nodes; then none is added.
    pub fn nodes<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<(), NetworkError> {
        let mut new = BTreeSet::new();
        let mut order: Vec<Arc<str>> = Vec::new();
        for name in names {
            let name = name.as_ref();
            if name.is_empty() || name.len() > 256 || name.contains("->") {
                let node = name.chars().take(64).collect();
                return Err(NetworkError::BadName { node });
            }
            if new.insert(name.to_owned()) {
                order.push(name.into());
            }
        }
        self.wires().change(|state| {
            order.retain(|name| !state.ids.contains_key(name));
            if state.names.len() + order.len() > MOST_NODES {
                return Err(NetworkError::TooMany {
                    what: "nodes",
                    most: MOST_NODES,
                    remedy: "a network ends here; use several",
                });
            }
            for name in order {
                state
                    .ids
                    .insert(Arc::clone(&name), state.names.len() as NodeId);
                state.names.push(name);
            }
            Ok(())
        })?;
        self.inner().seat_links();
        Ok(())
    }

    /// The names of all nodes, in the order in which they were declared.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        self.wires().lock().names.clone()
    }

    /// The site of the link from one node to another, as [`Chaos::site`] of `"from->to"`.
    ///
    /// # Errors
    ///
    /// [`NetworkError::UnknownNode`].
    pub fn link(&self, from: &str, to: &str) -> Result<Site, NetworkError> {
        self.id(from)?;
        self.id(to)?;
        Ok(self.chaos.site(&format!("{from}->{to}")))
    }

    /// Says what the links from these nodes to those are like, in this direction, from the next
    /// arming on.
    ///
    /// # Errors
    ///
    /// [`NetworkError::UnknownNode`], [`NetworkError::EmptyGroup`].
    pub fn profile<N: AsRef<str>, M: AsRef<str>>(
        &self,
        from: impl IntoIterator<Item = N>,
        to: impl IntoIterator<Item = M>,
        profile: &Profile,
    ) -> Result<(), NetworkError> {
        let (from, to) = (self.side(from, 0)?, self.side(to, 1)?);
        let profile = Arc::new(profile.clone());
        self.wires().change(|state| {
            for a in &from {
                let links = to.iter().filter(|b| a != *b).map(|b| (*a, *b));
                let profiles = &mut Arc::make_mut(&mut state.profiles).links;
                profiles.extend(links.map(|l| (l, Arc::clone(&profile))));
            }
        });
        Ok(())
    }

    /// Says what all links are like that nothing else is said of, from the next arming on.
    pub fn profile_everywhere(&self, profile: &Profile) {
        let profile = Arc::new(profile.clone());
        self.wires()
            .change(|state| Arc::make_mut(&mut state.profiles).everywhere = Some(profile));
    }

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
        let nodes = self.wires().lock().names.len();
        let shape = Shape::ring(nodes as u32).ok_or(NetworkError::TooFew {
            have: nodes,
            need: 3,
        })?;
        let whom = format!("a ring of {nodes}");
        self.cut(Target { shape, whom })
    }

    /// Holds what these nodes send to those: nothing is lost, and nothing arrives, until the guard
    /// is dropped. Then messages depart in the order in which they came.
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
        if let Ok(Some(())) = self.inner().disturb_if(Verb::Heal, &whom, mend) {
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
        if let Ok(Some(())) = self.inner().disturb_if(verb, whom, mend) {
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
        let id = self.inner().disturb_if(verb, &whom, add)?;
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

    fn id(&self, name: &str) -> Result<NodeId, NetworkError> {
        let state = self.wires().lock();
        state.ids.get(name).copied().ok_or_else(|| {
            let guess = nearest(name, state.ids.keys().map(|k| &**k));
            let guess = guess.map_or(String::new(), |g| format!("did you mean `{g}`? "));
            NetworkError::UnknownNode {
                node: name.chars().take(64).collect(),
                remedy: format!("{guess}nodes are declared with `Network::nodes`"),
            }
        })
    }

    fn side<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
        index: usize,
    ) -> Result<Side, NetworkError> {
        let mut side = Side::new();
        for name in names {
            let name = name.as_ref();
            if !side.insert(self.id(name)?) {
                let node = name.to_owned();
                return Err(NetworkError::InTwoGroups { node });
            }
        }
        if side.is_empty() {
            return Err(NetworkError::EmptyGroup { index });
        }
        Ok(side)
    }

    fn name(&self, id: NodeId) -> String {
        let state = self.wires().lock();
        state
            .names
            .get(id as usize)
            .map_or(String::new(), ToString::to_string)
    }

    fn list(&self, side: &Side) -> String {
        let names: Vec<String> = side.iter().take(20).map(|id| self.name(*id)).collect();
        let more = side.len().saturating_sub(20);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!("{}{more}", names.join(", "))
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.chaos.inner
    }

    fn wires(&self) -> &Arc<Wires> {
        &self.chaos.inner.wires
    }
}

/// Which links, and how they are named.
struct Target {
    shape: Shape,
    whom: String,
}

impl Target {
    /// Every node on one side, or the bridge between them.
    fn groups(
        network: &Network,
        sides: &[Side],
        bridge: Option<NodeId>,
    ) -> Result<Self, NetworkError> {
        const NOWHERE: u32 = ANY - 1;
        let nodes = network.wires().lock().names.len();
        let mut groups = vec![NOWHERE; nodes];
        if let Some(bridge) = bridge {
            groups[bridge as usize] = ANY;
        }
        for (index, side) in sides.iter().enumerate() {
            for node in side {
                let group = &mut groups[*node as usize];
                if *group != NOWHERE {
                    let node = network.name(*node);
                    return Err(NetworkError::InTwoGroups { node });
                }
                *group = index as u32;
            }
        }
        if let Some(left) = groups.iter().position(|g| *g == NOWHERE) {
            let node = network.name(left as NodeId);
            return Err(NetworkError::InNoGroup { node });
        }
        let mut names: Vec<String> = sides.iter().map(|s| network.list(s)).collect();
        if let Some(bridge) = bridge {
            names.insert(1, format!("({})", network.name(bridge)));
        }
        Ok(Self {
            shape: Shape::Groups(groups.into()),
            whom: names.join(" | "),
        })
    }

    fn between(network: &Network, from: Side, to: Side) -> Result<Self, NetworkError> {
        if let Some(both) = from.intersection(&to).next() {
            let node = network.name(*both);
            return Err(NetworkError::InTwoGroups { node });
        }
        let whom = format!("{} -> {}", network.list(&from), network.list(&to));
        Ok(Self {
            shape: Shape::Between { from, to },
            whom,
        })
    }
}
