//! 32 clients on one lock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bench::figure::Figure;
use murphy_lease::{LockName, Nonce};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::stores::Store;

const CLIENTS: u32 = 32;
const HOLD: Duration = Duration::from_millis(1);

/// What was seen of one store.
#[derive(Default)]
struct Seen {
    waits: Vec<Duration>,
    handovers: Vec<Duration>,
    held: Duration,
    /// When it was last let go.
    free: Option<Instant>,
}

pub(crate) fn measure(runtime: &Runtime, time: Duration) -> anyhow::Result<Vec<Figure>> {
    let (_ground, stores) = Store::all(runtime)?;
    let mut figures = Vec::new();
    for (name, store) in stores {
        let seen = runtime.block_on(turns(store, time))?;
        figures.extend(of(name, seen));
    }
    Ok(figures)
}

async fn turns(store: Store, time: Duration) -> anyhow::Result<Seen> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let end = Instant::now() + time;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(take_turns(store.clone(), client, Arc::clone(&seen), end));
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut seen))
}

async fn take_turns(
    mut store: Store,
    client: u32,
    seen: Arc<Mutex<Seen>>,
    end: Instant,
) -> anyhow::Result<()> {
    let lock: LockName = "orders".parse()?;
    for turn in 0_u32.. {
        let asked = Instant::now();
        if asked >= end {
            break;
        }
        let nonce = Nonce::from_bits(u128::from(client) << 64 | u128::from(turn));
        store.acquire(&lock, nonce).await?;
        let granted = Instant::now();
        sleep(HOLD).await;
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.waits.push(granted - asked);
            let free = seen.free.replace(Instant::now());
            seen.handovers.extend(free.map(|free| granted - free));
            seen.held += granted.elapsed();
        }
        store.release(&lock, nonce).await?;
    }
    Ok(())
}

fn of(store: &str, mut seen: Seen) -> Vec<Figure> {
    let turns = seen.waits.len();
    let hold = seen.held / u32::try_from(turns).unwrap_or(u32::MAX).max(1);
    let fair = hold * CLIENTS;
    let [p50, p99, most] = [50, 99, 100].map(|at| percentile(&mut seen.waits, at));
    let note = format!("{turns} turns of {hold:.2?}; a round of all 32 holds {fair:.1?}");
    let figure = |what: &str, value, unit, note: &str| {
        Figure::new(format!("lease.{store}.{what}"), "murphy", value, unit, note)
    };
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let handover = "from before a release to the next grant, at its client";
    vec![
        figure("wait_p50_ms", p50.as_secs_f64() * 1e3, "ms", &note),
        figure("wait_p99_ms", p99.as_secs_f64() * 1e3, "ms", &note),
        figure("wait_max_ms", most.as_secs_f64() * 1e3, "ms", &note),
        figure(
            "wait_p99_by_fair",
            p99.as_secs_f64() / fair.as_secs_f64(),
            "ratio",
            "in units of what all 32 hold it, one after the other",
        ),
        figure(
            "handover_p50_us",
            micros(percentile(&mut seen.handovers, 50)),
            "µs",
            handover,
        ),
        figure(
            "handover_p99_us",
            micros(percentile(&mut seen.handovers, 99)),
            "µs",
            handover,
        ),
    ]
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}
