//! Fetches of a thousand keys, through a hedge.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::Result;
use examples::in_virtual_time;
use murphy_core::Seed;
use murphy_policy::HedgeLayer;
use murphy_policy::hedge::{Delay, Idempotent};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, service_fn};

use crate::servers::{MS, Read, Servers, Weather};

const KEYS: u64 = 1_000;

/// What came of the fetches of one row.
pub(crate) struct Fetches {
    /// How long each took, in ms of the model, the shortest first.
    took: Vec<f64>,
    requests: u64,
    /// Whether any request was sent again.
    pub(crate) hedged: bool,
}

impl Fetches {
    /// Within how many ms the share `q` of the fetches was done.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        let rank = (q * self.took.len() as f64).ceil() as usize;
        self.took[rank.clamp(1, self.took.len()) - 1]
    }

    /// Requests beyond one a key, in %.
    pub(crate) fn extra(&self) -> f64 {
        let needed = self.took.len() as f64 * KEYS as f64;
        100.0 * (self.requests as f64 / needed - 1.0)
    }
}

/// One fetch after the other: all keys at once, done when the last one is there.
pub(crate) fn measure<D>(
    seed: Seed,
    weather: Weather,
    fetches: u64,
    hedge: HedgeLayer<D, Idempotent>,
) -> Result<Fetches>
where
    D: Delay<Read> + Clone + Send + Sync + 'static,
{
    let servers = Servers::new(seed, weather)?;
    let requests = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&requests);
    let server = service_fn(move |read: Read| {
        counted.fetch_add(1, Relaxed);
        let takes = servers.takes(read);
        async move {
            sleep(takes).await;
            Ok::<_, Infallible>(())
        }
    });
    let mut client = hedge.layer(server);
    let took: Result<Vec<f64>> = in_virtual_time(async {
        let mut took = Vec::new();
        for fetch in 0..fetches {
            let began = Instant::now();
            let mut keys = JoinSet::new();
            for key in 0..KEYS {
                keys.spawn(client.call(Read { fetch, key }));
            }
            while let Some(read) = keys.join_next().await {
                let Ok(()) = read?;
            }
            took.push(began.elapsed().as_secs_f64() / MS.as_secs_f64());
        }
        Ok(took)
    });
    let mut took = took?;
    took.sort_by(f64::total_cmp);
    let requests = requests.load(Relaxed);
    Ok(Fetches {
        took,
        requests,
        hedged: requests > fetches * KEYS,
    })
}
