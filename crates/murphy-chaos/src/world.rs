//! [`World`]: what one run is given: a seed, chaos, nodes, services, clients.

#[cfg(feature = "http")]
mod client;
#[cfg(feature = "http")]
mod corrupt;
mod crowd;
mod judge;
#[cfg(feature = "http")]
mod serve;
#[cfg(feature = "http")]
mod transport;

use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Draw, Key, Lane, Point, Scope, Seed, Stream, TokioClock};
use murphy_fault::{Chaos, Network, Node, Site};

use crate::promise::Promise;
use crate::scene::Scene;

#[cfg(feature = "http")]
pub use client::{Client, ClientFuture, Reply, ReplyBody};
pub use crowd::{Caller, Crowd};
#[cfg(feature = "http")]
pub use serve::NotServed;
#[cfg(feature = "http")]
pub(crate) use serve::Served;

/// One run: everything that a test may use in it, fresh each time.
///
/// Time is virtual and starts anew; nothing is shared with other runs but what the test's closure
/// itself shares. A handle: clones are the same run.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) scene: Arc<Scene>,
}

impl World {
    /// The seed of the run. Whatever the test draws should come from it, or from [`draw`](Self::draw).
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.scene.seed
    }

    /// 64 bits that belong to this name and number under the run's seed.
    #[must_use]
    pub fn draw(&self, name: &str, nth: u64) -> Draw {
        let stream = Stream::new(self.seed(), "murphy.world", name, Lane::Fires);
        stream.at(Point::positional(nth))
    }

    /// The chaos: armed with what this run tries. It must not be armed by hand.
    #[must_use]
    pub fn chaos(&self) -> &Chaos {
        &self.scene.chaos
    }

    /// Links, and nodes that are only ends of links: they are cut. A site called `"api->pay"` is the link from api
    /// to pay, if one of them is a node.
    #[must_use]
    pub fn network(&self) -> Network {
        self.scene.chaos.network()
    }

    /// The node with this name. Once it was asked for here, the exploration pauses it, crashes it, cuts
    /// it off and sets its clock.
    #[must_use]
    pub fn node(&self, name: &str) -> Node {
        self.scene.place(name);
        self.scene.chaos.node(name)
    }

    /// Virtual time. Its time of day is the machine's, and so differs between processes; clocks of nodes
    /// ([`Node::clock`]) can be wrong.
    #[must_use]
    pub fn clock(&self) -> TokioClock {
        TokioClock
    }

    /// The place with this name: `w.site("api->db").layer()` puts it in front of any tower service,
    /// `w.site("api->db").run(key, || query())` around any call.
    #[must_use]
    pub fn site(&self, name: &str) -> Site {
        self.scene.chaos.site(name)
    }

    /// A place between two things, say between a check and the act: nothing goes wrong here, but others may go
    /// first, and a node may be paused. Most of the time it is passed at once.
    ///
    /// Its key is that of the caller's scope. The name is a site's name.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, the step was not passed.
    pub async fn step(&self, name: &str) {
        self.scene.step(name);
        let key = Scope::current_key().unwrap_or(Key::new(0));
        self.site(name).run(key, async || {}).inline().await;
    }

    /// `n` clients that call at the same time.
    pub fn clients(&self, n: usize) -> Crowd {
        Crowd::new(n)
    }

    /// Virtual time since the run began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.scene.elapsed()
    }

    /// Ends the faults of this run: nodes resume and restart, links carry, nothing new strikes. From
    /// here the system has to recover. Calls in flight keep their fate.
    pub fn calm(&self) {
        self.scene.chaos.disarm();
    }

    /// As [`always!`](crate::always), for code that runs on another thread.
    pub fn always(&self, condition: bool, name: &str, detail: impl FnOnce() -> String) -> bool {
        if !condition {
            self.scene.broken(Promise::Safety, name, detail());
        }
        condition
    }

    /// As [`sometimes!`](crate::sometimes), for code that runs on another thread.
    pub fn sometimes(&self, condition: bool, name: &str) -> bool {
        self.scene.mark(name, condition);
        condition
    }

    /// What happened in this run cannot be judged, say, because a checker ran out of memory. Unless
    /// another run fails, the exploration is undecided.
    pub fn undecided(&self, why: impl Into<String>) {
        self.scene.undecided(why.into());
    }
}
