//! The paces beside their formulas and what is published of them.

use murphy_core::Draw;
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn step(n: u32, bits: u64) -> Step {
    Step {
        n,
        ..Step::first(Draw::from_bits(bits))
    }
}

#[test]
fn extremes_saturate() {
    let max = Duration::MAX;
    for (name, base, cap, n, want) in [
        ("doubling is exact", SECOND, max, 20, SECOND * (1 << 20)),
        ("the cap is kept", SECOND, SECOND * 20, 5, SECOND * 20),
        (
            "no retry number is too large",
            SECOND,
            SECOND * 20,
            u32::MAX,
            SECOND * 20,
        ),
        (
            "no base stays none",
            Duration::ZERO,
            max,
            u32::MAX,
            Duration::ZERO,
        ),
        ("a base past the cap is cut", SECOND * 9, SECOND, 0, SECOND),
        ("no cap, no wait", SECOND, Duration::ZERO, 3, Duration::ZERO),
        ("the end of time", max, max, u32::MAX, max),
        ("the end of time, at once", max, max, 0, max),
    ] {
        let backoff = Backoff::exponential(base, cap);
        assert_eq!(backoff.wait(step(n, u64::MAX)), want, "{name}");
    }
}

/// Waits in tenths of the base, for draws of nothing, a half and nearly all.
#[test]
fn each_form_follows_its_formula() {
    let (base, cap) = (SECOND, SECOND * 10);
    let proportional = Backoff::exponential(base, cap).proportional(0.2).unwrap();
    for (name, backoff, n, want) in [
        ("constant", Backoff::constant(base), 7, [10, 10, 10]),
        ("linear", Backoff::linear(base, cap), 2, [30, 30, 30]),
        (
            "linear, at its cap",
            Backoff::linear(base, cap),
            20,
            [100, 100, 100],
        ),
        ("full", Backoff::full_jitter(base, cap), 2, [0, 20, 40]),
        ("equal", Backoff::equal_jitter(base, cap), 2, [20, 30, 40]),
        (
            "equal, at its cap",
            Backoff::equal_jitter(base, cap),
            9,
            [50, 75, 100],
        ),
        ("a fifth", proportional, 2, [32, 40, 48]),
        ("a fifth, at its cap", proportional, 9, [80, 100, 100]),
        (
            "decorrelated, first",
            Backoff::decorrelated(base, cap),
            0,
            [10, 20, 30],
        ),
        (
            "smooth, at its cap",
            Backoff::smooth(base, cap),
            9,
            [50, 75, 100],
        ),
    ] {
        let waits = [0, 1 << 63, u64::MAX]
            .map(|bits| (backoff.wait(step(n, bits)).as_secs_f64() * 10.0).round() as u32);
        assert_eq!(waits, want, "{name}");
    }
}

#[test]
fn decorrelated_waits_grow_from_the_one_before() {
    let backoff = Backoff::decorrelated(SECOND, SECOND * 20);
    let after = |previous, bits| {
        let step = Step {
            previous,
            ..step(3, bits)
        };
        backoff.wait(step)
    };
    assert_eq!(after(SECOND * 4, 0), SECOND);
    assert_eq!(after(SECOND * 5, 1 << 63), SECOND * 8);
    assert_eq!(after(SECOND * 19, 1 << 63), SECOND * 20);
    assert_eq!(after(Duration::MAX, u64::MAX), SECOND * 20);
}

/// Medians and means of 10⁵ sessions: those that Polly's own formula gives.
#[test]
fn smooth_waits_are_spread_as_published() {
    let backoff = Backoff::smooth(SECOND, Duration::MAX);
    for (n, median, mean) in [
        (0, 0.90, 0.87),
        (1, 1.14, 1.16),
        (2, 2.02, 2.07),
        (3, 4.02, 4.13),
        (4, 8.01, 8.24),
        (5, 16.0, 16.5),
    ] {
        let mut waits: Vec<f64> = (0..100_000)
            .map(|session| {
                let draw = Draw::from_bits(session);
                let step = Step {
                    n,
                    earlier: draw.nth(1),
                    ..Step::first(draw.nth(2))
                };
                backoff.wait(step).as_secs_f64()
            })
            .collect();
        waits.sort_by(f64::total_cmp);
        let off = |got: f64, want: f64| (got / want - 1.0).abs();
        assert!(off(waits[50_000], median) < 0.02, "{n}: {}", waits[50_000]);
        let sum: f64 = waits.iter().sum();
        assert!(off(sum / 1e5, mean) < 0.02, "{n}: {}", sum / 1e5);
    }
}

#[test]
fn a_fraction_that_cannot_be_is_named() {
    for fraction in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        let e = Backoff::default().proportional(fraction).unwrap_err();
        assert_eq!(e.field, "backoff.fraction");
    }
    let e = Backoff::default().proportional(20.0).unwrap_err();
    assert!(e.remedy.contains("did you mean 0.2?"), "{}", e.remedy);
}

#[test]
fn a_multiplier_that_cannot_be_is_named() {
    for factor in [f64::NAN, f64::INFINITY, 0.5, -2.0, 1e9] {
        let e = Backoff::default().multiplier(factor).unwrap_err();
        assert_eq!(
            (e.field, e.value),
            ("backoff.multiplier", factor.to_string())
        );
        assert!(e.remedy.contains("1.0 to 1000.0"));
    }
}

#[test]
fn jitter_goes_on_at_the_cap() {
    let backoff = Backoff::full_jitter(SECOND, SECOND * 4);
    assert_eq!(backoff.wait(step(9, 0)), Duration::ZERO);
    assert_eq!(backoff.wait(step(9, 1 << 63)), SECOND * 2);
    assert!(backoff.wait(step(9, u64::MAX)) < SECOND * 4);
}

proptest! {
    #[test]
    fn nothing_panics_or_passes_the_cap(
        base in any::<Duration>(),
        cap in any::<Duration>(),
        factor in 1.0..=1000.0_f64,
        n in any::<u32>(),
        bits in any::<u64>(),
    ) {
        let plain = Backoff::exponential(base, cap).multiplier(factor).unwrap();
        let jittered = Backoff::full_jitter(base, cap).multiplier(factor).unwrap();
        let most = plain.wait(step(n, bits));
        prop_assert!(most <= cap);
        prop_assert!(jittered.wait(step(n, bits)) <= most);
        prop_assert!(plain.wait(step(n.saturating_add(1), bits)) >= most);
    }

    #[test]
    fn no_form_panics_or_passes_what_it_says_is_its_longest(
        base in any::<Duration>(),
        cap in any::<Duration>(),
        fraction in 0.0..=1.0_f64,
        n in any::<u32>(),
        (draw, earlier) in any::<(u64, u64)>(),
        previous in any::<Duration>(),
    ) {
        for backoff in [
            Backoff::constant(base),
            Backoff::linear(base, cap),
            Backoff::exponential(base, cap),
            Backoff::full_jitter(base, cap),
            Backoff::equal_jitter(base, cap),
            Backoff::exponential(base, cap).proportional(fraction).unwrap(),
            Backoff::decorrelated(base, cap),
            Backoff::smooth(base, cap),
        ] {
            let step = Step {
                previous: previous.min(backoff.longest_before(n.saturating_sub(1))),
                earlier: Draw::from_bits(earlier),
                ..step(n, draw)
            };
            let wait = backoff.wait(step);
            prop_assert!(wait <= backoff.longest(), "{backoff:?}: {wait:?}");
            prop_assert!(wait <= backoff.longest_before(n), "{backoff:?}: {wait:?}");
        }
    }

    #[test]
    fn any_multiplier_is_taken_or_refused(factor in any::<f64>()) {
        prop_assert_eq!(
            Backoff::default().multiplier(factor).is_ok(),
            (1.0..=1000.0).contains(&factor)
        );
    }
}
