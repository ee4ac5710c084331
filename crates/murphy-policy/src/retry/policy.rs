//! What all calls of one retry layer share.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use murphy_core::{Draw, Key, Lane, Point, Scope, Seed, Stream};

use super::Attempt;
use super::decide::Obedience;
use crate::{Budget, TARGET};

/// The hooks and knobs of a retry.
#[derive(Clone)]
pub(crate) struct Policy<C, R, P> {
    pub(crate) classify: C,
    pub(super) replay: R,
    pub(super) pace: P,
    pub(super) attempts: NonZeroU32,
    pub(crate) budget: Budget,
    pub(super) obedience: Obedience,
    pub(super) shortest_attempt: Duration,
    pub(crate) site: Cow<'static, str>,
    pub(super) chance: Chance,
}

impl<C, R, P> Policy<C, R, P> {
    pub(crate) const fn first(&self) -> Attempt {
        Attempt::new(1, self.attempts.get())
    }
}

/// How many layers of this process share its seed.
static LAYERS: AtomicU64 = AtomicU64::new(0);

/// Where jitter comes from.
#[derive(Clone, Debug)]
pub(crate) struct Chance {
    stream: Stream,
    // Which of the layers that share the process's seed; `None` with a seed of its own.
    layer: Option<u64>,
    // Shared by all services of the layer: the n-th call that had to retry.
    sessions: Arc<AtomicU64>,
}

impl Chance {
    pub(super) fn seeded(seed: Seed, site: &str) -> Self {
        Self::new(seed, site, None)
    }

    /// Of a layer that shares its seed, and maybe its name, with others: its place among them
    /// keeps them from waiting in step.
    pub(super) fn shared(seed: Seed, site: &str) -> Self {
        Self::new(seed, site, Some(LAYERS.fetch_add(1, Relaxed)))
    }

    /// The same layer under another name.
    pub(super) fn renamed(&self, seed: Seed, site: &str) -> Self {
        Self::new(seed, site, self.layer)
    }

    fn new(seed: Seed, site: &str, layer: Option<u64>) -> Self {
        Self {
            stream: Stream::new(seed, site, "backoff", Lane::Jitter),
            layer,
            sessions: Arc::default(),
        }
    }

    /// The key that tells this call's jitter from others': the caller's, else a new one.
    pub(super) fn session(&self) -> Key {
        Scope::current().key().unwrap_or_else(|| {
            let session = Key::from(("session", self.sessions.fetch_add(1, Relaxed)));
            match self.layer {
                Some(layer) => Key::from((session, layer)),
                None => session,
            }
        })
    }

    /// The draw of the `n`-th retry under `key`.
    pub(super) const fn draw(&self, key: Key, n: u32) -> Draw {
        self.stream.at(Point::keyed(key, n as u64))
    }
}

/// `MURPHY_SEED`, else fresh entropy.
pub(super) fn seed_from_environment() -> Seed {
    Seed::resolve(None).unwrap_or_else(|error| {
        tracing::warn!(name: "retry.bad_seed", target: TARGET, %error, "a fresh seed is used");
        Seed::fresh()
    })
}
