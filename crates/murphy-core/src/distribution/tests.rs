use super::*;

const MS: Duration = Duration::from_millis(1);

fn ms(n: u32) -> Duration {
    MS * n
}

#[test]
fn quantiles_are_the_textbooks() {
    // Nanoseconds, from tables of the closed forms with forty digits.
    for (name, distribution, u, want) in [
        ("fixed", Distribution::fixed(ms(7)), 0.3, 7_000_000),
        (
            "uniform",
            Distribution::uniform(ms(10), ms(20)).unwrap(),
            0.25,
            12_500_000,
        ),
        (
            "normal, its centre",
            Distribution::normal(ms(100), ms(20)),
            0.5,
            100_000_000,
        ),
        (
            "normal, its ninth decile",
            Distribution::normal(ms(100), ms(20)),
            0.9,
            125_631_031,
        ),
        (
            "normal, below zero",
            Distribution::normal(ms(10), ms(20)),
            0.1,
            0,
        ),
        (
            "log-normal, its median",
            Distribution::log_normal(ms(40), 0.5).unwrap(),
            0.5,
            40_000_000,
        ),
        (
            "exponential, its median",
            Distribution::exponential(ms(10)),
            0.5,
            6_931_471,
        ),
        (
            "pareto, its least",
            Distribution::pareto(ms(10), 2.0).unwrap(),
            0.0,
            10_000_000,
        ),
        (
            "pareto, three quarters",
            Distribution::pareto(ms(10), 2.0).unwrap(),
            0.75,
            20_000_000,
        ),
        (
            "a cap",
            Distribution::pareto(ms(10), 2.0).unwrap().at_most(ms(15)),
            0.75,
            15_000_000,
        ),
    ] {
        assert_eq!(distribution.quantile(u).as_nanos(), want, "{name}");
    }
}

#[test]
fn a_table_is_joined_by_lines_and_flat_outside() {
    let table = Distribution::empirical([(0.5, ms(10)), (0.75, ms(20)), (0.875, ms(100))]).unwrap();
    for (u, want) in [
        (0.0, ms(10)),
        (0.5, ms(10)),
        (0.625, ms(15)),
        (0.75, ms(20)),
        (0.8125, ms(60)),
        (0.875, ms(100)),
        (1.0, ms(100)),
    ] {
        assert_eq!(table.quantile(u), want, "{u}");
    }
    assert_eq!(
        table.mean().unwrap().as_nanos(),
        // 0.5 · 10 + 0.25 · 15 + 0.125 · 60 + 0.125 · 100
        28_750_000
    );
}

#[test]
fn a_trace_gives_back_its_samples_and_nothing_else() {
    let trace = Distribution::trace([ms(30), ms(10), ms(20), ms(20)]).unwrap();
    for (u, want) in [
        (0.0, 10),
        (0.2499, 10),
        (0.25, 20),
        (0.74, 20),
        (0.75, 30),
        (1.0, 30),
    ] {
        assert_eq!(trace.quantile(u), ms(want), "{u}");
    }
    assert_eq!(trace.mean(), Some(ms(20)));
}

#[test]
fn what_is_no_fraction_is_clamped() {
    let line = Distribution::uniform(Duration::ZERO, Duration::from_secs(1)).unwrap();
    let largest = line.quantile(1.0);
    for (u, want) in [
        (f64::NAN, Duration::ZERO),
        (-1.0, Duration::ZERO),
        (f64::NEG_INFINITY, Duration::ZERO),
        (2.0, largest),
        (f64::INFINITY, largest),
    ] {
        assert_eq!(line.quantile(u), want, "{u}");
    }
    assert_eq!(largest, line.sample(Draw::from_bits(u64::MAX)));
}

#[test]
fn nothing_overflows() {
    let end = Duration::MAX;
    for (distribution, mean) in [
        (Distribution::fixed(end), Some(end)),
        (Distribution::uniform(end, end).unwrap(), Some(end)),
        (Distribution::normal(end, end), Some(end)),
        (Distribution::log_normal(end, f64::MAX).unwrap(), Some(end)),
        (Distribution::exponential(end), Some(end)),
        (Distribution::pareto(end, f64::MIN_POSITIVE).unwrap(), None),
        (Distribution::empirical([(0.0, end)]).unwrap(), Some(end)),
        (Distribution::trace([end, end]).unwrap(), Some(end)),
    ] {
        assert_eq!(distribution.quantile(1.0), end, "{distribution}");
        assert_eq!(distribution.mean(), mean, "{distribution}");
        assert_eq!(distribution.at_most(MS).quantile(1.0), MS);
    }
}

#[test]
fn nothing_stays_nothing() {
    let zero = Duration::ZERO;
    for distribution in [
        Distribution::fixed(zero),
        Distribution::uniform(zero, zero).unwrap(),
        Distribution::normal(zero, zero),
        Distribution::log_normal(zero, f64::MAX).unwrap(),
        Distribution::exponential(zero),
        Distribution::pareto(zero, 0.1).unwrap().at_most(MS),
    ] {
        for u in [0.0, 0.5, 1.0] {
            assert_eq!(distribution.quantile(u), zero, "{distribution} at {u}");
        }
        assert_eq!(distribution.mean(), Some(zero), "{distribution}");
    }
}

#[test]
fn means_are_the_closed_forms() {
    let near = |distribution: Distribution, want: f64| {
        let mean = distribution.mean().unwrap().as_secs_f64();
        assert!(
            (mean / want - 1.0).abs() < 1e-8,
            "{distribution}: {mean}, not {want}"
        );
    };
    let s = Duration::from_secs(1);
    near(Distribution::uniform(s, s * 3).unwrap(), 2.0);
    near(
        Distribution::uniform(s, s * 3).unwrap().at_most(s * 2),
        1.75,
    );
    near(Distribution::uniform(s, s * 3).unwrap().at_most(s / 2), 0.5);
    near(Distribution::normal(s * 10, s), 10.0);
    // φ(0) = 1/√2π; and Φ(1) + φ(1).
    near(Distribution::normal(Duration::ZERO, s), 0.398_942_280_401);
    near(Distribution::normal(s, s), 1.083_315_470_588);
    near(Distribution::normal(s, Duration::ZERO).at_most(s / 4), 0.25);
    near(Distribution::log_normal(s, 0.5).unwrap(), 1.133_148_453_067);
    near(Distribution::log_normal(s, 0.0).unwrap(), 1.0);
    // So wide that the mean without its cap is past all doubles; by numeric integration.
    for (sigma, mean) in [
        (37.0, 5_056_923.050_73),
        (38.0, 5_262_288.905_66),
        (60.0, 8_561_448.182_61),
    ] {
        let wide = Distribution::log_normal(Duration::from_nanos(1), sigma).unwrap();
        near(
            wide.at_most(Duration::from_nanos(38_f64.exp() as u64)),
            mean,
        );
    }
    near(Distribution::exponential(s * 4), 4.0);
    near(Distribution::exponential(s).at_most(s), 0.632_120_558_829);
    near(Distribution::pareto(s, 3.0).unwrap(), 1.5);
    // ∫ min(x, 10) over a tail without a mean: 1 + ln 10.
    near(
        Distribution::pareto(s, 1.0).unwrap().at_most(s * 10),
        3.302_585_092_994,
    );
    near(Distribution::pareto(s, 0.5).unwrap().at_most(s * 4), 3.0);
    assert_eq!(Distribution::pareto(s, 1.0).unwrap().mean(), None);
}

#[test]
fn what_is_no_distribution_is_refused_by_field_value_and_remedy() {
    let rows = |rows: &[(f64, u32)]| Distribution::empirical(rows.iter().map(|r| (r.0, ms(r.1))));
    for (refused, says) in [
        (
            Distribution::uniform(ms(2), ms(1)),
            "max: `1ms` is below `min`",
        ),
        (
            Distribution::log_normal(MS, f64::NAN),
            "sigma: `NaN` is no width",
        ),
        (
            Distribution::log_normal(MS, -0.5),
            "sigma: `-0.5` is no width",
        ),
        (
            Distribution::log_normal(MS, f64::INFINITY),
            "sigma: `inf` is no width",
        ),
        (
            Distribution::pareto(MS, 0.0),
            "shape: `0.0` is no tail index",
        ),
        (
            Distribution::pareto(MS, f64::NAN),
            "shape: `NaN` is no tail index",
        ),
        (
            Distribution::pareto(MS, f64::INFINITY),
            "shape: `inf` is no tail index",
        ),
        (rows(&[]), "table: `[]` is empty"),
        (rows(&[(99.0, 1)]), "(`0.99`, not `99`)"),
        (rows(&[(f64::NAN, 1)]), "table: `NaN` is no quantile"),
        (rows(&[(0.5, 1), (0.5, 2)]), "table: `0.5` does not rise"),
        (rows(&[(0.9, 1), (0.5, 2)]), "table: `0.5` does not rise"),
        (rows(&[(0.5, 2), (0.9, 1)]), "table: `1ms` is below the row"),
        (Distribution::trace([]), "samples: `[]` is empty"),
    ] {
        let e = refused.expect_err(says).to_string();
        assert!(e.contains(says), "{e}");
    }
}

#[test]
fn it_reads_like_a_sentence() {
    for (distribution, want) in [
        (Distribution::fixed(ms(40)), "fixed(40ms)"),
        (
            Distribution::uniform(MS, ms(1500)).unwrap(),
            "uniform(1ms to 1.5s)",
        ),
        (
            Distribution::normal(ms(40), MS),
            "normal(mean 40ms, sd 1ms)",
        ),
        (
            Distribution::log_normal(ms(40), -0.0).unwrap(),
            "log-normal(median 40ms, sigma 0)",
        ),
        (
            Distribution::exponential(MS).at_most(ms(9)).at_most(ms(10)),
            "exponential(mean 1ms), at most 9ms",
        ),
        (
            Distribution::pareto(MS, 1.5).unwrap(),
            "pareto(scale 1ms, shape 1.5)",
        ),
        (
            Distribution::empirical([(0.5, MS), (0.9, ms(2))]).unwrap(),
            "empirical(2 points, 1ms to 2ms)",
        ),
        (
            Distribution::trace([ms(2), MS]).unwrap(),
            "trace(2 samples, 1ms to 2ms)",
        ),
    ] {
        assert_eq!(distribution.to_string(), want);
    }
}

#[test]
fn it_goes_wherever_its_user_goes() {
    fn everywhere<T: Clone + Send + Sync + std::fmt::Debug + PartialEq + 'static>() {}
    everywhere::<Distribution>();
    everywhere::<Shape>();
}
