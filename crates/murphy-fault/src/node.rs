//! [`Node`]: a machine or a process, which can stand still, die and come back.

mod acts;
mod cells;
mod clock;
mod core;
mod durable;
mod guard;
mod hold;
mod layer;
mod nodes;
mod post;
mod reach;
mod run;
mod runs;
mod section;
mod serve;
mod service;
mod volatile;

use std::fmt;
use std::sync::{Arc, Weak};

use self::core::NodeCore;
use crate::chaos::{Chaos, Inner};

pub use cells::BadCell;
pub use clock::{Bend, Bent, NodeClock};
pub use durable::Durable;
pub use guard::{Down, Paused};
pub use layer::NodeLayer;
pub(crate) use nodes::{Healed, Nodes};
pub use reach::{Reach, Reached};
pub use run::{Run, RunInline};
pub use serve::Boot;
pub use service::{NodeFuture, NodeService, OnNode};
pub use volatile::Volatile;

/// A machine, or a process on one. From [`Chaos::node`].
///
/// What it runs is given to it: [`run`](Self::run), [`spawn`](Self::spawn), [`serve`](Self::serve)
/// and [`layer`](Self::layer). That work is not polled while the node is paused, and it is dropped
/// when the node crashes.
///
/// ```text
///             pause                     crash
///   Paused ◀────────── Running ──────────────────▶ Down
///      │ ──────────────▶ │  ▲                       │
///      │     resume      │  └────── restart ────────┘  (a new incarnation)
///      └──────────── crash ─────────────────────────▶
/// ```
///
/// * **A pause** is a garbage collection, a `SIGSTOP`, a suspended machine. Time goes on: timers
///   fire late, and never early, for wake-ups are remembered. What was being polled when the pause
///   began is polled to the end of that poll, and [`pause`](Self::pause) returns after it.
/// * **A crash** is a `kill -9`. What the node runs is never polled again once
///   [`crash`](Self::crash) has returned, and is dropped by then. Unlike a kill it runs
///   destructors, which find the node down. What is [`durable`](Self::durable) survives.
/// * **A restart** begins a new incarnation. Work of an old one stays dead; a program given to
///   [`serve`](Self::serve) begins anew.
///
/// Pauses and crashes need a run: the chaos must be armed. The end of the run heals: what is
/// paused resumes, what is down restarts, without an event.
///
/// Code of a node may pause or crash it, or another node. Then nobody waits for polls that are
/// under way, its own among them: they are finished as polls from before, and what they then write or
/// begin is that of a dead incarnation, which is refused. A wait is also given up after 5 s of
/// real time, with an event: a poll that takes so long blocks its thread.
///
/// What the work itself `tokio::spawn`s escapes: use [`Node::spawn`], or [`Boot::spawn`]. A thread
/// of its own, a `spawn_blocking`, a buffer in the kernel, escape as well.
///
/// A handle: clones, and the same name, are the same node.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_core::Seed;
/// use murphy_fault::{Chaos, Plan, TimeLimit};
///
/// let chaos = Chaos::new(Seed::new(42));
/// let node = chaos.node("a");
/// let _armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
///
/// let work = node.spawn(std::future::pending::<()>());
/// let down = node.crash().unwrap();
/// let crashed = work.await.unwrap().unwrap_err();
/// assert_eq!(crashed.to_string(), "node `a` crashed in incarnation 0");
/// drop(down); // restarts
/// assert_eq!(node.incarnation(), 1);
/// # });
/// ```
#[derive(Clone)]
pub struct Node {
    core: Arc<NodeCore>,
    /// `None`: one node too many, which nobody could heal.
    chaos: Option<Arc<Inner>>,
    /// The only run that this handle disturbs; `None` is any.
    only: Option<u64>,
}

/// A node that a guard holds on to, and not its chaos: one that nobody else holds is healed.
#[derive(Clone, Debug)]
struct Away {
    core: Arc<NodeCore>,
    chaos: Weak<Inner>,
    only: Option<u64>,
}

impl Away {
    fn core(&self) -> &NodeCore {
        &self.core
    }

    fn chaos(&self) -> Option<Arc<Inner>> {
        self.chaos.upgrade()
    }

    /// The node, if its chaos is still there.
    fn node(&self) -> Option<Node> {
        Some(Node {
            core: Arc::clone(&self.core),
            chaos: Some(self.chaos()?),
            only: self.only,
        })
    }
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeState {
    /// It runs.
    Running,
    /// It stands still.
    Paused,
    /// It crashed, and has not been restarted.
    Down,
}

/// The node crashed, and took the work with it; or it was down when the work was to begin.
///
/// What the work did before that is done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node `{node}` crashed in incarnation {incarnation}")]
pub struct Crashed {
    node: Arc<str>,
    incarnation: u64,
    began: bool,
}

impl Crashed {
    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The incarnation that the crash ended.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Whether the work had begun. If not, it never will have.
    #[must_use]
    pub fn began(&self) -> bool {
        self.began
    }
}

impl Chaos {
    /// The node with this name: the same one for the same name. The [network](Chaos::network) knows
    /// it as well.
    ///
    /// Past 65,536 nodes, a new one is not known to the chaos: it runs what it is given, and whoever
    /// would disturb it is told [`NotArmed`](crate::NotArmed).
    #[must_use]
    pub fn node(&self, name: &str) -> Node {
        let (core, known) = self.inner.nodes.get(name);
        if known {
            // A name that no link can have is still that of a node.
            let _ = self.network().nodes([name]);
        }
        Node {
            core,
            chaos: known.then(|| Arc::clone(&self.inner)),
            only: None,
        }
    }

    /// The names of all nodes so far, sorted.
    #[must_use]
    pub fn nodes(&self) -> Vec<Arc<str>> {
        self.inner.nodes.names()
    }
}

impl Node {
    /// A handle that disturbs the node in this run only.
    pub(crate) fn during(self, run: u64) -> Self {
        Self {
            only: Some(run),
            ..self
        }
    }

    fn away(&self) -> Away {
        Away {
            core: Arc::clone(&self.core),
            chaos: self.chaos.as_ref().map(Arc::downgrade).unwrap_or_default(),
            only: self.only,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// How often it was restarted, in all runs: 0 is its first life. Of a node that is down: the
    /// life that ended.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.core.lock().incarnation
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> NodeState {
        self.core.lock().state()
    }

    /// Whether it stands still.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.state() == NodeState::Paused
    }

    /// Whether it has not crashed, or was restarted. A paused node is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state() != NodeState::Down
    }

    /// How many pieces of work live on it, calls of its layers included. At most 262,144:
    /// further ones are told [`Crashed`], and an event says so.
    #[must_use]
    pub fn living(&self) -> usize {
        self.core.lock().works.len()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = self.core.lock();
        f.debug_struct("Node")
            .field("name", &self.core.name)
            .field("incarnation", &world.incarnation)
            .field("state", &world.state())
            .finish_non_exhaustive()
    }
}
