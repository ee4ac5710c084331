//! Too short or too long? Mistakes against time to detection, for every detector.
//!
//! One node beats every second, over a network that is at rest most of the time and congested now and then, and
//! pauses at times. Each detector has one knob, which is turned until a crash would be found within a given time in
//! the mean; what is counted is how often it then suspects the node, which never crashes. All of them hear the same
//! beats.
//!
//! ```text
//! cargo run --release --example detector_tradeoff
//! cargo run --release --example detector_tradeoff -- --json detector_tradeoff.jsonl
//! ```
//!
//! All of it is computed: 200,000 beats take a few seconds. With `--json`, the chart goes beside the figures, to
//! `detector_tradeoff.svg`. It fails where the lesson does not appear. `cargo run --release -p bench --bin
//! detector-eval` measures the same against published figures, with millions of beats.

mod detectors;
mod weather;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use examples::chart::{self, Names};
use examples::published::{self, Cell, Figure, Section};
use murphy_core::Seed;

use detectors::{Knob, all};
use weather::Arrival;

/// What is measured, in seconds from a beat to the suspicion that a crash after it would bring.
const DETECTIONS: [f64; 10] = [1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0];
/// Those that are in the table.
const SHOWN: [(usize, &str); 4] = [(1, "1.5 s"), (3, "2 s"), (7, "3 s"), (9, "4 s")];
const BEATS: u32 = 200_000;

#[derive(Parser)]
#[command(
    about = "Mistakes against time to detection, for every detector",
    version
)]
struct Args {
    /// Other chances: a number.
    #[arg(long, default_value = "42")]
    seed: Seed,
    /// Write the figures to this file, as JSON lines, and the chart beside it.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let json = args.json.as_deref().map(published::create).transpose()?;
    println!("seed {}", args.seed);
    let arrivals = weather::arrivals(args.seed, BEATS);
    let lines: Vec<(&str, Vec<f64>)> = all()
        .iter()
        .map(|(name, knob)| {
            (
                *name,
                DETECTIONS.map(|d| mistakes(&**knob, &arrivals, d)).to_vec(),
            )
        })
        .collect();
    let sections = [section(args.seed, &lines)];
    sections[0].print();
    if let (Some(file), Some(path)) = (json, &args.json) {
        published::write(&sections, file)?;
        println!(
            "\nchart: {}",
            chart::write(vec![drawn(&lines)], path)?.display()
        );
    }
    published::check(&sections)
}

/// Mistakes a day, with the knob turned to a mean time to detection.
fn mistakes(knob: &Knob, arrivals: &[Arrival], detection: f64) -> f64 {
    let (mut low, mut high) = (1e-4, 1e4);
    for _ in 0..40 {
        let middle = f64::sqrt(low * high);
        if knob(middle, arrivals).detection < detection {
            low = middle;
        } else {
            high = middle;
        }
    }
    knob(high, arrivals).mistakes_a_day
}

fn section(seed: Seed, lines: &[(&str, Vec<f64>)]) -> Section {
    let of = |name: &str, nth: usize| {
        lines
            .iter()
            .find(|line| line.0 == name)
            .map_or(f64::NAN, |line| line.1[nth])
    };
    let figures = SHOWN
        .map(|(_, heading)| Figure::new("detector_tradeoff.mistakes", heading, "mistakes/day", 1));
    let mut section = Section::new(
        "Mistakes of detectors that find a crash equally soon",
        format!("{BEATS} beats, seed {seed}"),
        &figures,
    )
    .rule(
        "Accepted: what the lesson says. At 1.5 s the adaptive one makes at most half of the fixed one's mistakes, and at 4 s\n\
         at most twice; there the ones that only look at deviations make five times as many, and at 1.5 s at most half.",
    )
    .lesson(
        "Below two intervals every lost beat is a mistake, unless the detector knows that the network is congested: there\n\
         adapting pays. From three intervals on a steady margin is best, and whoever widens it after each loss pays for that\n\
         with mistakes elsewhere. Nothing wins everywhere; the default is never far from what does.",
    );
    let half = |nth| 0.0..=0.5 * of("fixed", nth);
    for (name, values) in lines {
        let cells = SHOWN.map(|(nth, heading)| match (*name, heading) {
            ("adaptive" | "phi, 100 beats", "1.5 s") => Cell::expected(values[nth], half(nth)),
            ("adaptive", "4 s") => Cell::expected(values[nth], 0.0..=2.0 * of("fixed", nth) + 1.0),
            ("phi, 100 beats", "4 s") => {
                Cell::expected(values[nth], 5.0 * of("fixed", nth)..=f64::INFINITY)
            }
            _ => Cell::plain(values[nth]),
        });
        section.row(*name, cells);
    }
    section
}

fn drawn(lines: &[(&str, Vec<f64>)]) -> charts_rs::ChildChart {
    // On a logarithmic axis there is no zero: below one mistake in all, there was none.
    let least = 86_400.0 / f64::from(BEATS);
    let lines: Vec<chart::Line> = lines
        .iter()
        .map(|(name, values)| {
            (
                (*name).to_owned(),
                values.iter().map(|v| v.max(least)).collect(),
            )
        })
        .collect();
    let names = Names {
        title: "Mistakes a day at the same mean time to detection",
        x: "a crash is found within, s",
        y: "mistakes a day",
        log: true,
    };
    chart::lines(names, &DETECTIONS, &lines)
}
