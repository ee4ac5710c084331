//! What runs on a [`Node`], and what it remembers.

use std::future::Future;

use tokio::task::JoinHandle;

use super::run::{Run, RunInline};
use super::{BadCell, Boot, Crashed, Durable, Node, NodeLayer, Volatile, serve};

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
