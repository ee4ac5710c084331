//! What 10⁵ draws of each distribution look like, against closed forms.
//!
//! The seeds are fixed, so a pass is a pass for ever. For a seed picked at random, each mean would
//! fail with a chance of 1 in 16,000 (four standard errors), each Kolmogorov–Smirnov test with
//! 1 in 1,000 (1.95/√n).

use std::time::Duration;

use murphy_core::{Distribution, Lane, Point, Probability, Seed, Shape, Stream};

const DRAWS: u64 = 100_000;
const MS: Duration = Duration::from_millis(1);

fn draws(fault: &str, lane: Lane) -> impl Iterator<Item = murphy_core::Draw> {
    let stream = Stream::new(Seed::new(42), "api->payments", fault, lane);
    (0..DRAWS).map(move |n| stream.at(Point::keyed(n.into(), 0)))
}

fn every_distribution() -> Vec<Distribution> {
    vec![
        Distribution::fixed(MS * 7),
        Distribution::uniform(MS * 10, MS * 20).unwrap(),
        Distribution::normal(MS * 100, MS * 15),
        Distribution::normal(MS * 10, MS * 20),
        Distribution::log_normal(MS * 40, 0.5).unwrap(),
        Distribution::log_normal(MS * 40, 1.0)
            .unwrap()
            .at_most(MS * 500),
        Distribution::exponential(MS * 25),
        Distribution::exponential(MS * 25).at_most(MS * 50),
        Distribution::pareto(MS * 10, 3.0).unwrap(),
        Distribution::pareto(MS * 10, 0.8)
            .unwrap()
            .at_most(MS * 2_000),
        Distribution::empirical([(0.1, MS), (0.5, MS * 10), (0.9, MS * 45), (0.99, MS * 300)])
            .unwrap(),
        Distribution::trace([31, 5, 12, 12, 900, 7, 18].map(|n| MS * n)).unwrap(),
    ]
}

/// In milliseconds, sorted.
fn samples(distribution: &Distribution) -> Vec<f64> {
    let mut samples: Vec<f64> = draws(&distribution.to_string(), Lane::Magnitude)
        .map(|draw| millis(distribution.sample(draw)))
        .collect();
    samples.sort_by(f64::total_cmp);
    samples
}

#[test]
fn means_are_the_closed_forms() {
    for distribution in every_distribution() {
        let samples = samples(&distribution);
        let n = DRAWS as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let variance = samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let want = millis(distribution.mean().expect("each of them has a mean"));
        // Rounding down to nanoseconds takes up to a nanosecond.
        let allowed = 4.0 * (variance / n).sqrt() + 1e-6;
        assert!(
            (mean - want).abs() < allowed,
            "{distribution}: {mean}, not {want} ± {allowed}"
        );
    }
}

#[test]
fn samples_follow_the_cumulative_functions() {
    for distribution in every_distribution() {
        let samples = samples(&distribution);
        let n = DRAWS as f64;
        let mut farthest: f64 = 0.0;
        // Steps of the sample against the function from both sides of each step, so that a
        // cap, a cut at zero and a trace (which are steps as well) are held too.
        for run in runs(&samples) {
            let (x, before, after) = (samples[run.start], run.start as f64 / n, run.end as f64 / n);
            farthest = farthest
                .max((cumulative(&distribution, x + 1e-6) - after).abs())
                .max((cumulative(&distribution, x - 1e-6) - before).abs());
        }
        assert!(farthest < 1.95 / n.sqrt(), "{distribution}: {farthest}");
    }
}

#[test]
fn hits_are_as_many_as_the_probability_says() {
    for p in [0.001, 0.05, 0.5, 0.999] {
        let probability = Probability::try_new(p).unwrap();
        let hits = draws("loss", Lane::Fires)
            .filter(|draw| draw.hits(probability))
            .count() as f64;
        let (n, want) = (DRAWS as f64, p * DRAWS as f64);
        assert!(
            (hits - want).abs() < 4.0 * (n * p * (1.0 - p)).sqrt(),
            "{p}: {hits}"
        );
    }
}

/// Neighbouring keys, occurrences, lanes, faults, sites and seeds have nothing in common.
#[test]
fn streams_are_uncorrelated() {
    let stream = |seed, site, fault, lane| Stream::new(Seed::new(seed), site, fault, lane);
    let base = stream(42, "a->b", "loss", Lane::Fires);
    let keyed =
        |stream: Stream| (0..DRAWS).map(move |n| stream.at(Point::keyed(n.into(), 0)).unit());
    let others: [(&str, Box<dyn Iterator<Item = f64>>); 6] = [
        (
            "next seed",
            Box::new(keyed(stream(43, "a->b", "loss", Lane::Fires))),
        ),
        (
            "other site",
            Box::new(keyed(stream(42, "b->a", "loss", Lane::Fires))),
        ),
        (
            "other fault",
            Box::new(keyed(stream(42, "a->b", "latency", Lane::Fires))),
        ),
        (
            "other lane",
            Box::new(keyed(stream(42, "a->b", "loss", Lane::Magnitude))),
        ),
        ("next key", Box::new(keyed(base).skip(1))),
        (
            "next occurrence",
            Box::new((0..DRAWS).map(|n| base.at(Point::keyed(n.into(), 1)).unit())),
        ),
    ];
    for (name, other) in others {
        // Twelve times the covariance of two uniform numbers: a standard error of 1/√n.
        let sum: f64 = keyed(base)
            .zip(other)
            .map(|(a, b)| 12.0 * (a - 0.5) * (b - 0.5))
            .sum();
        let correlation = sum / DRAWS as f64;
        assert!(
            correlation.abs() < 4.0 / (DRAWS as f64).sqrt(),
            "{name}: {correlation}"
        );
    }
}

/// The chance to be at `x` milliseconds or below.
fn cumulative(distribution: &Distribution, x: f64) -> f64 {
    if x < 0.0 {
        return 0.0;
    }
    if distribution.cap().is_some_and(|cap| x >= millis(cap)) {
        return 1.0;
    }
    let bell = |z: f64| 0.5 * libm::erfc(-z / 2f64.sqrt());
    match distribution.shape() {
        Shape::Fixed(d) => f64::from(u8::from(x >= millis(*d))),
        Shape::Uniform { min, max } => ((x - millis(*min)) / millis(*max - *min)).clamp(0.0, 1.0),
        Shape::Normal { mean, sd } => bell((x - millis(*mean)) / millis(*sd)),
        Shape::LogNormal { median, sigma } => bell((x / millis(*median)).ln() / sigma),
        Shape::Exponential { mean } => 1.0 - (-x / millis(*mean)).exp(),
        Shape::Pareto { scale, shape } => 1.0 - (millis(*scale) / x).powf(*shape).min(1.0),
        Shape::Empirical(table) => {
            let above = table.partition_point(|row| millis(row.1) <= x);
            match (above.checked_sub(1).map(|i| table[i]), table.get(above)) {
                (Some((q0, d0)), Some((q1, d1))) => {
                    q0 + (q1 - q0) * (x - millis(d0)) / millis(*d1 - d0)
                }
                (None, _) => 0.0,
                (_, None) => 1.0,
            }
        }
        Shape::Trace(samples) => {
            samples.partition_point(|d| millis(*d) <= x) as f64 / samples.len() as f64
        }
    }
}

/// The ranges of equal samples.
fn runs(samples: &[f64]) -> Vec<std::ops::Range<usize>> {
    let mut start = 0;
    samples
        .chunk_by(|a, b| a == b)
        .map(|run| {
            let range = start..start + run.len();
            start = range.end;
            range
        })
        .collect()
}

fn millis(d: Duration) -> f64 {
    d.as_nanos() as f64 / 1e6
}
