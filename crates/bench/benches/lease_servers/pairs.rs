//! Pairs of an acquire and a release: who is compared takes turns.

use std::pin::Pin;
use std::time::Duration;

use bench::figure::Figure;
use murphy_core::mix;
use murphy_lease::{
    Acquire, Claim, LeaseReply, LeaseRequest, LeaseStore, LockName, Locks, Nonce, Rank, StoreError,
    Ttl,
};
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use crate::TTL;

/// Many short ones: what disturbs one of them disturbs all who are compared in it, or is one of many.
const ROUNDS: usize = 401;

/// In turn, each for some hundreds of its pairs: a server may remember all names that it ever saw of a lock.
const LOCKS: [&str; 16] = [
    "lock-a", "lock-b", "lock-c", "lock-d", "lock-e", "lock-f", "lock-g", "lock-h", "lock-i",
    "lock-j", "lock-k", "lock-l", "lock-m", "lock-n", "lock-o", "lock-p",
];

/// Whose turn it is in the `n`-th pair of all.
pub(crate) const fn lock(n: u64) -> &'static str {
    LOCKS[(n / 2500) as usize % LOCKS.len()]
}

/// The `n`-th pair of somebody.
pub(crate) type Pair<'a> = Box<
    dyn FnMut(u64) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>> + Send + 'a,
>;

/// One pair by a client: a lease with its keeper, and given back.
pub(crate) async fn client<S>(locks: &Locks<S>, n: u64) -> anyhow::Result<()>
where
    S: LeaseStore<Error = StoreError>,
{
    locks.acquire(lock(n)).await?.release().await?;
    Ok(())
}

/// Whose pair it is: drawn as a client's are, for a server finds names the faster that were made in their order.
pub(crate) fn nonce(n: u64) -> Nonce {
    let half = |n| u128::from(mix(n));
    Nonce::from_bits(half(n) << 64 | half(!n))
}

/// One pair by the store alone.
pub(crate) async fn store<S>(store: S, n: u64) -> anyhow::Result<()>
where
    S: Service<LeaseRequest, Response = LeaseReply, Error = StoreError> + Clone,
{
    let lock = LockName::try_new(lock(n))?;
    let nonce = nonce(n);
    let acquire = LeaseRequest::Acquire(Acquire {
        lock: lock.clone(),
        nonce,
        ttl: Ttl::try_new(TTL)?,
        claim: Claim::Above(Rank::ZERO),
        wait: Duration::ZERO,
    });
    let reply = store.clone().oneshot(acquire).await?;
    anyhow::ensure!(matches!(reply, LeaseReply::Granted(_)), "{reply:?}");
    let reply = store.oneshot(LeaseRequest::Release { lock, nonce }).await?;
    let done = LeaseReply::Released { was_held: true };
    anyhow::ensure!(reply == done, "{reply:?}");
    Ok(())
}

/// So many pairs of each a round, in an order that is another each time: who comes after whom is no matter of habit. The first is us; each other is named, and so is what it is compared by: our
/// `time_by_x`, or our `rate_by_x`.
pub(crate) async fn compare(
    store: &str,
    pairs: u64,
    mut subjects: Vec<(&str, &str, Pair<'_>)>,
) -> anyhow::Result<Vec<Figure>> {
    let mut times = vec![Vec::new(); subjects.len()];
    let mut number = 0;
    for round in 0..=ROUNDS {
        let mut order: Vec<usize> = (0..subjects.len()).collect();
        order.sort_by_key(|at| mix((round * subjects.len() + at) as u64));
        for at in order {
            let start = Instant::now();
            for _ in 0..pairs {
                number += 1;
                subjects[at].2(number).await?;
            }
            // The first round connects, and prepares.
            if round > 0 {
                times[at].push(start.elapsed().as_secs_f64() / pairs as f64);
            }
        }
    }
    let mut figures = Vec::new();
    let note = format!("one client, median of {ROUNDS} rounds of {pairs} pairs in turn");
    for ((name, by, _), times_of) in subjects.iter().zip(&times) {
        let rate = 1.0 / median(times_of.clone());
        let figure = format!("lease.{store}.pairs_per_s");
        figures.push(Figure::new(figure, name, rate.round(), "pairs/s", &note));
        let ratios = times_of.iter().zip(&times[0]).map(|(theirs, ours)| {
            if by.starts_with("time_by") {
                ours / theirs
            } else {
                theirs / ours
            }
        });
        if !by.is_empty() {
            let figure = format!("lease.{store}.{by}");
            let ratios: Vec<f64> = ratios.collect();
            let (low, high) = confidence(ratios.clone());
            let note = format!("median of the rounds' own ratios; 95 %: {low:.3} to {high:.3}");
            let ratio = median(ratios);
            figures.push(Figure::new(figure, "murphy", ratio, "ratio", &note));
        }
    }
    Ok(figures)
}

/// Between which two the median is, in 95 of a hundred runs: order statistics, by the normal approximation of the binomial.
fn confidence(mut of: Vec<f64>) -> (f64, f64) {
    of.sort_by(f64::total_cmp);
    let (half, apart) = (of.len() as f64 / 2.0, 0.98 * (of.len() as f64).sqrt());
    let at = |rank: f64| of.get(rank.max(0.0) as usize).copied().unwrap_or(f64::NAN);
    (at((half - apart).floor()), at((half + apart).ceil()))
}

pub(crate) fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}
