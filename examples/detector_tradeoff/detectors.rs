//! Every detector, with one knob.

use std::time::Duration;

use murphy_detect::detector::{Adaptive, Chen, Exponential, Fixed, Phi, Span, TwoWindow};
use murphy_detect::{Beat, Detector, Moment};

use crate::weather::{Arrival, INTERVAL};

/// What a detector did.
#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) mistakes_a_day: f64,
    /// From a beat's sending to the suspicion that a crash right after it would bring, in seconds: the mean.
    pub(crate) detection: f64,
}

/// A detector, but for one number: the larger, the more patient.
pub(crate) type Knob = dyn Fn(f64, &[Arrival]) -> Outcome;

/// All that are compared.
pub(crate) fn all() -> Vec<(&'static str, Box<Knob>)> {
    fn knob<D: Detector>(make: impl Fn(f64) -> D + 'static) -> Box<Knob> {
        Box::new(move |turned, arrivals| judge(&make(turned), arrivals))
    }
    let seconds = Duration::from_secs_f64;
    let margin = move |s: f64| Span::fixed(seconds(s));
    let phi = |samples: u16| {
        move |threshold: f64| {
            let phi = Phi::exact().samples(samples).expect("samples");
            let phi = phi.suspect_from(threshold.max(1e-3)).expect("a threshold");
            let phi = phi.min_deviation(Duration::from_micros(1));
            phi.expect("a deviation").pause(Duration::ZERO)
        }
    };
    let exponential = |threshold: f64| {
        let all = Span::intervals(1e3).expect("intervals");
        let threshold = threshold.clamp(1e-3, 1e3);
        let exponential = Exponential::cassandra().suspect_from(threshold);
        exponential.expect("a threshold").longest(all)
    };
    vec![
        (
            "fixed",
            knob(move |s| Fixed::try_new(seconds(s)).expect("a timeout")),
        ),
        ("Chen", knob(move |s| Chen::new(margin(s)))),
        ("two windows", knob(move |s| TwoWindow::new(margin(s)))),
        ("phi, 1000 beats", knob(phi(1000))),
        ("phi, 100 beats", knob(phi(100))),
        ("exponential", knob(exponential)),
        (
            "adaptive",
            knob(move |s| Adaptive::default().margin(margin(s))),
        ),
    ]
}

fn judge<D: Detector>(detector: &D, arrivals: &[Arrival]) -> Outcome {
    let mut state = detector.start();
    let mut deadline = Moment::MAX;
    let (mut mistakes, mut detection) = (0_u32, 0.0);
    for arrival in arrivals {
        mistakes += u32::from(arrival.at >= deadline);
        let beat = Beat {
            at: arrival.at,
            sent: arrival.sent,
            seq: arrival.seq.into(),
            interval: INTERVAL,
            // As the papers have it: every silence is learned.
            ends_outage: false,
        };
        deadline = detector.observe(&mut state, &beat);
        detection += deadline.since(arrival.sent).as_secs_f64();
    }
    let days = arrivals.last().map_or(1.0, |last| {
        last.at.since(Moment::ZERO).as_secs_f64() / 86_400.0
    });
    Outcome {
        mistakes_a_day: f64::from(mistakes) / days,
        detection: detection / arrivals.len() as f64,
    }
}
