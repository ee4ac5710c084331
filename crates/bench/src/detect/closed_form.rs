//! Chen's closed forms, and the same simulated.
//!
//! A beat every second, of which 1 % are lost; the way is exponential with a mean of 20 ms; the detector (NFD-S)
//! knows when each beat is sent. Source: W. Chen, S. Toueg, M. Aguilera, IEEE Transactions on Computers 51(5), 2002.

use murphy_core::Seed;
use murphy_detect::{Beat, Detector, Moment};

use super::judge::{Outcome, Told, judge};
use super::parallel;
use super::verdicts::{Verdicts, grid};
use super::workload::Workload;

/// The detection times, in seconds, and what was published for them: mean time between mistakes, their mean length,
/// in seconds, and the share of time in which the detector is right.
pub const PUBLISHED: [(f64, f64, f64, f64); 8] = [
    (1.05, 11.0679, 0.1252, 0.988_687_970),
    (1.10, 60.5919, 0.565_933, 0.990_659_923),
    (1.5, 101.010, 0.530_101, 0.994_752_000),
    (2.05, 1106.79, 0.1252, 0.999_886_880),
    (2.1, 6059.19, 0.565_933, 0.999_906_599),
    (2.5, 10_101.0, 0.530_101, 0.999_947_520),
    (3.1, 605_919.0, 0.565_933, 0.999_999_066),
    (3.5, 1.0101e6, 0.530_101, 0.999_999_475),
];

const LOSS: f64 = 0.01;
const MEAN: f64 = 0.02;

/// What the formulas say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Analytic {
    /// Mean seconds between two mistakes.
    pub recurrence: f64,
    /// Mean seconds that a mistake lasts.
    pub duration: f64,
    /// Share of time in which the detector is right.
    pub accuracy: f64,
}

/// The formulas, for a detection time in seconds and beats every second.
#[must_use]
pub fn analytic(detection: f64) -> Analytic {
    let shift = detection - 1.0;
    let longer = |t: f64| if t <= 0.0 { 1.0 } else { (-t / MEAN).exp() };
    let last = shift.ceil() as i32;
    let fails = |x: f64| -> f64 {
        let fails = |j: i32| LOSS + (1.0 - LOSS) * longer(shift + x - f64::from(j));
        (0..=last).map(fails).product()
    };
    // The newest beat that may be on its way has a kink where it is sent.
    let kink = f64::from(last) - shift;
    let area = simpson(0.0, kink, fails) + simpson(kink, 1.0, fails);
    let in_time = (1.0 - LOSS) * (1.0 - longer(detection));
    let begins = in_time * fails(0.0);
    Analytic {
        recurrence: 1.0 / begins,
        duration: area / begins,
        accuracy: 1.0 - area,
    }
}

fn simpson(from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
    const PANELS: i32 = 4000;
    let step = (to - from) / f64::from(2 * PANELS);
    let weight = |n: i32| match n {
        0 => 1.0,
        n if n == 2 * PANELS => 1.0,
        n if n % 2 == 1 => 4.0,
        _ => 2.0,
    };
    let sum: f64 = (0..=2 * PANELS)
        .map(|n| weight(n) * f(from + f64::from(n) * step))
        .sum();
    sum * step / 3.0
}

/// NFD-S: trusts until a fixed time after the next beat is sent.
#[derive(Clone, Copy, Debug)]
struct Synchronised {
    shift: u64,
}

impl Detector for Synchronised {
    type State = Moment;

    fn start(&self) -> Moment {
        Moment::ZERO
    }

    fn observe(&self, state: &mut Moment, beat: &Beat) -> Moment {
        let next = beat.sent.plus(beat.interval).as_nanos();
        *state = Moment::from_nanos(next + self.shift).max(beat.at);
        *state
    }

    fn level(&self, state: &Moment, now: Moment) -> f64 {
        f64::from(now >= *state)
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}

/// Simulates all detection times over `chunks` million periods, and holds them to the formulas: within three standard
/// errors, as the number of mistakes gives them.
pub fn measure(seed: Seed, chunks: usize, verdicts: &mut Verdicts) -> String {
    let simulated = parallel::each(chunks, |chunk| {
        let seed = Seed::new(seed.bits().wrapping_add(1 + chunk as u64));
        let workload = Workload::chen(seed, 1_000_000);
        PUBLISHED.map(|(detection, ..)| {
            let shift = ((detection - 1.0) * 1e9).round() as u64;
            judge(
                &Synchronised { shift },
                &workload,
                usize::MAX,
                Told::Nothing,
            )
        })
    });
    let rows: Vec<Vec<String>> = (0..PUBLISHED.len())
        .map(|nth| {
            let all = simulated.iter().map(|outcomes| outcomes[nth]);
            row(
                PUBLISHED[nth].0,
                &all.fold(Outcome::default(), sum),
                verdicts,
            )
        })
        .collect();
    let heading = [
        "found within, s",
        "between mistakes, s",
        "simulated",
        "a mistake lasts, s",
        "simulated",
        "wrong, ppm of the time",
        "simulated",
        "mistakes",
    ];
    grid(&heading.map(str::to_owned), &rows)
}

fn sum(a: Outcome, b: Outcome) -> Outcome {
    Outcome {
        mistakes: a.mistakes + b.mistakes,
        mistaken: a.mistaken + b.mistaken,
        mistaken_squares: a.mistaken_squares + b.mistaken_squares,
        watched: a.watched + b.watched,
        ..a
    }
}

fn row(detection: f64, simulated: &Outcome, verdicts: &mut Verdicts) -> Vec<String> {
    let Analytic {
        recurrence,
        duration,
        accuracy,
    } = analytic(detection);
    let n = (simulated.mistakes as f64).max(1.0);
    let subject = format!("nfd-s {detection} s");
    let between = simulated.watched / n;
    let mean = simulated.mistaken / n;
    let square = simulated.mistaken_squares / n;
    let mut three_errors = |name: &str, value: f64, truth: f64, error: f64, unit| {
        let accepted = truth - 3.0 * error..=truth + 3.0 * error;
        verdicts.expect(
            &format!("detect.nfd_s.{name}"),
            &subject,
            value,
            unit,
            &accepted,
        )
    };
    let a = three_errors(
        "recurrence",
        between,
        recurrence,
        recurrence / n.sqrt(),
        "s",
    );
    let deviation = (square - mean * mean).max(0.0).sqrt();
    let b = three_errors(
        "duration",
        mean * 1e3,
        duration * 1e3,
        1e3 * deviation / n.sqrt(),
        "ms",
    );
    let (wrong, truly) = (
        simulated.mistaken / simulated.watched * 1e6,
        (1.0 - accuracy) * 1e6,
    );
    let error = 1e6 * (n * square).sqrt() / simulated.watched;
    let c = three_errors("wrong", wrong, truly, error, "ppm");
    vec![
        format!("{detection}"),
        format!("{recurrence:.1}"),
        format!("{a}{between:.1}"),
        format!("{duration:.4}"),
        format!("{b}{mean:.4}"),
        format!("{truly:.3}"),
        format!("{c}{wrong:.3}"),
        format!("{}", simulated.mistakes),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formulas_give_what_was_published() {
        for (detection, recurrence, duration, accuracy) in PUBLISHED {
            let analytic = analytic(detection);
            assert!(
                (analytic.recurrence / recurrence - 1.0).abs() < 1e-5,
                "{analytic:?}"
            );
            assert!((analytic.duration - duration).abs() < 6e-5, "{analytic:?}");
            assert!((analytic.accuracy - accuracy).abs() < 6e-10, "{analytic:?}");
        }
    }
}
