//! The chapter's switch: messages come at random into a bounded queue that is drained at link
//! speed. What they wait and how many are dropped is known (M/M/1/K); here it is measured at a slow
//! link, in virtual time. Fails if the two are more than 3 % apart.
use std::time::Duration;
use std::{convert::Infallible, fs::File, io::Write, num::NonZeroU32, path::PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use comfy_table::{Table, presets::ASCII_MARKDOWN};
use murphy_core::{Distribution, Lane, Point, Probability, Seed, Stream};
use murphy_fault::{Chaos, Fault, Leg, Plan, Rate, TimeLimit};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tower::{Layer, Service, service_fn};

/// Link speed: 8 Mbit/s, in bytes. A message takes a second on average, so that the milliseconds of
/// virtual time are of no account.
const SPEED: f64 = 1e6;
const CALLS: u64 = 400_000;
/// Load, and places in the queue, the message that is being sent included.
const CASES: [(f64, u32); 5] = [(0.5, 2), (0.8, 4), (0.95, 6), (1.2, 10), (1.2, 100)];
const NEAR: f64 = 0.03;

#[derive(Parser)]
#[command(about = "A bounded queue, measured against queueing theory")]
struct Args {
    /// Repeat a run: the seed that it printed.
    #[arg(long, default_value = "7")]
    seed: Seed,
    /// Write the figures to this file, as JSON lines.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What came of the calls of one case: seconds are those of an average message that got through.
#[derive(Clone, Copy, Default)]
struct Switch {
    dropped: f64,
    waited: f64,
    in_system: f64,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    let args = Args::parse();
    let create = |path: &PathBuf| File::create(path).context("--json");
    let mut json = args.json.as_ref().map(create).transpose()?;
    println!(
        "seed {}, {CALLS} messages a row; a message takes a second",
        args.seed
    );
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([
        "load", "queue", "dropped", "theory", "waited", "theory", "in all", "theory", "apart",
    ]);
    let mut furthest: f64 = 0.0;
    for (load, places) in CASES {
        let (seen, theory) = (measure(args.seed, load, places).await?, known(load, places));
        let figures = [
            (
                "switch.dropped_pct",
                "%",
                100.0 * seen.dropped,
                100.0 * theory.dropped,
            ),
            ("switch.wait_s", "s", seen.waited, theory.waited),
            ("switch.in_system_s", "s", seen.in_system, theory.in_system),
        ];
        let mut row = vec![load.to_string(), places.to_string()];
        let mut apart: f64 = 0.0;
        for (figure, unit, seen, theory) in figures {
            row.extend([seen, theory].map(|x| format!("{x:.3} {unit}")));
            apart = apart.max((seen / theory - 1.0).abs());
            for (subject, value) in [("murphy", seen), ("theory", theory)] {
                let note = format!("load {load}, queue of {places}, seed {}", args.seed);
                let line = serde_json::json!({ "figure": figure, "subject": subject, "value": value, "unit": unit, "note": note });
                if let Some(file) = &mut json {
                    writeln!(file, "{line}")?;
                }
            }
        }
        row.push(format!("{:.1} %", 100.0 * apart));
        table.add_row(row);
        furthest = furthest.max(apart);
    }
    println!("{table}");
    ensure!(furthest < NEAR, "{:.1} % from theory", 100.0 * furthest);
    Ok(())
}

/// Messages come at random, of random size, from senders that know nothing of each other.
async fn measure(seed: Seed, load: f64, places: u32) -> Result<Switch> {
    let chaos = Chaos::new(seed);
    let site = chaos.site("hosts->switch");
    let layer = site.layer().sizing(|bytes: &u64| *bytes, |_: &()| 0);
    let port = layer.layer(service_fn(async |_: u64| Ok::<_, Infallible>(())));
    let (speed, queue) = (Rate::bytes(SPEED)?, NonZeroU32::try_from(places)?);
    let slow = Fault::slow_link(Leg::Request, speed, queue, Probability::ALWAYS);
    let _armed = chaos.arm(&Plan::new().with("hosts->switch", slow), TimeLimit::None)?;

    let stream = |what: &str| Stream::new(seed, "workload", what, Lane::Magnitude);
    let (gaps, sizes) = (stream("gaps"), stream("sizes"));
    let gap = Distribution::exponential(Duration::from_secs_f64(1.0 / load));
    let second = Distribution::exponential(Duration::from_secs(1));
    // Nobody is told of a drop: those senders wait until all is over.
    let mut senders = JoinSet::new();
    let mut through = (0u64, 0.0, 0.0);
    let mut tally = |(stayed, takes): (f64, f64)| {
        through = (
            through.0 + 1,
            through.1 + stayed - takes,
            through.2 + stayed,
        );
    };
    let mut next = Instant::now();
    for n in 0..CALLS {
        next += gap.sample(gaps.at(Point::positional(n)));
        sleep_until(next).await;
        let takes = second.sample(sizes.at(Point::positional(n))).as_secs_f64();
        let (came, message) = (Instant::now(), port.clone().call((takes * SPEED) as u64));
        senders.spawn(async move {
            let _ = message.await;
            (came.elapsed().as_secs_f64(), takes)
        });
        while let Some(sent) = senders.try_join_next() {
            tally(sent?);
        }
    }
    // The longest anybody stays is a queue of average messages, and then some.
    sleep(Duration::from_secs(100 + 10 * u64::from(places))).await;
    while let Some(sent) = senders.try_join_next() {
        tally(sent?);
    }
    let (sent, waited, stayed) = through;
    Ok(Switch {
        dropped: 1.0 - sent as f64 / CALLS as f64,
        waited: waited / sent as f64,
        in_system: stayed / sent as f64,
    })
}

/// M/M/1/K, in units of the time that an average message takes.
fn known(load: f64, places: u32) -> Switch {
    let weights: Vec<f64> = (0..=places).map(|n| load.powi(n as i32)).collect();
    let all: f64 = weights.iter().sum();
    let mean: f64 = weights
        .iter()
        .zip(0..)
        .map(|(w, n)| w * f64::from(n))
        .sum::<f64>()
        / all;
    let dropped = weights[places as usize] / all;
    // Little's law, for those who got in.
    let in_system = mean / (load * (1.0 - dropped));
    Switch {
        dropped,
        waited: in_system - 1.0,
        in_system,
    }
}
