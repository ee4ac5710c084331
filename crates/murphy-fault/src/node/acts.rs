//! What can be done to a [`Node`]: pause and resume, crash and restart.

use std::future::Future;
use std::time::Duration;

use super::Node;
use super::core::Risen;
use super::guard::{self, Down, Paused};
use crate::event::{NotArmed, Verb};

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
        let paused = Paused::new(self.away(), number);
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
        let down = Down::new(self.away(), number);
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

    pub(super) fn resume_one(&self, number: u64) {
        // Where no run is on, its end has healed the node.
        let _ = self.undo(Verb::Resume, || self.core.resume(Some(number)));
    }

    pub(super) fn restart_one(&self, number: u64) {
        let _ = self.undo(Verb::Restart, || self.core.restart(Some(number)));
    }

    fn disturb<T>(&self, verb: Verb, change: impl FnOnce() -> T) -> Result<T, NotArmed> {
        let chaos = self.chaos.as_ref().ok_or(NotArmed)?;
        chaos.disturb(self.only, verb, self.name(), change)
    }

    fn undo(&self, verb: Verb, change: impl FnOnce() -> Option<Risen>) -> Result<bool, NotArmed> {
        let chaos = self.chaos.as_ref().ok_or(NotArmed)?;
        let risen = chaos.disturb_if(self.only, verb, self.name(), change)?;
        let any = risen.is_some();
        if let Some(risen) = risen {
            self.core.wake(risen);
        }
        Ok(any)
    }
}
