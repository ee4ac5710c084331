//! [`Node`]: a machine or a process, which can stand still, die and come back.

mod cells;
mod core;
mod guard;
mod hold;
mod layer;
mod nodes;
mod post;
mod reach;
mod run;
mod section;
mod serve;
mod service;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use self::core::NodeCore;
use crate::chaos::{Chaos, Inner};
use crate::event::{NotArmed, Verb};

pub use cells::{BadCell, Durable, Volatile};
pub use guard::{Down, Paused};
pub use layer::NodeLayer;
pub(crate) use nodes::{Healed, Nodes};
pub use reach::{Reach, Reached};
pub use run::{Run, RunInline};
pub use serve::Boot;
pub use service::{NodeFuture, NodeService, OnNode};

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
    /// The node with this name: the same one for the same name.
    ///
    /// Past 65,536 nodes, a new one is not known to the chaos: it runs what it is given, and whoever
    /// would disturb it is told [`NotArmed`].
    #[must_use]
    pub fn node(&self, name: &str) -> Node {
        let (core, known) = self.inner.nodes.get(name);
        Node {
            core,
            chaos: known.then(|| Arc::clone(&self.inner)),
        }
    }

    /// The names of all nodes so far, sorted.
    #[must_use]
    pub fn nodes(&self) -> Vec<Arc<str>> {
        self.inner.nodes.names()
    }
}

impl Node {
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

    /// How many pieces of work live on it, calls of its layers included. At most 1,048,576:
    /// further ones are told [`Crashed`], and an event says so.
    #[must_use]
    pub fn living(&self) -> usize {
        self.core.lock().works.len()
    }
}

/// What can be done to it.
impl Node {
    /// Lets the node stand still until the guard is dropped. When this has returned, no code of
    /// the node runs (for the exception, see [above](Node)).
    ///
    /// Pauses add up: the node runs again when the last of them is gone. A crash ends all of them,
    /// as they are the process's; a pause of a node that is down holds its next life from the
    /// first step on.
    ///
    /// # Errors
    ///
    /// [`NotArmed`]: no run is on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use murphy_fault::{Chaos, Plan, TimeLimit};
    /// # let chaos = Chaos::new(murphy_core::Seed::new(1));
    /// # let _armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    /// let node = chaos.node("a");
    /// let pause = node.pause()?;
    /// assert!(node.is_paused());
    /// drop(pause);
    /// assert!(!node.is_paused());
    /// # Ok::<(), murphy_fault::NotArmed>(())
    /// ```
    #[doc(alias = "GC pause")]
    #[doc(alias = "garbage collection")]
    #[doc(alias = "SIGSTOP")]
    #[doc(alias = "VM suspend")]
    #[doc(alias = "process pause")]
    pub fn pause(&self) -> Result<Paused, NotArmed> {
        let number = self.disturb(Verb::Pause, || self.core.pause())?;
        let paused = Paused::new(self.clone(), number);
        self.core.wait(number);
        Ok(paused)
    }

    /// Pauses the node for a time of tokio's clock, from the first poll on.
    ///
    /// The timer is a task of its own, so that code of the node may await this: that is a garbage
    /// collection in the middle of it.
    ///
    /// # Errors
    ///
    /// [`NotArmed`]: no run is on.
    ///
    /// # Panics
    ///
    /// Polled outside of a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the pause.
    pub fn pause_for(
        &self,
        time: Duration,
    ) -> impl Future<Output = Result<(), NotArmed>> + Send + use<> {
        let node = self.clone();
        async move {
            guard::hold(node.pause()?, time).await;
            Ok(())
        }
    }

    /// Ends all pauses, whoever holds their guards. `false`: there was none.
    ///
    /// # Errors
    ///
    /// [`NotArmed`]: no run is on.
    #[doc(alias = "SIGCONT")]
    pub fn resume(&self) -> Result<bool, NotArmed> {
        self.undo(Verb::Resume, || self.core.resume(None))
    }

    /// Kills what runs on the node, which is down until the guard is dropped. When this has
    /// returned, the work of the node has been dropped, its destructors have run, and no code of
    /// it runs any more (for the exception, see [above](Node)). A destructor's panic is caught, and an
    /// event says so.
    ///
    /// A node that is down can be crashed again: it restarts when the last crash is over.
    ///
    /// # Errors
    ///
    /// [`NotArmed`]: no run is on.
    #[doc(alias = "kill -9")]
    #[doc(alias = "SIGKILL")]
    #[doc(alias = "crash-stop")]
    #[doc(alias = "crash-recovery")]
    #[doc(alias = "power failure")]
    pub fn crash(&self) -> Result<Down, NotArmed> {
        let (number, fallen) = self.disturb(Verb::Crash, || self.core.crash())?;
        let down = Down::new(self.clone(), number);
        self.core.bury(fallen);
        Ok(down)
    }

    /// Crashes the node and restarts it after a time of tokio's clock, from the first poll on.
    ///
    /// To be awaited outside of the node: its own code would die of it, and so restart it at once.
    ///
    /// # Errors
    ///
    /// [`NotArmed`]: no run is on.
    ///
    /// # Panics
    ///
    /// Polled outside of a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future restarts the node.
    pub fn crash_for(
        &self,
        time: Duration,
    ) -> impl Future<Output = Result<(), NotArmed>> + Send + use<> {
        let node = self.clone();
        async move {
            guard::hold(node.crash()?, time).await;
            Ok(())
        }
    }

    /// Begins a new incarnation, whoever holds guards, and returns its number. A node that is up is
    /// crashed first.
    ///
    /// # Errors
    ///
    /// [`NotArmed`]: no run is on.
    #[doc(alias = "bounce")]
    #[doc(alias = "reboot")]
    pub fn restart(&self) -> Result<u64, NotArmed> {
        if self.is_up() {
            self.crash()?.keep();
        }
        self.undo(Verb::Restart, || self.core.restart(None))?;
        Ok(self.incarnation())
    }

    fn resume_one(&self, number: u64) {
        // Where no run is on, its end has healed the node.
        let _ = self.undo(Verb::Resume, || self.core.resume(Some(number)));
    }

    fn restart_one(&self, number: u64) {
        let _ = self.undo(Verb::Restart, || self.core.restart(Some(number)));
    }

    fn disturb<T>(&self, verb: Verb, change: impl FnOnce() -> T) -> Result<T, NotArmed> {
        let chaos = self.chaos.as_ref().ok_or(NotArmed)?;
        chaos.disturb(verb, self.name(), change)
    }

    fn undo(
        &self,
        verb: Verb,
        change: impl FnOnce() -> Option<core::Risen>,
    ) -> Result<bool, NotArmed> {
        let chaos = self.chaos.as_ref().ok_or(NotArmed)?;
        let risen = chaos.disturb_if(verb, self.name(), change)?;
        let any = risen.is_some();
        if let Some(risen) = risen {
            self.core.wake(risen);
        }
        Ok(any)
    }
}

/// What runs on it.
impl Node {
    /// Puts work on the node, in the incarnation that is up now.
    ///
    /// While the node is paused, the work is not polled, from no thread; wake-ups are remembered. A
    /// crash drops it, also if nobody polls what this returns, and its output is then [`Crashed`].
    /// Work for a node that is down is not begun: `Crashed`, at once.
    ///
    /// It runs inside of whoever awaits it, as a future does. It counts as living until it ends or is
    /// dropped, also while no run is on.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let chaos = murphy_fault::Chaos::off();
    /// let sum = chaos.node("a").run(async { 1 + 1 }).await;
    /// assert_eq!(sum, Ok(2));
    /// # });
    /// ```
    pub fn run<F: Future + Send + 'static>(&self, work: F) -> Run<F> {
        Run::begin(&self.core, None, false, work)
    }

    /// As [`run`](Self::run), for work that is not `Send` or that borrows. No crash can drop it
    /// from outside: it is not polled again, and is dropped when it is next awaited (the crash
    /// wakes whoever does) or dropped.
    pub fn run_inline<F: Future>(&self, work: F) -> RunInline<F> {
        RunInline::begin(&self.core, false, work)
    }

    /// [Runs](Self::run) work on the node in a task of its own.
    ///
    /// In code of the node it belongs to that code's incarnation.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<Result<F::Output, Crashed>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.run(work))
    }

    /// Runs a program on the node: now, and anew after every restart, until it ends by itself.
    ///
    /// The closure is code of the node too: it is called on the node, and not while it is paused
    /// or down. A program that starts tasks starts them with [`Boot::spawn`], so that they die with
    /// their life.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the program's present life.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use murphy_core::Seed;
    /// use murphy_fault::{Chaos, Plan, TimeLimit};
    ///
    /// let chaos = Chaos::new(Seed::new(1));
    /// let node = chaos.node("a");
    /// let program = tokio::spawn(node.serve(|boot| async move {
    ///     let lives = boot.durable::<u64>("lives").unwrap();
    ///     lives.store(lives.get().unwrap_or(0) + 1).unwrap();
    ///     if lives.get() < Some(2) {
    ///         std::future::pending::<()>().await; // say, an accept loop
    ///     }
    ///     boot.incarnation()
    /// }));
    /// tokio::task::yield_now().await;
    /// let _armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
    /// node.restart().unwrap();
    /// assert_eq!(program.await.unwrap(), 1);
    /// # });
    /// ```
    pub fn serve<C, F>(&self, program: C) -> impl Future<Output = F::Output> + Send + use<C, F>
    where
        C: Fn(Boot) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
        F::Output: Send,
    {
        serve::serve(self.clone(), program)
    }

    /// A layer that places services on the node.
    #[must_use]
    pub fn layer(&self) -> NodeLayer {
        NodeLayer::new(self.clone())
    }
}

/// What it remembers.
impl Node {
    /// The durable cell with this name, empty if it is new: the same one for the same name.
    ///
    /// It survives crashes, and the ends of runs; it lives as long as the chaos.
    ///
    /// # Errors
    ///
    /// [`BadCell`]: the name is taken by a cell of another type, or there are 65,536 cells already.
    pub fn durable<T: Send + Sync + 'static>(&self, name: &str) -> Result<Durable<T>, BadCell> {
        Durable::open(&self.core, name)
    }

    /// A new value in the node's memory, which a crash resets to `initial`.
    #[must_use]
    pub fn memory<T>(&self, initial: T) -> Volatile<T> {
        Volatile::new(&self.core, initial)
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
