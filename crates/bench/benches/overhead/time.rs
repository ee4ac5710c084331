//! Time, by criterion.
//!
//! A machine that is shared drifts, so nothing is measured once and for long: in each of many
//! rounds criterion takes a short look at every case, one after another. What is reported is the
//! tenth percentile of a case's rounds, where neighbours disturbed it least.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bench::cases::{self, Case};
use criterion::Criterion;
use criterion::measurement::{Measurement, WallTime};

pub(crate) const ROUNDS: usize = 15;

/// Measures everything and leaves criterion's reports in `folder`.
pub(crate) fn run(folder: &Path) {
    let mut criterion = Criterion::default()
        .output_directory(folder)
        .without_plots()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(20))
        .measurement_time(Duration::from_millis(60))
        .nresamples(1_000);
    for round in 0..ROUNDS {
        let mut group = criterion.benchmark_group(round_name(round));
        for case in cases::all() {
            let mut run = case.build();
            group.bench_function(case.slug(), |bencher| {
                bencher.iter_custom(|calls| {
                    let start = WallTime.start();
                    run(calls);
                    WallTime.end(start)
                });
            });
        }
        group.finish();
    }
}

/// Nanoseconds a call: the tenth percentile of the rounds that are in `folder`.
pub(crate) fn read(folder: &Path, case: &Case) -> Option<f64> {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .filter_map(|round| {
            let file = folder.join(round_name(round)).join(case.slug());
            let text = fs::read_to_string(file.join("new/estimates.json")).ok()?;
            let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
            estimates["median"]["point_estimate"].as_f64()
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 10).copied()
}

fn round_name(round: usize) -> String {
    format!("round_{round}")
}
