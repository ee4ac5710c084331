//! [`Network`]: named nodes, directed links, and what goes wrong between them.

mod error;
mod guard;
mod presets;
mod profile;
mod queue;
mod shape;
mod target;
mod verbs;
mod wires;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::chaos::{Chaos, Inner};
use crate::site::Site;
use shape::NodeId;

pub use error::NetworkError;
pub use guard::{Cut, Held};
pub use presets::{Access, Regions, UnknownRegion};
pub(crate) use profile::Profiles;
pub use profile::{Basis, Profile, Source};
pub(crate) use queue::Queue;
pub use queue::{BadRate, PerSecond, Rate};
pub(crate) use wires::{OnHold, Verdict, Wires};

/// The most nodes of one network.
pub const MOST_NODES: usize = 65_536;

/// Named nodes and the directed links between them. From [`Chaos::network`].
///
/// The site `"a->b"` *is* the link from node a to node b: the requests of its calls travel a→b,
/// their replies b→a. Nodes are declared ([`nodes`](Self::nodes), or [`Chaos::node`]); whoever is at the other end of a
/// site with a node at one is declared by that. A site between two strangers is no link. A link is looked at when a message departs, which for a reply is when the
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
    /// The only run that this handle disturbs; `None` is any.
    only: Option<u64>,
}

impl Network {
    pub(crate) fn of(chaos: Chaos) -> Self {
        Self { chaos, only: None }
    }

    /// A handle that disturbs the network in this run only.
    pub(crate) fn during(self, run: u64) -> Self {
        Self {
            only: Some(run),
            ..self
        }
    }

    /// Declares nodes. Those who are known already stay as they are.
    ///
    /// # Errors
    ///
    /// [`NetworkError::BadName`], [`NetworkError::TooMany`] past 65,536 nodes; then none is added.
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
        self.adopt();
        self.inner().seat_links();
        Ok(())
    }

    /// Declares those who are at the other end of a site that has a node at one: whoever calls a node
    /// is in its network.
    pub(crate) fn adopt(&self) {
        let sites = self.chaos.sites();
        while sites.iter().any(|site| self.adopt_one(site)) {}
    }

    /// As [`adopt`](Self::adopt), for one site. Whether it has declared somebody.
    pub(crate) fn adopt_one(&self, site: &str) -> bool {
        let Some((from, to)) = site.split_once("->") else {
            return false;
        };
        let new = {
            let state = self.wires().lock();
            match (state.ids.contains_key(from), state.ids.contains_key(to)) {
                (true, false) => to,
                (false, true) => from,
                _ => return false,
            }
        };
        if new.is_empty() || new.len() > 256 || new.contains("->") {
            return false;
        }
        self.wires().change(|state| {
            let room = state.names.len() < MOST_NODES && !state.ids.contains_key(new);
            if room {
                let name: Arc<str> = new.into();
                let id = state.names.len() as NodeId;
                state.ids.insert(Arc::clone(&name), id);
                state.names.push(name);
            }
            room
        })
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
                let profiles = Arc::make_mut(&mut state.profiles);
                for b in to.iter().filter(|b| a != *b) {
                    profiles.say((*a, *b), Arc::clone(&profile));
                }
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

    fn inner(&self) -> &Arc<Inner> {
        &self.chaos.inner
    }

    fn wires(&self) -> &Arc<Wires> {
        &self.chaos.inner.wires
    }
}
