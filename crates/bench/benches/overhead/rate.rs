//! How many calls a second faults can strike, on one core, the clock paused.

use bench::faulted::{CASES, Load};
use bench::figure::Figure;
use criterion::measurement::{Measurement, WallTime};

const ROUNDS: usize = 7;
const CALLS: u64 = 100_000;

/// Every case once a round; the median of the rounds counts.
pub(crate) fn measure() -> Vec<Figure> {
    let runs: Vec<_> = CASES.iter().flat_map(|c| [(c, 1), (c, 100)]).collect();
    let mut rates = vec![Vec::new(); runs.len()];
    for _ in 0..ROUNDS {
        for (rates, (case, tasks)) in rates.iter_mut().zip(&runs) {
            let start = WallTime.start();
            case.run(Load {
                calls: CALLS,
                tasks: *tasks,
            });
            rates.push(CALLS as f64 / WallTime.end(start).as_secs_f64());
        }
    }
    let figure = |((case, tasks), rates): (&(&bench::faulted::Case, u64), &mut Vec<f64>)| {
        rates.sort_by(f64::total_cmp);
        let name = format!("faulted.{}.{tasks}_tasks.calls_per_s", case.row);
        let (middle, best) = (rates[ROUNDS / 2], rates[ROUNDS - 1]);
        let note = format!("{}; median of {ROUNDS} rounds, best {best:.0}", case.note);
        Figure::new(name, case.subject, middle.round(), "calls/s", &note)
    };
    runs.iter().zip(&mut rates).map(figure).collect()
}
