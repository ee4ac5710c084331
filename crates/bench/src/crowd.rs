//! 32 clients on one lock: how long each waits, and how long the lock is nobody's between two of them.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use murphy_lease::{LeaseStore, Locks, Ttl};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::figure::Figure;

const CLIENTS: usize = 32;

/// What each of a crowd does in a turn.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// What its figures are called by.
    pub name: &'static str,
    /// For how long it works with the lock.
    pub hold: Duration,
    /// For how long its lease is, if it is not renewed.
    pub ttl: Ttl,
}

/// A millisecond of work: all have had their turn long before a lease is over.
pub const SHORT: Turn = Turn {
    name: "wait",
    hold: Duration::from_millis(1),
    ttl: Ttl::from_secs(10),
};

/// So much work that whoever waits does so for longer than a lease, and has to ask again.
pub const LONG: Turn = Turn {
    name: "long_wait",
    hold: Duration::from_millis(50),
    ttl: Ttl::from_secs(1),
};

#[derive(Default)]
struct Seen {
    waits: Vec<f64>,
    /// How many others had it meanwhile: what a wait is, however slow the machine.
    others: Vec<f64>,
    /// How long it was had: a sleep takes longer than it is told.
    holds: Vec<f64>,
    handovers: Vec<f64>,
    released: Option<Instant>,
}

/// Waits and handovers, for so long.
///
/// # Errors
///
/// What the store answers but grants.
pub async fn measure<S>(
    store_name: &str,
    store: S,
    turn: Turn,
    time: Duration,
) -> anyhow::Result<Vec<Figure>>
where
    S: LeaseStore<Error: Error + Sync> + Sync,
{
    let locks = Locks::new(store).ttl(turn.ttl);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let end = Instant::now() + time;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(one(locks.clone(), turn, Arc::clone(&seen), end));
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    let seen = std::mem::take(&mut *lock(&seen));
    Ok(figures(store_name, turn, time, &seen))
}

async fn one<S>(
    locks: Locks<S>,
    turn: Turn,
    seen: Arc<Mutex<Seen>>,
    end: Instant,
) -> anyhow::Result<()>
where
    S: LeaseStore<Error: Error + Sync> + Sync,
{
    // Where nobody stands in line one may have to wait until the others have done.
    let patience = Duration::from_secs(120);
    while Instant::now() < end {
        let asked = Instant::now();
        let before = lock(&seen).waits.len();
        let lease = locks.acquire("crowd").deadline(patience).await?;
        let granted = Instant::now();
        {
            let mut seen = lock(&seen);
            let others = seen.waits.len() - before;
            seen.others.push(others as f64);
            seen.waits.push(millis(granted - asked));
            if let Some(released) = seen.released {
                let free = granted.saturating_duration_since(released);
                seen.handovers.push(millis(free));
            }
        }
        sleep(turn.hold).await;
        {
            let mut seen = lock(&seen);
            let released = Instant::now();
            seen.holds.push(millis(released - granted));
            seen.released = Some(released);
        }
        lease.release().await?;
    }
    Ok(())
}

fn figures(store: &str, turn: Turn, time: Duration, seen: &Seen) -> Vec<Figure> {
    let Turn { name, hold, ttl } = turn;
    let turns = seen.waits.len();
    let note = format!(
        "{CLIENTS} clients, {hold:?} of work each, leases of {ttl}, {turns} turns in {time:?}"
    );
    let figure = |what: &str, value, unit, note: &str| {
        Figure::new(
            format!("lease.{store}.{name}_{what}"),
            "murphy",
            value,
            unit,
            note,
        )
    };
    let parts = [("p50", 0.5), ("p99", 0.99), ("max", 1.0)];
    let mut figures: Vec<_> = parts
        .map(|(part, at)| {
            figure(
                &format!("{part}_ms"),
                quantile(&seen.waits, at),
                "ms",
                &note,
            )
        })
        .into();
    let handover = "from before a release to the next grant, at its client";
    figures.extend(parts.map(|(part, at)| {
        let time = quantile(&seen.handovers, at);
        figure(&format!("handover_{part}_ms"), time, "ms", handover)
    }));
    let others = "how many others had it while one waited; 31 come before the last of a crowd";
    let p99 = quantile(&seen.others, 0.99);
    figures.push(figure("p99_turns", p99, "turns", others));
    // Of a fair store: everybody else once, each with his work and a handover.
    let round = CLIENTS as f64 * (quantile(&seen.holds, 0.5) + quantile(&seen.handovers, 0.5));
    let ratio = quantile(&seen.waits, 0.99) / round;
    let fair = "in units of 32 times what it was held and handed over, at the median";
    figures.push(figure("p99_by_fair", ratio, "ratio", fair));
    figures
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn quantile(of: &[f64], at: f64) -> f64 {
    let mut of = of.to_vec();
    of.sort_by(f64::total_cmp);
    let last = of.len().saturating_sub(1);
    of.get((last as f64 * at) as usize)
        .copied()
        .unwrap_or(f64::NAN)
}
