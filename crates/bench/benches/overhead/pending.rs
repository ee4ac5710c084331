//! What timeouts cost that wait: under two threads, a million at once; and what a budget costs after
//! thirty idle days.

use std::hint::black_box;
use std::time::Duration;

use bench::figure::Figure;
use bench::pending::{self, MILLION, Whose};
use bench::process;
use criterion::measurement::{Measurement, WallTime};
use murphy_policy::Budget;
use tower::retry::budget::{Budget as _, TpsBudget};

const ROUNDS: usize = 31;
const CALLS: u64 = 100_000;
const SUBJECTS: [Whose; 3] = [Whose::Bare, Whose::Murphy, Whose::Tower];

/// Nanoseconds of `calls` calls each.
fn timed(calls: f64, run: impl FnOnce()) -> f64 {
    let start = WallTime.start();
    run();
    WallTime.end(start).as_secs_f64() * 1e9 / calls
}

/// Of several rounds the second best: neighbours only ever take.
fn second_best(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds.get(1).copied().unwrap_or(f64::NAN)
}

/// All of it, the subjects in turn in each round.
pub(crate) fn measure() -> Vec<Figure> {
    let mut figures = threads();
    figures.extend(crowds());
    figures.extend(idle());
    figures
}

fn threads() -> Vec<Figure> {
    let mut rounds = [const { [const { Vec::new() }; 2] }; SUBJECTS.len()];
    for _ in 0..ROUNDS {
        for (whose, rounds) in SUBJECTS.into_iter().zip(&mut rounds) {
            for (tasks, rounds) in [1, 2].into_iter().zip(rounds) {
                rounds.push(timed(CALLS as f64, || pending::tasks(whose, tasks, CALLS)));
            }
        }
    }
    let times = rounds.map(|tasks| tasks.map(second_best));
    let mut figures = Vec::new();
    for (whose, [one, two]) in SUBJECTS.into_iter().zip(times) {
        for (threads, ns, bare) in [(1, one, times[0][0]), (2, two, times[0][1])] {
            let name = format!("timeout.pends.{threads}_threads.ns");
            let note = "a call of a task, in a runtime of so many threads, each with such a task";
            figures.push(Figure::new(name.clone(), whose.name(), ns, "ns", note));
            if whose != Whose::Bare {
                let note = "the same, over a service without";
                let over = format!("{name}_over_bare");
                figures.push(Figure::new(over, whose.name(), ns - bare, "ns", note));
            }
        }
    }
    let added = |at: usize, threads: usize| times[at][threads] - times[0][threads];
    for (threads, at) in [(1, 0), (2, 1)] {
        let name = format!("timeout.pends.{threads}_threads.added_by_tower");
        let note = "what it adds to a call that pends once, in units of what tower's adds";
        let ratio = added(1, at) / added(2, at);
        figures.push(Figure::new(name, "murphy", ratio, "ratio", note));
    }
    for (at, whose) in SUBJECTS.into_iter().enumerate().skip(1) {
        let note = "what it adds under two threads, in units of what it adds under one";
        let name = "timeout.pends.2_by_1_threads".to_owned();
        let ratio = added(at, 1) / added(at, 0);
        figures.push(Figure::new(name, whose.name(), ratio, "ratio", note));
    }
    figures
}

fn crowds() -> Vec<Figure> {
    const REPLACED: usize = 200_000;
    let subjects = [Whose::Murphy, Whose::Tower];
    let mut rounds = [const { Vec::new() }; 2];
    let mut crowds = subjects.map(pending::crowd);
    for _ in 0..ROUNDS {
        for (crowd, rounds) in crowds.iter_mut().zip(&mut rounds) {
            rounds.push(timed(REPLACED as f64, || crowd.replace(REPLACED)));
        }
    }
    let times = rounds.map(second_best);
    let note = "a call of a million under way is given up, and another begins";
    let name = || "timeout.million.ns".to_owned();
    let mut figures: Vec<Figure> = subjects
        .into_iter()
        .zip(times)
        .map(|(whose, ns)| Figure::new(name(), whose.name(), ns, "ns", note))
        .collect();
    let ratio = times[0] / times[1];
    let note = "in units of tower's";
    let by_tower = "timeout.million.by_tower".to_owned();
    figures.push(Figure::new(by_tower, "murphy", ratio, "ratio", note));
    figures
}

/// The part that has a million calls under way, and does nothing else.
pub(crate) fn run(whose: &str) {
    let whose = match whose {
        "bare" => Whose::Bare,
        "murphy" => Whose::Murphy,
        _ => Whose::Tower,
    };
    std::mem::forget(pending::crowd(whose));
}

/// What that part holds at one time, at most, by DHAT, a call; its place in a list is taken off.
pub(crate) fn memory() -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    for whose in [Whose::Murphy, Whose::Tower] {
        let most = process::most_bytes(&format!("pending-{}", whose.name()))?;
        // The pointer to it.
        let bytes = most / MILLION as f64 - 8.0;
        let note = "a call of a million under way, its future and all; DHAT";
        let name = "timeout.million.bytes".to_owned();
        figures.push(Figure::new(name, whose.name(), bytes, "bytes", note));
    }
    Ok(figures)
}

/// The first operation after thirty days in which nothing happened.
fn idle() -> Vec<Figure> {
    const MONTH: Duration = Duration::from_secs(86_400 * 30);
    let runtime = bench::drive::paused();
    let second = Duration::from_secs(1);
    let mut rounds = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let ours = Budget::default();
        let windowed = Budget::finagle(second * 10, 10, 0.2).expect("right bounds");
        let tower = runtime.block_on(async { TpsBudget::new(second, 10, 0.2) });
        let mut after = |at: usize, first: &dyn Fn()| {
            runtime.block_on(async {
                first();
                tokio::time::advance(MONTH).await;
                rounds[at].push(timed(1.0, first));
            });
        };
        after(0, &|| {
            ours.deposit();
            _ = black_box(ours.acquire().map(murphy_policy::Permit::sent));
        });
        after(1, &|| {
            windowed.deposit();
            _ = black_box(windowed.acquire().map(murphy_policy::Permit::sent));
        });
        after(2, &|| {
            tower.deposit();
            _ = black_box(tower.withdraw());
        });
    }
    let note = "a deposit and a withdrawal, thirty days after the last";
    let names = ["murphy", "murphy-finagle", "tower"];
    let figure = |(subject, rounds)| {
        let name = "budget.idle_30_days.ns".to_owned();
        Figure::new(name, subject, second_best(rounds), "ns", note)
    };
    names.into_iter().zip(rounds).map(figure).collect()
}
