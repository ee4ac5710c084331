//! 32 clients on one lock, each with a millisecond of work.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bench::figure::Figure;
use murphy_lease::{LeaseReply, LeaseRequest, Locks};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower::Service;

const CLIENTS: usize = 32;
const HOLD: Duration = Duration::from_millis(1);

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
pub(crate) async fn measure<S>(name: &str, store: S, time: Duration) -> anyhow::Result<Vec<Figure>>
where
    S: Service<LeaseRequest, Response = LeaseReply> + Clone + Send + Sync + 'static,
    S::Error: std::error::Error + Send + Sync + 'static,
    S::Future: Send,
{
    let locks = Locks::new(store);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let end = Instant::now() + time;
    // Where nobody stands in line one may have to wait until the others have done.
    let patience = time + Duration::from_secs(60);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (locks, seen) = (locks.clone(), Arc::clone(&seen));
        clients.spawn(async move {
            while Instant::now() < end {
                let asked = Instant::now();
                let before = seen.lock().map_or(0, |seen| seen.waits.len());
                let lease = locks.acquire("crowd").deadline(patience).await?;
                let granted = Instant::now();
                if let Ok(mut seen) = seen.lock() {
                    let others = seen.waits.len() - before;
                    seen.others.push(others as f64);
                    seen.waits.push(millis(granted - asked));
                    if let Some(released) = seen.released {
                        seen.handovers
                            .push(millis(granted.saturating_duration_since(released)));
                    }
                }
                sleep(HOLD).await;
                if let Ok(mut seen) = seen.lock() {
                    let released = Instant::now();
                    seen.holds.push(millis(released - granted));
                    seen.released = Some(released);
                }
                lease.release().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    let seen = Arc::into_inner(seen).and_then(|seen| seen.into_inner().ok());
    let Seen {
        waits,
        others,
        holds,
        handovers,
        ..
    } = seen.unwrap_or_default();
    let note = format!(
        "{CLIENTS} clients, {HOLD:?} of work each, {} turns in {time:?}",
        waits.len()
    );
    let mut figures = Vec::new();
    for (of, what) in [(&waits, "wait"), (&handovers, "handover")] {
        for (part, at) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let figure = format!("lease.{name}.{what}_{part}_ms");
            figures.push(Figure::new(figure, "murphy", quantile(of, at), "ms", &note));
        }
    }
    let figure = format!("lease.{name}.wait_p99_turns");
    let note = "how many others had it while one waited; 31 come before the last of a crowd";
    let turns = quantile(&others, 0.99);
    figures.push(Figure::new(figure, "murphy", turns, "turns", note));
    // Of a fair store: everybody else once, each with his work and a handover.
    let fair = CLIENTS as f64 * (quantile(&holds, 0.5) + quantile(&handovers, 0.5));
    let figure = format!("lease.{name}.wait_p99_by_fair");
    let note = "in units of 32 times what it was held and handed over, at the median";
    let ratio = quantile(&waits, 0.99) / fair;
    figures.push(Figure::new(figure, "murphy", ratio, "ratio", note));
    Ok(figures)
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
