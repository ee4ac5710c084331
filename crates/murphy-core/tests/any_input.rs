//! No public constructor panics, whatever it is given; and more never means less.

use std::time::Duration;

use murphy_core::{
    Clock, Distribution, Draw, Key, Lane, ManualClock, Point, Probability, Scope, Seed, Stream,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// All of them, the ends of the range more often.
fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        3 => (any::<u64>(), 0..1_000_000_000u32).prop_map(|(s, n)| Duration::new(s, n)),
        3 => (0..100_000_000_000u64).prop_map(Duration::from_nanos),
        1 => Just(Duration::ZERO),
        1 => Just(Duration::MAX),
    ]
}

/// What a test would write: up to a hundred seconds.
fn delay() -> impl Strategy<Value = Duration> {
    (0..100_000_000_000u64).prop_map(Duration::from_nanos)
}

/// NaN, infinities and subnormals too.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        -2.0..2.0,
        -100.0..200.0
    ]
}

/// Sane parameters, one kind after the other: two lists of which the second is nowhere smaller.
fn a_pair_in_order() -> impl Strategy<Value = (Distribution, Distribution)> {
    let two = |(a, b): (Duration, Duration)| (a.min(b), a.max(b));
    let durations = || (delay(), delay()).prop_map(two);
    let numbers = || (0.1..4.0, 0.1..4.0).prop_map(|(a, b): (f64, f64)| (a.min(b), a.max(b)));
    prop_oneof![
        durations().prop_map(|(a, b)| (Distribution::fixed(a), Distribution::fixed(b))),
        (durations(), durations()).prop_map(|((a, b), (c, d))| {
            let make = |min, span| Distribution::uniform(min, min + span).unwrap();
            (make(a, c), make(b, d))
        }),
        (durations(), delay()).prop_map(|((a, b), sd)| {
            (Distribution::normal(a, sd), Distribution::normal(b, sd))
        }),
        (durations(), 0.0..3.0).prop_map(|((a, b), sigma)| {
            let make = |median| Distribution::log_normal(median, sigma).unwrap();
            (make(a), make(b))
        }),
        durations().prop_map(|(a, b)| (Distribution::exponential(a), Distribution::exponential(b))),
        (durations(), numbers()).prop_map(|((a, b), (low, high))| {
            let make = |scale, shape| Distribution::pareto(scale, shape).unwrap();
            // A higher shape is a lighter tail.
            (make(a, high), make(b, low))
        }),
        vec((delay(), delay()), 1..6).prop_map(move |rows| {
            let table = |rows: Vec<Duration>| {
                let n = rows.len() as f64;
                let rows = rows.into_iter().enumerate();
                Distribution::empirical(rows.map(|(i, d)| (i as f64 / n, d))).unwrap()
            };
            let (mut low, mut high): (Vec<_>, Vec<_>) = rows.into_iter().map(two).unzip();
            low.sort();
            high.sort();
            (table(low), table(high))
        }),
        vec((delay(), delay()), 1..6).prop_map(move |samples| {
            let (low, high): (Vec<_>, Vec<_>) = samples.into_iter().map(two).unzip();
            (
                Distribution::trace(low).unwrap(),
                Distribution::trace(high).unwrap(),
            )
        }),
    ]
}

proptest! {
    // What it finds becomes a line of a unit test, not a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_distribution_panics(
        (a, b) in (any_duration(), any_duration()),
        x in any_number(),
        u in any_number(),
        bits in any::<u64>(),
        rows in vec((any_number(), any_duration()), 0..5),
        samples in vec(any_duration(), 0..5),
        cap in any_duration(),
    ) {
        let made = [
            Ok(Distribution::fixed(a)),
            Distribution::uniform(a, b),
            Ok(Distribution::normal(a, b)),
            Distribution::log_normal(a, x),
            Ok(Distribution::exponential(a)),
            Distribution::pareto(a, x),
            Distribution::empirical(rows),
            Distribution::trace(samples),
        ];
        for made in made {
            match made {
                Err(e) => prop_assert!(!e.to_string().is_empty()),
                Ok(distribution) => for distribution in [distribution.clone(), distribution.at_most(cap)] {
                    let bound = distribution.cap().unwrap_or(Duration::MAX);
                    prop_assert!(distribution.sample(Draw::from_bits(bits)) <= bound);
                    prop_assert!(distribution.quantile(u) <= bound);
                    prop_assert!(distribution.mean().is_none_or(|mean| mean <= bound), "{distribution}");
                    let _ = (distribution.to_string(), distribution.shape(), format!("{distribution:?}"));
                },
            }
        }
    }

    #[test]
    fn a_larger_draw_is_a_longer_delay((_, distribution) in a_pair_in_order(), a in any::<u64>(), b in any::<u64>()) {
        let (low, high) = (Draw::from_bits(a.min(b)), Draw::from_bits(a.max(b)));
        prop_assert!(distribution.sample(low) <= distribution.sample(high), "{distribution}");
    }

    #[test]
    fn larger_parameters_are_a_longer_delay((low, high) in a_pair_in_order(), bits in any::<u64>(), cap in delay()) {
        let draw = Draw::from_bits(bits);
        prop_assert!(low.sample(draw) <= high.sample(draw), "{low} and {high}");
        let (low, high) = (low.at_most(cap / 2), high.at_most(cap));
        prop_assert!(low.sample(draw) <= high.sample(draw), "{low} and {high}");
    }

    /// A wider bell is longer above its median, and shorter below.
    #[test]
    fn a_wider_bell_parts_from_its_median(
        centre in delay(),
        (a, b) in (delay(), delay()),
        (s, t) in (0.0..4.0, 0.0..4.0),
        bits in any::<u64>(),
    ) {
        let draw = Draw::from_bits(bits);
        let bells = [
            (Distribution::normal(centre, a.min(b)), Distribution::normal(centre, a.max(b))),
            (
                Distribution::log_normal(centre, f64::min(s, t)).unwrap(),
                Distribution::log_normal(centre, f64::max(s, t)).unwrap(),
            ),
        ];
        for (narrow, wide) in bells {
            let (narrow, wide) = (narrow.sample(draw), wide.sample(draw));
            let (short, long) = if draw.unit() < 0.5 { (wide, narrow) } else { (narrow, wide) };
            prop_assert!(short <= long);
        }
    }

    #[test]
    fn no_probability_panics(p in any_number(), n in any::<u32>(), text in ".{0,40}", bits in any::<u64>()) {
        for made in [Probability::try_new(p), Probability::percent(p), text.parse(), Ok(Probability::one_in(n))] {
            match made {
                Err(e) => prop_assert!(!e.to_string().is_empty()),
                Ok(p) => {
                    prop_assert!((0.0..=1.0).contains(&p.get()) && p.threshold() <= 1 << 53);
                    prop_assert_eq!(Draw::from_bits(bits).hits(p), Draw::from_bits(bits).unit() < p.get());
                    prop_assert_eq!(p.to_string().parse::<Probability>(), Ok(p));
                }
            }
        }
    }

    #[test]
    fn a_larger_probability_only_adds_hits(p in 0.0..=1.0, q in 0.0..=1.0, bits in any::<u64>()) {
        let (p, q) = (f64::min(p, q), f64::max(p, q));
        let draw = Draw::from_bits(bits);
        let hits = |p| draw.hits(Probability::try_new(p).unwrap());
        prop_assert!(!hits(p) || hits(q));
    }

    #[test]
    fn no_seed_panics(text in ".{0,40}", digits in "[+-]?(0[xX])?[0-9a-fA-F_+]{0,20}", bits in any::<u64>()) {
        for text in [text, digits] {
            if let Err(e) = text.parse::<Seed>() {
                prop_assert!(e.to_string().contains("is not a seed"));
            }
        }
        prop_assert_eq!(Seed::new(bits).to_string().parse(), Ok(Seed::new(bits)));
    }

    #[test]
    fn no_key_and_no_draw_panics(text in any::<String>(), bytes in vec(any::<u8>(), 0..64), wide in any::<u128>(), n in any::<u64>()) {
        let keys: [Key; 5] = [(&text).into(), bytes.as_slice().into(), wide.into(), n.into(), (text.as_str(), n).into()];
        for key in keys {
            let draw = Stream::new(Seed::new(n), &text, &text, Lane::Jitter).at(Point::keyed(key, n));
            prop_assert!((0.0..1.0).contains(&draw.nth(n).unit()));
            let _ = (key.to_string(), Scope::current().with_key(key));
        }
        prop_assert_eq!(Key::from(text.as_str()), Key::from(text.as_bytes()));
    }

    #[test]
    fn no_manual_clock_panics(steps in vec(any_duration(), 0..8)) {
        let clock = ManualClock::new();
        let mut before = clock.now();
        for step in steps {
            clock.advance(step);
            prop_assert!(clock.now() >= before);
            before = clock.now();
        }
    }
}
