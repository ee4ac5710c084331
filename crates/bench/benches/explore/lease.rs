//! A lock without a fence, four clients, about a hundred calls that can be struck; and the same of our own.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bench::figure::Figure;
use murphy_chaos::core::Seed;
use murphy_chaos::{World, always};
use tokio::time::timeout;
use tower::{ServiceBuilder, ServiceExt, service_fn};

const RUNS: u64 = 20_000;
const TTL: Duration = Duration::from_secs(10);

pub(crate) fn measure() -> Vec<Figure> {
    let (outcome, seconds) = crate::timed(|| {
        let exploration = crate::exploration("explore-lease", RUNS);
        exploration.run(|w| lease(w, u64::MAX))
    });
    let note = format!("4 clients, {} calls; {RUNS} runs", outcome.calls);
    let runs = outcome.runs as f64 / seconds;
    let found: Vec<(usize, usize, usize)> = (0..60).flat_map(shrunk).collect();
    let of = |part: fn(&(usize, usize, usize)) -> usize| median(found.iter().map(part).collect());
    let shrinking = format!(
        "{} failures of several faults: {} of them, then {}, at the median",
        found.len(),
        of(|found| found.0),
        of(|found| found.1)
    );
    let replays = of(|found| found.2) as f64;
    vec![
        Figure::new(
            "explore.lease.runs".to_owned(),
            "murphy",
            runs,
            "1/s",
            &note,
        ),
        Figure::new(
            "explore.shrink.replays".to_owned(),
            "murphy",
            replays,
            "replays",
            &shrinking,
        ),
    ]
}

fn median(mut of: Vec<usize>) -> usize {
    of.sort_unstable();
    of.get(of.len() / 2).copied().unwrap_or_default()
}

/// Of what is found under this seed by several faults at once: how many there were, how many are left, and after how many replays.
fn shrunk(seed: u64) -> Vec<(usize, usize, usize)> {
    let unfenced = crate::exploration("explore-unfenced", 3000)
        .seed(Seed::new(seed))
        .failures(1)
        .run(|w| lease(w, 2));
    let of_several = unfenced.failures.iter().filter(|f| f.found_with > 1);
    of_several
        .map(|f| (f.found_with, f.injections.len(), f.replays))
        .collect()
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Acquire,
    Write(u64),
    Release(u64),
}

#[derive(Debug, Default)]
struct Locks {
    holder: Option<(u64, tokio::time::Instant)>,
    tokens: u64,
    newest: u64,
    stale: u64,
}

impl Locks {
    fn answer(&mut self, ask: Ask) -> u64 {
        let now = tokio::time::Instant::now();
        match ask {
            Ask::Acquire => {
                if self.holder.is_some_and(|(_, until)| until > now) {
                    return 0;
                }
                self.tokens += 1;
                self.holder = Some((self.tokens, now + TTL));
                self.tokens
            }
            Ask::Write(token) if token < self.newest => {
                self.stale += 1;
                0
            }
            Ask::Write(token) => {
                self.newest = token;
                1
            }
            Ask::Release(token) => {
                self.holder.take_if(|(held, _)| *held == token);
                1
            }
        }
    }
}

/// Where `most` stale writes are too many.
async fn lease(w: World, most: u64) {
    let locks = Arc::new(Mutex::new(Locks::default()));
    let state = Arc::clone(&locks);
    let stack = ServiceBuilder::new()
        .layer(w.site("api->locks").layer().duplicating())
        .service(service_fn(move |ask: Ask| {
            let answer = state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .answer(ask);
            async move { Ok::<_, Infallible>(answer) }
        }));
    w.clients(4)
        .calls(8)
        .pace(Duration::from_millis(3))
        .each(move |_| {
            let stack = stack.clone();
            async move {
                let ask = |ask| {
                    let call = stack.clone().oneshot(ask);
                    async { timeout(Duration::from_secs(5), call).await.ok() }
                };
                let Some(Ok(token)) = ask(Ask::Acquire).await else {
                    return;
                };
                if token > 0 {
                    for _ in 0..2 {
                        let _ = ask(Ask::Write(token)).await;
                    }
                    let _ = ask(Ask::Release(token)).await;
                } else {
                    let _ = ask(Ask::Acquire).await;
                }
            }
        })
        .await;
    let stale = locks.lock().unwrap_or_else(PoisonError::into_inner).stale;
    always!(stale < most, "stale writes are few");
}
