//! The workload: orders on a fixed schedule, whatever becomes of those before (open loop).

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use murphy_fault::{BadPlan, Plan};

/// Between two orders.
const GAP: Duration = Duration::from_millis(8);
/// From the first to the last.
const LENGTH: Duration = Duration::from_secs(9);
/// How long answers are waited for after the last order.
pub(crate) const PATIENCE: Duration = Duration::from_millis(2_500);
/// Nobody orders this close to the edge of a fault's window: on which side of it a first attempt
/// falls must not depend on a few milliseconds of the machine.
const MARGIN: Duration = Duration::from_millis(200);

/// The weather of this example.
pub(crate) fn weather() -> Result<Plan, BadPlan> {
    Plan::from_toml(include_str!("plan.toml"))
}

/// When each order is placed, after the start.
///
/// Under any plan the edges of our own weather are kept clear too: a ledger that is replayed has no
/// windows any more, and the same orders must be placed at the same times.
pub(crate) fn schedule(plan: &Plan) -> Vec<Duration> {
    let ours = weather().unwrap_or_default();
    let edges: Vec<Duration> = ours
        .faults()
        .iter()
        .chain(plan.faults())
        .filter_map(|(_, fault)| fault.window())
        .flat_map(|(from, until)| [from, until])
        .collect();
    let near = |at: &Duration| {
        edges
            .iter()
            .any(|edge| at.abs_diff(*edge) < MARGIN && !edge.is_zero())
    };
    let count = (LENGTH.as_millis() / GAP.as_millis()) as u32;
    (0..count).map(|n| GAP * n).filter(|at| !near(at)).collect()
}

pub(crate) fn describe(plan: &Plan) -> String {
    let orders = schedule(plan).len();
    format!(
        "{orders} orders in {} s through each stack",
        LENGTH.as_secs()
    )
}

/// A bar for one row's answers.
pub(crate) fn bar(progress: &MultiProgress, plan: &Plan) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix:>27} {bar:40} {pos:>4}/{len} answered, {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    progress
        .add(ProgressBar::new(schedule(plan).len() as u64))
        .with_style(style)
}
