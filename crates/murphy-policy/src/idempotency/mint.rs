//! Where keys come from: a new one for each call, from streams that nothing else draws from.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use murphy_core::{Key, Lane, Point, Scope, Seed, Stream};

use super::IdempotencyKey;
use crate::TARGET;

/// How many of the callers' keys are remembered, to tell their second call from the first.
const REMEMBERED: usize = 16_384;

/// How many layers of this process share its seed.
static LAYERS: AtomicU64 = AtomicU64::new(0);

/// Makes keys; clones make them in turns.
#[derive(Clone, Debug)]
pub(super) struct Mint(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    seeds: Seeds,
    /// By ordinal, and by the caller's key.
    plain: [Stream; 2],
    keyed: [Stream; 2],
    ordinal: AtomicU64,
    seen: Mutex<HashMap<Key, u64>>,
}

/// The two halves of a key have a seed each: entropy of 128 bits, where it is entropy.
#[derive(Clone, Copy, Debug)]
struct Seeds {
    high: Seed,
    low: Seed,
    /// Which of the layers that share a seed.
    layer: u64,
}

impl Mint {
    /// From `MURPHY_SEED`, else from fresh entropy that is nobody else's.
    pub(super) fn from_environment(site: &str) -> Self {
        let seed = Seed::from_env().unwrap_or_else(|error| {
            tracing::warn!(
                name: "idempotency.bad_seed", target: TARGET, %error, "a fresh seed is used",
            );
            None
        });
        let shared = |seed| (seed, seed, LAYERS.fetch_add(1, Relaxed));
        let (high, low, layer) = seed.map_or_else(|| (Seed::fresh(), Seed::fresh(), 0), shared);
        Self::new(Seeds { high, low, layer }, site)
    }

    pub(super) fn seeded(seed: Seed, site: &str) -> Self {
        let (high, low, layer) = (seed, seed, 0);
        Self::new(Seeds { high, low, layer }, site)
    }

    /// The same seeds under another name.
    pub(super) fn renamed(&self, site: &str) -> Self {
        Self::new(self.0.seeds, site)
    }

    fn new(seeds: Seeds, site: &str) -> Self {
        let site = format!("{site}\0{}", seeds.layer);
        let stream = |seed, what| Stream::new(seed, &site, what, Lane::Magnitude);
        let pair = |high, low| [stream(seeds.high, high), stream(seeds.low, low)];
        Self(Arc::new(Shared {
            seeds,
            plain: pair("idempotency-key/high", "idempotency-key/low"),
            keyed: pair("idempotency-key/keyed-high", "idempotency-key/keyed-low"),
            ordinal: AtomicU64::new(0),
            seen: Mutex::default(),
        }))
    }

    /// The key of one more call.
    pub(super) fn next(&self) -> IdempotencyKey {
        let shared = &*self.0;
        let keyed = Scope::current_key().and_then(|key| Some((key, shared.occurrence(key)?)));
        let (streams, point) = match keyed {
            Some((key, occurrence)) => (&shared.keyed, Point::keyed(key, occurrence)),
            None => {
                let ordinal = shared.ordinal.fetch_add(1, Relaxed);
                (&shared.plain, Point::positional(ordinal))
            }
        };
        let [high, low] = streams.map(|stream| u128::from(stream.at(point).bits()));
        IdempotencyKey::from_bits(high << 64 | low)
    }
}

impl Shared {
    /// How often `key` was met before; `None` if it is new and there is no room to remember it.
    fn occurrence(&self, key: Key) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED && !seen.contains_key(&key) {
            return None;
        }
        let times = seen.entry(key).or_insert(0);
        let occurrence = *times;
        *times += 1;
        Some(occurrence)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn under(key: u64, mint: &Mint) -> IdempotencyKey {
        Scope::current().with_key(key).sync(|| mint.next())
    }

    #[test]
    fn keys_repeat_under_one_seed_and_differ_else() {
        let a = Mint::seeded(Seed::new(1), "pay");
        let again = Mint::seeded(Seed::new(1), "pay");
        let keys: Vec<_> = (0..3).map(|_| a.next()).collect();
        assert_eq!(keys, (0..3).map(|_| again.next()).collect::<Vec<_>>());
        let others = [
            Mint::seeded(Seed::new(2), "pay"),
            Mint::seeded(Seed::new(1), "ship"),
            again.renamed("ship too"),
            Mint::from_environment("pay"),
            Mint::from_environment("pay"),
        ];
        let mut seen: HashSet<_> = keys.into_iter().collect();
        for mint in others {
            assert!(seen.insert(mint.next()));
        }
    }

    #[test]
    fn calls_under_a_callers_key_repeat_in_any_order_and_are_told_apart() {
        let one = Mint::seeded(Seed::new(1), "pay");
        let other = Mint::seeded(Seed::new(1), "pay");
        let (a, b, a2) = (under(0, &one), under(2, &one), under(0, &one));
        let plain = one.next();
        assert_eq!(
            [b, a, a2],
            [under(2, &other), under(0, &other), under(0, &other)]
        );
        assert_eq!(plain, other.next(), "nobody else's call moves it");
        assert_eq!(HashSet::from([a, b, a2, plain]).len(), 4);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_keys_stay_unique() {
        let mint = Mint::seeded(Seed::new(1), "pay");
        let many = REMEMBERED as u64 + 100;
        let keys: HashSet<_> = (0..many).map(|n| under(n, &mint)).collect();
        assert_eq!(keys.len() as u64, many);
        assert_eq!(mint.0.seen.lock().unwrap().len(), REMEMBERED);
        assert!(!keys.contains(&under(many, &mint)));
        assert!(!keys.contains(&under(many, &mint)));
    }
}
