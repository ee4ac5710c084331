//! How many runs a second: a small lease service, four clients, about a hundred calls.
//!
//! `cargo run --release -p murphy-chaos --example pace`
//!
//! Prints figures; asserts nothing about time. They are of processor time where the system tells it (in hundredths of
//! a second), else of real time.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_chaos::core::{Clock, Seed, SystemClock};
use murphy_chaos::{Budget, Explore, Kind, Menu, Stage, World, always, explore};
use tokio::time::timeout;
use tower::{ServiceBuilder, ServiceExt, service_fn};

const TTL: Duration = Duration::from_secs(10);

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
            let answer = state.lock().unwrap().answer(ask);
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
    let stale = locks.lock().unwrap().stale;
    always!(stale < most, "stale writes are few");
}

fn exploration(name: &str, runs: u64) -> Explore {
    explore(name)
        .seed(Seed::new(1))
        .jobs(1)
        .budget(Budget::runs(runs))
}

/// Seconds of processor time so far, where the system tells: in hundredths, of all threads.
fn processor() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

fn main() {
    let figure = |name: &str, value: f64, unit: &str, note: &str| {
        println!("{name:<32} {value:>12.1} {unit:<8} {note}");
    };
    let fenced = exploration("pace-fenced", 20_000).run(|w| lease(w, u64::MAX));
    let rate = fenced.runs as f64 / processor().unwrap_or(fenced.took.as_secs_f64());
    let calls = format!("{} calls; verdict {:?}", fenced.calls, fenced.verdict);
    figure("chaos.runs_per_second_a_core", rate, "runs/s", &calls);

    let clock = SystemClock::new();
    let (began, before) = (clock.now(), processor());
    let menu = Menu::only([
        Kind::LostRequest,
        Kind::LostReply,
        Kind::Duplicate,
        Kind::Latency,
    ]);
    let singles = exploration("pace-singles", u64::MAX >> 1)
        .menu(menu.calls_only())
        .budget(Budget::runs(64 * 5 + 6))
        .run(async |w: World| {
            for key in 1..=64u64 {
                let call = w.site("api->pay").run(key, || async {}).duplicating();
                let _ = timeout(Duration::from_secs(5), call).await;
            }
        });
    let real = (clock.now() - began).as_secs_f64();
    let took = processor()
        .zip(before)
        .map_or(real, |(now, before)| now - before)
        * 1e3;
    let tried = singles.phases.iter().find(|p| p.stage == Stage::Singles);
    let note = format!(
        "{} singles of {} calls; real {:.0} ms",
        tried.map_or(0, |p| p.tried),
        singles.calls,
        real * 1e3
    );
    figure("chaos.singles_of_64_points", took, "ms", &note);

    let mut replays: Vec<usize> = Vec::new();
    let mut sizes = Vec::new();
    for seed in 0..60 {
        let files = std::env::temp_dir().join(format!("murphy-pace-{}", std::process::id()));
        let unfenced = exploration("pace-unfenced", 3000)
            .seed(Seed::new(seed))
            .failures(1)
            .artifacts(&files)
            .run(|w| lease(w, 2));
        let _ = std::fs::remove_dir_all(files);
        let found = unfenced.failures.iter().filter(|f| f.found_with > 1);
        for failure in found {
            replays.push(failure.replays);
            sizes.push((failure.found_with, failure.injections.len()));
        }
    }
    let median = |mut of: Vec<usize>| {
        of.sort_unstable();
        of.get(of.len() / 2).copied().unwrap_or_default() as f64
    };
    let (before, after) = sizes.iter().copied().unzip();
    let note = format!(
        "{} failures of several faults: {} of them, then {}, at the median",
        replays.len(),
        median(before),
        median(after)
    );
    figure(
        "chaos.replays_to_shrink.median",
        median(replays),
        "replays",
        &note,
    );
}
