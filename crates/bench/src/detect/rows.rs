//! Detectors with one parameter, which is turned until the mean time to detection is a given one.

use std::time::Duration;

use murphy_detect::Detector;
use murphy_detect::detector::{Adaptive, Chen, Exponential, Fixed, Phi, Span, TwoWindow};

use super::bertier::Bertier;
use super::judge::{Outcome, Told, judge};
use super::moving::Moving;
use super::workload::Workload;

/// A detector, but for its parameter.
pub trait Row: Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// From where to where its parameter goes.
    fn range(&self) -> (f64, f64);

    /// What it does with this parameter.
    fn judge(&self, parameter: f64, workload: &Workload, beats: usize) -> Outcome;
}

struct Of<F> {
    name: &'static str,
    range: (f64, f64),
    told: Told,
    make: F,
}

impl<D: Detector, F: Fn(f64) -> D + Sync> Row for Of<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn range(&self) -> (f64, f64) {
        self.range
    }

    fn judge(&self, parameter: f64, workload: &Workload, beats: usize) -> Outcome {
        judge(&(self.make)(parameter), workload, beats, self.told)
    }
}

/// The default's name.
pub const DEFAULT: &str = "adaptive";

/// All rows of the table.
#[must_use]
pub fn all() -> Vec<Box<dyn Row>> {
    fn row<D: Detector>(
        name: &'static str,
        range: (f64, f64),
        told: Told,
        make: impl Fn(f64) -> D + Sync + 'static,
    ) -> Box<dyn Row> {
        Box::new(Of {
            name,
            range,
            told,
            make,
        })
    }
    let span = |seconds: f64| Span::fixed(Duration::from_secs_f64(seconds));
    let phi = |samples: u16| {
        move |threshold: f64| {
            let phi = Phi::exact().samples(samples).expect("samples");
            let phi = phi
                .min_deviation(Duration::from_micros(1))
                .expect("a deviation");
            phi.pause(Duration::ZERO)
                .suspect_from(threshold)
                .expect("a threshold")
        }
    };
    let exponential = |threshold: f64| {
        let all = Span::intervals(1e3).expect("intervals");
        let exponential = Exponential::cassandra().longest(all);
        exponential.suspect_from(threshold).expect("a threshold")
    };
    let seconds = (1e-6, 20.0);
    vec![
        row("fixed", seconds, Told::Nothing, |s| {
            Fixed::try_new(Duration::from_secs_f64(s)).expect("a timeout")
        }),
        row("chen n=1000", seconds, Told::Nothing, move |s| {
            Chen::new(span(s)).samples(1000).expect("samples")
        }),
        row("chen n=32", seconds, Told::Nothing, move |s| {
            Chen::new(span(s))
        }),
        row("two windows 1/1000", seconds, Told::Nothing, move |s| {
            TwoWindow::new(span(s))
        }),
        row("bertier", (0.01, 1e3), Told::Nothing, Bertier::new),
        row("phi n=1000", (1e-3, 1e5), Told::Nothing, phi(1000)),
        row("phi n=100", (1e-3, 1e5), Told::Nothing, phi(100)),
        row(
            "exponential n=1000",
            (1e-2, 20.0),
            Told::Nothing,
            exponential,
        ),
        row("moving 1/16", (0.01, 1e3), Told::Nothing, Moving::new),
        row(DEFAULT, seconds, Told::Outages, move |s| {
            Adaptive::default().margin(span(s))
        }),
    ]
}

/// Turns a row's parameter until the mean time to detection is `detection` seconds, and says what it did then.
///
/// Most turns are made on a tenth of the workload. `None` where no parameter comes within a hundredth.
#[must_use]
pub fn at_detection(row: &dyn Row, workload: &Workload, detection: f64) -> Option<Outcome> {
    let all = workload.arrivals.len();
    let few = (all / 10).max(50_000).min(all);
    let (mut low, mut high) = row.range();
    for _ in 0..30 {
        let middle = 0.5 * (low + high);
        if row.judge(middle, workload, few).detection < detection {
            low = middle;
        } else {
            high = middle;
        }
    }
    let few_at = |parameter: f64| row.judge(parameter, workload, few).detection;
    let step = 0.01 * high.max(1e-3);
    let slope = (few_at(high + step) - few_at(high)) / step;
    let (mut parameter, mut nearest) = (high, None::<Outcome>);
    for _ in 0..5 {
        let outcome = row.judge(parameter, workload, all);
        let over = outcome.detection - detection;
        if nearest.is_none_or(|near| over.abs() < (near.detection - detection).abs()) {
            nearest = Some(outcome);
        }
        if over.abs() < 2e-4 * detection {
            break;
        }
        let (least, most) = row.range();
        parameter = (parameter - over / slope.max(1e-3)).clamp(least, most);
    }
    nearest.filter(|near| (near.detection / detection - 1.0).abs() < 0.01)
}
