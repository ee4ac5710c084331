//! [`Model`]: the assumptions of a proof, as a plan that goes to their limits.

mod error;
mod failing;
mod ground;
mod timing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::chaos::Chaos;
use crate::disturbance::Disturbance;
use crate::plan::{MOST_DISTURBANCES, Plan};
use ground::Ground;

pub use error::BadModel;

/// What a model promises of the time that a message takes, on each leg of each link.
///
/// It is about links. Nodes compute in no time and their clocks are true, whatever the timing: where
/// that matters, add pauses and bent clocks to the plan. The time that a service takes
/// is its own. Under a paused clock the bounds are exact; elsewhere timers are late, as timers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timing {
    /// Every message takes at most `delta`, from nothing to the bound, all alike. Nothing is lost.
    ///
    /// Hadzilacos and Toueg, *A modular approach to fault-tolerant broadcasts* (1994).
    #[doc(alias = "bounded delay")]
    Synchronous {
        /// δ, the bound: 1 ms to 365 days, cut to whole milliseconds.
        delta: Duration,
    },
    /// [`Synchronous`](Self::Synchronous) from a moment on that nobody is told, the *global
    /// stabilisation time*.
    ///
    /// * A message that is sent at `gst` or later takes at most `delta`, and is not lost. That holds for a
    ///   reply by when it is sent, whenever its request was.
    /// * A message that is sent before is lost, or arrives by `gst + delta`; messages on hold are let go
    ///   as their callers poll them.
    ///
    /// Before `gst` the nodes are in parts, none of which has a majority, and which are drawn
    /// anew up to 15 times, about 20 `delta` apart. Within a part, a message takes at most `delta`;
    /// between parts it is lost, and in the last of these times it is held until 1 ms before `gst`.
    /// So no majority answers requests that are sent at one moment. Requests that are *repeated*
    /// over a change of the parts may find one: before `gst` nothing is promised, failure neither.
    ///
    /// Dwork, Lynch and Stockmeyer, *Consensus in the presence of partial synchrony* (1988), where
    /// it is the bound on messages that holds eventually; speeds of nodes stay alike here.
    #[doc(alias = "eventually synchronous")]
    #[doc(alias = "GST")]
    PartiallySynchronous {
        /// When it begins, after arming: 4 ms to 365 days, cut to whole milliseconds.
        gst: Duration,
        /// δ, the bound from then on, as of [`Synchronous`](Self::Synchronous).
        delta: Duration,
    },
    /// No bound: a Pareto tail of shape 1, whose mean is infinite. Ten times the
    /// delay is a tenth as likely, without end.
    ///
    /// Nothing is lost for ever: each message has a time at which it arrives, if anybody waits
    /// so long (half of all take more than `typical`, and one in 2*k* more than *k* times that).
    /// What has not arrived when a run or its caller ends looks lost, and nobody can tell. Messages overtake each other.
    ///
    /// Fischer, Lynch and Paterson, *Impossibility of distributed consensus with one faulty
    /// process* (1985).
    #[doc(alias = "FLP")]
    Asynchronous {
        /// The median: 1 ms to 365 days. No message takes less than half of it.
        typical: Duration,
    },
}

/// How a faulty node fails. All others never do.
///
/// Cachin, Guerraoui and Rodrigues, *Introduction to reliable and secure distributed programming*
/// (2011), chapter 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failures {
    /// It crashes once, at a drawn moment within the horizon, and stays down to the end of the run
    /// (unless somebody restarts it by hand).
    #[doc(alias = "fail-stop")]
    CrashStop,
    /// It crashes two to four times within the horizon, and is up again by its end. What is
    /// [`durable`](crate::Node::durable) survives. No node crashes for ever, and none without end:
    /// all are *eventually up*, in the words of Aguilera, Chen and Toueg, *Failure detection and
    /// consensus in the crash-recovery model* (2000).
    CrashRecovery,
    /// It lies: each of its replies goes through the hook of its link
    /// ([`altering_replies`](crate::FaultLayer::altering_replies), for which
    /// [`byzantine`](crate::byzantine) has hooks), with draws that each link has for itself. A
    /// layer without one is refused, by name, when the plan is armed. The horizon does not matter.
    ///
    /// It is an adversary of bounded malice: it answers every request, sends
    /// none that is forged, never crashes, and does not read what others are told. What it does beyond that is
    /// for the hook to do, or for faults that are added to the plan.
    ///
    /// Lamport, Shostak and Pease, *The Byzantine generals problem* (1982).
    #[doc(alias = "arbitrary")]
    Byzantine,
}

/// A system model: a [`Timing`], a way of [failing](Failures), and how many nodes do.
///
/// [`plan`](Self::plan) makes a [`Plan`] of it: one that keeps what the model promises and breaks
/// what it does not, as pure data. So an algorithm that is proven in a model is tested at
/// its limits, and one step beyond: with more [`faulty`](Self::faulty) nodes, or under the next timing.
///
/// What each pair can be used to show, of `n` nodes and `f` faulty ones:
///
/// | | crash-stop | crash-recovery | Byzantine |
/// |---|---|---|---|
/// | **synchronous** | a timeout past a round trip is proof of a crash; consensus for any `f < n`, in `f + 1` rounds (Dolev and Strong 1983) | a node that is silent may return, and has forgotten what was not durable | agreement from `n ≥ 3f + 1` on, without signatures (Pease, Shostak and Lamport 1980) |
/// | **partially synchronous** | safe always, live after `gst`, from `n ≥ 2f + 1` on (Dwork, Lynch and Stockmeyer 1988) | the same, with votes on stable storage: a majority must be up in the end (Aguilera, Chen and Toueg 2000) | the same from `n ≥ 3f + 1` on (Dwork, Lynch and Stockmeyer 1988; Castro and Liskov 1999) |
/// | **asynchronous** | registers from a majority (Attiya, Bar-Noy and Dolev 1995); consensus is safe and need not end, with one crash already (Fischer, Lynch and Paterson 1985) | the same, with votes on stable storage | reliable broadcast, and consensus by chance, from `n ≥ 3f + 1` on (Bracha 1987) |
///
/// **Whom it is about.** Links are the sites of the chaos, as they are when the plan is made, whose name is
/// `"a->b"` for two nodes of its [network](Chaos::network). Its nodes are those that links lead to, and
/// where nodes crash, those that [`Chaos::node`] was asked for; [`among`](Self::among) says otherwise.
/// The rest (clients) never fails.
///
/// **What is drawn.** Who fails, when and for how long are pure functions of the chaos's seed and
/// of the nodes' names, fixed in the plan, which carries the seed along. One more faulty
/// node leaves those before it as they were.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_core::Seed;
/// use murphy_fault::{Chaos, Failures, Model, TimeLimit, Timing};
/// use std::time::Duration;
///
/// let chaos = Chaos::new(Seed::new(42));
/// for name in ["a", "b", "c"] {
///     chaos.node(name);
/// }
/// let _link = chaos.network().link("a", "b")?; // its layer goes into a stack
///
/// let delta = Duration::from_millis(20);
/// let model = Model::new(Timing::Synchronous { delta }, Failures::CrashStop);
/// assert_eq!(model.faulty_nodes(&chaos)?.len(), 1, "a minority of three");
/// let _armed = chaos.arm(&model.plan(&chaos)?, TimeLimit::None)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "system model")]
pub struct Model {
    timing: Timing,
    failures: Failures,
    faulty: Option<usize>,
    horizon: Duration,
    among: Option<Vec<Arc<str>>>,
}

impl Model {
    /// A model in which the largest tolerable minority is faulty, within a minute: of `n` nodes
    /// `(n - 1) / 2` that crash, or `(n - 1) / 3` that lie. So of two nodes nobody is.
    #[must_use]
    pub const fn new(timing: Timing, failures: Failures) -> Self {
        Self {
            timing,
            failures,
            faulty: None,
            horizon: Duration::from_secs(60),
            among: None,
        }
    }

    /// So many nodes are faulty; 0 is nobody, and more than a minority is allowed.
    #[must_use]
    pub const fn faulty(mut self, nodes: usize) -> Self {
        self.faulty = Some(nodes);
        self
    }

    /// Nodes crash within so long after arming: 100 ms to 365 days, cut to whole milliseconds. What
    /// comes after is quiet, as far as nodes go.
    #[must_use]
    pub const fn within(mut self, horizon: Duration) -> Self {
        self.horizon = horizon;
        self
    }

    /// It is about these nodes: they are who may fail, and of whom no part has a majority before
    /// `gst`. Timing is about all links, still.
    #[must_use]
    pub fn among<N: AsRef<str>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        let mut names: Vec<Arc<str>> = nodes.into_iter().map(|n| n.as_ref().into()).collect();
        names.sort_unstable();
        names.dedup();
        self.among = Some(names);
        self
    }

    /// The timing.
    #[must_use]
    pub const fn timing(&self) -> Timing {
        self.timing
    }

    /// How nodes fail.
    #[must_use]
    pub const fn failures(&self) -> Failures {
        self.failures
    }

    /// The nodes that are faulty under the seed of this chaos, sorted.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan).
    pub fn faulty_nodes(&self, chaos: &Chaos) -> Result<Vec<Arc<str>>, BadModel> {
        let ground = Ground::of(chaos)?;
        let members = ground.members(chaos, self)?;
        let mut faulty = failing::chosen(self, &members, chaos.seed())?;
        faulty.sort_unstable();
        Ok(faulty)
    }

    /// The model as a plan for this chaos, under its seed. More may be added to it; its own faults are
    /// `model.request`, `model.reply` and `model.lie`.
    ///
    /// # Errors
    ///
    /// [`BadModel`]: a duration out of its range, more faulty nodes than there are, an unknown node,
    /// no link, a link that has a profile (whose latency and loss the model would not
    /// bound), or more crashes than a plan holds.
    pub fn plan(&self, chaos: &Chaos) -> Result<Plan, BadModel> {
        timing::check(self.timing)?;
        failing::check(self)?;
        let ground = Ground::of(chaos)?;
        let members = ground.members(chaos, self)?;
        let faulty = failing::chosen(self, &members, chaos.seed())?;
        let mut plan = Plan::new().seed(chaos.seed());
        for link in &ground.links {
            for fault in timing::faults(self.timing) {
                plan = plan.with(Arc::clone(&link.site), fault);
            }
        }
        for (site, lie) in failing::lies(self.failures, &ground.links, &faulty) {
            plan = plan.with(site, lie);
        }
        let parts = timing::parts(self.timing, &members, &ground.nodes, chaos.seed());
        let crashes = failing::crashes(self, &faulty, chaos.seed());
        let disturbances: Vec<Disturbance> = parts.into_iter().chain(crashes).collect();
        if disturbances.len() > MOST_DISTURBANCES {
            return Err(BadModel::new(
                "faulty",
                format!("{} nodes", faulty.len()),
                format!(
                    "their {} crashes and cuts are more than the {MOST_DISTURBANCES} events of a plan",
                    disturbances.len()
                ),
            ));
        }
        Ok(disturbances.into_iter().fold(plan, Plan::disturb))
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synchronous { delta } => write!(f, "synchronous (delta {delta:?})"),
            Self::PartiallySynchronous { gst, delta } => {
                write!(f, "partially synchronous (GST {gst:?}, delta {delta:?})")
            }
            Self::Asynchronous { typical } => write!(f, "asynchronous (typical {typical:?})"),
        }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CrashStop => "crash-stop",
            Self::CrashRecovery => "crash-recovery",
            Self::Byzantine => "Byzantine",
        })
    }
}

/// `synchronous (delta 20ms), crash-stop`.
impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.timing, self.failures)
    }
}
