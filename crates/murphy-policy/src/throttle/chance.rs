//! Where the flow policies draw from: a stream of a seed and a name.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use murphy_core::{Draw, Key, Lane, Point, Scope, Seed, Stream};

use crate::TARGET;

/// How many layers of this process share its seed.
static LAYERS: AtomicU64 = AtomicU64::new(0);

/// The draws of one layer.
#[derive(Debug)]
pub(crate) struct Chance {
    stream: Stream,
    // Which of the layers that share the process's seed; 0 with a seed of its own.
    layer: u64,
    ordinal: AtomicU64,
}

/// Which seed a layer has: its own, or the process's and a place among those that share it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) seed: Seed,
    layer: u64,
}

impl Source {
    /// `MURPHY_SEED`, else fresh entropy.
    pub(crate) fn shared() -> Self {
        let seed = Seed::resolve(None).unwrap_or_else(|error| {
            tracing::warn!(name: "flow.bad_seed", target: TARGET, %error, "a fresh seed is used");
            Seed::fresh()
        });
        Self {
            seed,
            layer: LAYERS.fetch_add(1, Relaxed) + 1,
        }
    }

    pub(crate) const fn seeded(seed: Seed) -> Self {
        Self { seed, layer: 0 }
    }

    pub(crate) fn chance(self, site: &str, policy: &str, lane: Lane) -> Chance {
        Chance {
            stream: Stream::new(self.seed, site, policy, lane),
            layer: self.layer,
            ordinal: AtomicU64::new(0),
        }
    }
}

impl Chance {
    /// The draw of this call: of its key and attempt, else of its place in the order of calls.
    pub(crate) fn draw(&self) -> Draw {
        let scope = Scope::current();
        match scope.key() {
            Some(key) => self
                .stream
                .at(Point::keyed(key, u64::from(scope.attempt()) - 1)),
            None => self.draw_next(),
        }
    }

    /// The next draw in order, whoever calls.
    pub(crate) fn draw_next(&self) -> Draw {
        let n = self.ordinal.fetch_add(1, Relaxed);
        self.stream.at(Point::keyed(Key::new(self.layer), n))
    }
}
