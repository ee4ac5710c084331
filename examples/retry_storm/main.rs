//! Four published simulations of retries, again, through the layers of this house.
//!
//! * `aws`: clients that contend for one row, and how they back off (AWS, 2015);
//! * `collapse`: a server that gets slower with its load, and clients that repeat (M. Brooker, 2022);
//! * `metastable`: a queue that stalls for ten seconds, and never recovers (N. Bronson et al., 2021);
//! * `amplification`: layers that retry what is beneath, which retries (SRE book, chapter 22).
//!
//! ```text
//! cargo run --release --example retry_storm
//! cargo run --release --example retry_storm -- --json retry_storm.jsonl
//! ```
//!
//! All of it is in virtual time: it takes about 20 s of one processor. With `--json`, the charts
//! go beside the figures, to `retry_storm.svg`. It fails where a figure is off.

mod amplification;
mod aws;
mod collapse;
mod link;
mod metastable;
mod seconds;

use std::path::PathBuf;

use anyhow::Result;
use charts_rs::ChildChart;
use clap::Parser;
use examples::chart;
use examples::published::{self, Section};
use murphy_core::Seed;

#[derive(Parser)]
#[command(
    about = "Published simulations of retries, through our own layers",
    version
)]
struct Args {
    /// Other chances: a number.
    #[arg(long, default_value = "42")]
    seed: Seed,
    /// Write the figures to this file, as JSON lines, and charts beside it.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A table, and the charts that show it.
type Measured = (Section, Vec<ChildChart>);

fn main() -> Result<()> {
    let args = Args::parse();
    // Refused before anything is measured, if it cannot be written later.
    let json = args.json.as_deref().map(published::create).transpose()?;
    println!("seed {}", args.seed);
    let models: [fn(Seed) -> Result<Measured>; 4] = [
        aws::measure,
        collapse::measure,
        metastable::measure,
        amplification::measure,
    ];
    let (mut sections, mut charts) = (Vec::new(), Vec::new());
    for model in models {
        let (section, drawn) = model(args.seed)?;
        section.print();
        sections.push(section);
        charts.extend(drawn);
    }
    if let (Some(file), Some(path)) = (json, &args.json) {
        published::write(&sections, file)?;
        println!("\ncharts: {}", chart::write(charts, path)?.display());
    }
    published::check(&sections)
}
