//! 10⁵ calls through real armed layers, read back from the ledger, against closed forms.
//!
//! The seed is fixed, so a pass is a pass for ever. For a seed picked at random, each rate and mean
//! would fail with a chance of 1 in 16,000 (four standard errors), each Kolmogorov–Smirnov test
//! with 1 in 1,000 (1.95/√n).

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use murphy_core::{Distribution, Probability, Seed, Shape};
use murphy_fault::{Burst, Chaos, Fault, Finding, Plan, Record, Select, TimeLimit, refuse};
use tests::{SITE, ms};
use tower::{BoxError, Layer, Service, service_fn};

const CALLS: u64 = 100_000;
const N: f64 = CALLS as f64;

fn p(x: f64) -> Probability {
    Probability::try_new(x).unwrap()
}

/// 10⁵ calls, of which nobody waits for an answer.
async fn records(faults: impl IntoIterator<Item = Fault>, keyed: bool) -> Vec<Record> {
    let chaos = Chaos::new(Seed::new(42));
    let echo = service_fn(|n: u64| async move { Ok::<_, BoxError>(n) });
    let layer = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .refusing(refuse::boxed);
    let plan = faults
        .into_iter()
        .fold(Plan::new(), |plan, fault| plan.with(SITE, fault));
    let armed = chaos
        .arm(
            &plan.limits(|limits| limits.ledger = 1 << 20),
            TimeLimit::None,
        )
        .unwrap();
    if keyed {
        // Twice each key: occurrences are draws as good as keys.
        let mut service = layer.keyed_by(|n: &u64| n / 2).layer(echo);
        (0..CALLS).for_each(|n| drop(service.call(n)));
    } else {
        let mut service = layer.layer(echo);
        (0..CALLS).for_each(|n| drop(service.call(n)));
    }
    assert_eq!(armed.ledger().overflowed(), 0);
    armed.ledger().records()
}

/// So many standard errors is the count of hits away from what `rate` says.
fn off(hits: usize, rate: f64) -> f64 {
    (hits as f64 - N * rate) / (N * rate * (1.0 - rate)).sqrt()
}

#[tokio::test(start_paused = true)]
async fn faults_fire_as_often_as_they_should_masked_or_not() {
    let rates = [
        ("latency", 0.3),
        ("lost-request", 0.2),
        ("lost-reply", 0.1),
        ("refused", 0.05),
        ("refused-after-work", 0.5),
        ("duplicate", 0.01),
        ("slow-reply", 0.001),
    ];
    let faults = || {
        [
            Fault::latency(Distribution::fixed(ms(5)), p(0.3)),
            Fault::lost_request(p(0.2)),
            Fault::lost_reply(p(0.1)),
            Fault::refused(p(0.05)),
            Fault::refused_after_work(p(0.5)),
            Fault::duplicate(Distribution::fixed(ms(5)), p(0.01)),
            Fault::slow_reply(Distribution::fixed(ms(5)), p(0.001)),
        ]
    };
    for keyed in [false, true] {
        let records = records(faults(), keyed).await;
        let mut hits = BTreeMap::<&str, usize>::new();
        for record in &records {
            *hits.entry(&record.fault).or_default() += 1;
        }
        for (name, rate) in rates {
            let off = off(hits[name], rate);
            assert!(
                off.abs() < 4.0,
                "{name}, keyed {keyed}: {off} standard errors"
            );
        }
        // Each alone acts only where no other one decided; and they are independent.
        let acting = |name: &str| {
            let injected = |r: &&Record| r.fault == name && r.finding == Finding::Injected;
            records.iter().filter(injected).count()
        };
        for (name, rate) in [
            ("lost-request", 0.2),
            ("latency", 0.3 * 0.8),
            ("refused", 0.05 * 0.8),
            ("lost-reply", 0.1 * 0.8 * 0.95),
            ("refused-after-work", 0.5 * 0.8 * 0.95 * 0.9),
            ("duplicate", 0.01 * 0.8 * 0.95),
        ] {
            let off = off(acting(name), rate);
            assert!(
                off.abs() < 4.0,
                "{name} acting, keyed {keyed}: {off} standard errors"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_nth_is_exact() {
    let every = |n| Select::Every(NonZeroU64::new(n).unwrap());
    let faults = [7, 100, 99_999].map(|n| Fault::lost_request(every(n)).named(format!("{n}")));
    let records = records(faults, false).await;
    for n in [7, 100, 99_999] {
        let name = n.to_string();
        let struck = records
            .iter()
            .filter(|r| r.fault == name)
            .map(|r| r.ordinal);
        let want = (0..CALLS).filter(|ordinal| ordinal % n == n - 1);
        assert!(struck.eq(want), "every {n}th");
    }
}

#[tokio::test(start_paused = true)]
async fn bursts_have_their_loss_and_their_length() {
    for (loss, length) in [
        (0.01, 3.0),
        (0.05, 1.0),
        (0.1, 10.0),
        (0.5, 4.0),
        (0.9, 30.0),
    ] {
        let burst = Burst::try_new(p(loss), length).unwrap();
        let records = records([Fault::lost_request(burst)], false).await;
        let mut struck = vec![false; CALLS as usize];
        records
            .iter()
            .for_each(|r| struck[r.ordinal as usize] = true);
        // A chain that remembers: its mean has (1+a)/(1-a) times the variance of coin tosses.
        let leave = 1.0 / length;
        let a = 1.0 - leave - leave * loss / (1.0 - loss);
        let loss_off = off(records.len(), loss) / ((1.0 + a) / (1.0 - a)).sqrt();
        assert!(
            loss_off.abs() < 4.0,
            "loss {loss}: {loss_off} standard errors"
        );
        // Whole bursts only: geometric, with variance L(L-1).
        let runs: Vec<usize> = struck
            .chunk_by(|a, b| a == b)
            .filter(|run| run[0])
            .map(<[bool]>::len)
            .collect();
        let whole = &runs[1..runs.len() - 1];
        let mean = whole.iter().sum::<usize>() as f64 / whole.len() as f64;
        let error = (length * (length - 1.0) / whole.len() as f64).sqrt();
        assert!(
            (mean - length).abs() <= 4.0 * error,
            "bursts of {length}: {mean} ± {error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn injected_delays_follow_their_distributions() {
    let each = [
        Distribution::uniform(ms(10), ms(20)).unwrap(),
        Distribution::normal(ms(100), ms(15)),
        Distribution::log_normal(ms(40), 0.5).unwrap(),
        Distribution::exponential(ms(25)),
        Distribution::pareto(ms(10), 3.0).unwrap(),
        Distribution::empirical([(0.0, ms(1)), (0.5, ms(10)), (1.0, ms(300))]).unwrap(),
        Distribution::exponential(ms(25)).at_most(ms(50)),
        Distribution::fixed(ms(7)),
        Distribution::trace([31, 5, 12, 12, 900].map(ms)).unwrap(),
    ];
    for (n, distribution) in each.into_iter().enumerate() {
        // At every place, and at a selection: that a fault fires says nothing on how long it takes.
        let fault = match n % 3 {
            0 => Fault::latency(distribution.clone(), p(0.5)),
            1 => Fault::slow_server(distribution.clone(), p(0.5)),
            _ => Fault::slow_reply(distribution.clone(), p(0.5)),
        };
        let records = records([fault], n % 2 == 0).await;
        let mut samples: Vec<f64> = records
            .iter()
            .map(|r| millis(r.magnitude.unwrap()))
            .collect();
        samples.sort_by(f64::total_cmp);
        let n = samples.len() as f64;
        assert!(off(samples.len(), 0.5).abs() < 4.0);
        // Steps of the sample against the function, from both sides of each step.
        let mut farthest: f64 = 0.0;
        let mut before = 0.0;
        for run in samples.chunk_by(|a, b| a == b) {
            let after = before + run.len() as f64 / n;
            farthest = farthest
                .max((cumulative(&distribution, run[0] + 1e-6) - after).abs())
                .max((cumulative(&distribution, run[0] - 1e-6) - before).abs());
            before = after;
        }
        assert!(farthest < 1.95 / n.sqrt(), "{distribution}: {farthest}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_takes_part_in_its_share_of_runs() {
    const RUNS: u64 = 10_000;
    let echo = service_fn(|n: u64| async move { Ok::<_, BoxError>(n) });
    let fault = Fault::lost_request(p(0.5)).active_in(p(0.3));
    let (mut active, mut fired) = (0, 0);
    for seed in 0..RUNS {
        let chaos = Chaos::new(Seed::new(seed));
        let mut service = chaos.site(SITE).layer().layer(echo);
        let armed = chaos
            .arm(&Plan::new().with(SITE, fault.clone()), TimeLimit::None)
            .unwrap();
        (0..40).for_each(|n| drop(service.call(n)));
        let struck = armed.ledger().records().len();
        active += usize::from(struck > 0);
        fired += struck;
    }
    // That an active fault misses forty calls has a chance of 2⁻⁴⁰.
    let error = |n: f64, p: f64| (n * p * (1.0 - p)).sqrt();
    assert!(
        (active as f64 - 3_000.0).abs() < 4.0 * error(RUNS as f64, 0.3),
        "{active}"
    );
    let calls = 40.0 * active as f64;
    assert!(
        (fired as f64 - calls / 2.0).abs() < 4.0 * error(calls, 0.5),
        "{fired} of {calls}"
    );
}

/// The chance to be at `x` milliseconds or below.
fn cumulative(distribution: &Distribution, x: f64) -> f64 {
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
        Shape::Trace(all) => all.partition_point(|d| millis(*d) <= x) as f64 / all.len() as f64,
    }
}

fn millis(d: Duration) -> f64 {
    d.as_nanos() as f64 / 1e6
}
