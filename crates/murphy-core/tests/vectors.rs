//! The hash from point to draw, and from draw to duration, is frozen: `vectors/README.md`.

use std::time::Duration;

use murphy_core::{Distribution, Draw, Key, Lane, Point, Probability, Seed, Stream};

const VECTORS: &str = include_str!("vectors/draw-v1.txt");

#[test]
fn every_vector_holds() {
    let mut counts = [0; 4];
    for (number, line) in VECTORS.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        let columns: Vec<&str> = line.split('\t').collect();
        let (want, question) = columns.split_last().expect("no line is empty");
        let (kind, answer) = match *question {
            ["draw", seed, site, fault, lane, key, occurrence] => {
                let stream = Stream::new(Seed::new(hex(seed)), site, fault, the_lane(lane));
                let point = Point::keyed(Key::new(hex(key)), decimal(occurrence));
                (0, bits(stream.at(point).bits()))
            }
            ["copy", draw, n] => (0, bits(Draw::from_bits(hex(draw)).nth(decimal(n)).bits())),
            ["key-text", text] => (1, bits(Key::from(text).bits())),
            ["key-wide", wide] => {
                let wide = u128::from_str_radix(wide, 16).expect("hexadecimal");
                (1, bits(Key::from(wide).bits()))
            }
            ["key-pair", a, b] => (1, bits(Key::from((hex(a), hex(b))).bits())),
            ["threshold", p] => {
                let p: Probability = p.parse().expect("a probability");
                (2, p.threshold().to_string())
            }
            ["magnitude", spec, draw] => {
                let nanos = distribution(spec)
                    .sample(Draw::from_bits(hex(draw)))
                    .as_nanos();
                (3, nanos.to_string())
            }
            _ => panic!("line {}: what is `{line}`?", number + 1),
        };
        assert_eq!(answer, *want, "line {}: {line}", number + 1);
        counts[kind] += 1;
    }
    let [draws, keys, thresholds, magnitudes] = counts;
    assert!(
        draws >= 1_000 && keys >= 200 && thresholds >= 50 && magnitudes >= 200,
        "{counts:?}"
    );
}

/// A positional call has key 0, and its ordinal for an occurrence.
#[test]
fn a_positional_point_is_the_keyed_one_at_key_zero() {
    for ordinal in [0, 1, 17, u64::MAX] {
        assert_eq!(
            Point::positional(ordinal),
            Point::keyed(Key::new(0), ordinal)
        );
    }
}

fn the_lane(name: &str) -> Lane {
    match name {
        "fires" => Lane::Fires,
        "magnitude" => Lane::Magnitude,
        "active" => Lane::Active,
        "burst" => Lane::Burst,
        "copy" => Lane::Copy,
        "alter" => Lane::Alter,
        "jitter" => Lane::Jitter,
        _ => panic!("no lane `{name}`"),
    }
}

fn distribution(spec: &str) -> Distribution {
    let (spec, cap) = match spec.split_once(" at-most ") {
        Some((spec, cap)) => (spec, Some(nanos(cap))),
        None => (spec, None),
    };
    let words: Vec<&str> = spec.split(' ').collect();
    let made = match *words.as_slice() {
        ["fixed", d] => Ok(Distribution::fixed(nanos(d))),
        ["uniform", min, max] => Distribution::uniform(nanos(min), nanos(max)),
        ["normal", mean, sd] => Ok(Distribution::normal(nanos(mean), nanos(sd))),
        ["log-normal", median, sigma] => Distribution::log_normal(nanos(median), float(sigma)),
        ["exponential", mean] => Ok(Distribution::exponential(nanos(mean))),
        ["pareto", scale, shape] => Distribution::pareto(nanos(scale), float(shape)),
        ["empirical", ref rows @ ..] => Distribution::empirical(rows.iter().map(|row| {
            let (quantile, duration) = row.split_once(':').expect("quantile:duration");
            (float(quantile), nanos(duration))
        })),
        ["trace", ref samples @ ..] => Distribution::trace(samples.iter().map(|d| nanos(d))),
        _ => panic!("no distribution `{spec}`"),
    }
    .expect(spec);
    match cap {
        Some(cap) => made.at_most(cap),
        None => made,
    }
}

fn bits(bits: u64) -> String {
    format!("{bits:016x}")
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).expect("hexadecimal")
}

fn decimal(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn float(text: &str) -> f64 {
    text.parse().expect("a number")
}

fn nanos(text: &str) -> Duration {
    let nanos: u128 = text.parse().expect("a number");
    let secs = u64::try_from(nanos / 1_000_000_000).expect("no more than a duration holds");
    Duration::new(secs, (nanos % 1_000_000_000) as u32)
}
