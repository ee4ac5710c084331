//! What this bench derives from its figures, and what they should reach.

use bench::figure::{Figure, find};
use bench::report::Promise;

/// Us beside tower, where that is the question.
pub(crate) fn ratios(figures: &[Figure]) -> Vec<Figure> {
    let both = |name: &str| {
        Some((
            find(figures, name, "murphy")?,
            find(figures, name, "tower")?,
        ))
    };
    let mut found = Vec::new();
    for what in ["ns", "instructions"] {
        let name = format!("timeout.pends.{what}");
        found.extend(both(&name).map(|(ours, tower)| {
            let note = "the whole call, in units of tower's";
            Figure::new(
                format!("{name}_by_tower"),
                "murphy",
                ours / tower,
                "ratio",
                note,
            )
        }));
    }
    for row in ["quorum.service", "quorum.pends"] {
        let name = format!("{row}.instructions");
        let ours = find(figures, &name, "murphy");
        let peers = find(figures, &name, "futures-unordered");
        found.extend(ours.zip(peers).map(|(ours, peers)| {
            let note = "in units of five calls by hand in a FuturesUnordered";
            let name = format!("{name}_by_unordered");
            Figure::new(name, "murphy", ours / peers, "ratio", note)
        }));
    }
    let name = "retry.none_taken.instructions";
    found.extend(both(name).map(|(ours, tower)| {
        let note = "over tower's Retry with a policy that does nothing";
        Figure::new(
            format!("{name}_over_tower"),
            "murphy",
            ours - tower,
            "instructions",
            note,
        )
    }));
    found
}

/// What was promised: a figure of ours, and what it should reach. `true`: at most.
pub(crate) const REACH: &[Promise] = &[
    ("fault.disarmed.instructions_over_bare", true, 15.0),
    ("fault.disarmed.ns_over_bare", true, 3.0),
    ("fault.disarmed.allocations", true, 0.0),
    ("fault.disarmed_x4.instructions_over_bare", true, 60.0),
    ("fault.armed.instructions_over_bare", true, 80.0),
    ("fault.armed.allocations", true, 0.0),
    ("fault.armed_5_rules.instructions_over_bare", true, 170.0),
    ("fault.armed_5_rules.allocations", true, 0.0),
    ("fault.keyed.instructions_over_bare", true, 170.0),
    ("fault.keyed.allocations", true, 0.0),
    ("timeout.ready.ns_over_bare", true, 5.0),
    ("timeout.pends.ns_by_tower", true, 1.05),
    ("timeout.pends.instructions_by_tower", true, 1.05),
    ("retry.none_taken.instructions_over_tower", true, 25.0),
    ("retry.none_taken.allocations", true, 0.0),
    ("budget.ns_over_bare", true, 5.0),
    ("budget.idle_30_days.ns", true, 1_000.0),
    ("hedge.fast.ns_over_bare", true, 20.0),
    ("hedge.fast.allocations", true, 0.0),
    ("breaker.closed.ns_over_bare", true, 15.0),
    ("breaker.closed.allocations", true, 0.0),
    ("timeout.pends.1_threads.added_by_tower", true, 0.5),
    ("timeout.pends.2_threads.added_by_tower", true, 0.5),
    ("timeout.pends.2_by_1_threads", true, 1.3),
    ("timeout.million.by_tower", true, 0.75),
    ("timeout.million.bytes", true, 150.0),
    ("timeout.ready.allocations", true, 0.0),
    ("timeout.pends.allocations", true, 0.0),
    ("policy.deadline.allocations", true, 0.0),
    ("policy.fallback.allocations", true, 0.0),
    ("policy.throttle.allocations", true, 0.0),
    ("policy.bulkhead.allocations", true, 0.0),
    ("policy.concurrency.allocations", true, 0.0),
    ("policy.stack.allocations", true, 0.0),
    ("policy.stack_pends.allocations", true, 0.0),
    ("quorum.rule.instructions_over_bare", true, 100.0),
    ("quorum.rule.allocations", true, 0.0),
    ("quorum.service.instructions_by_unordered", true, 2.0),
    ("quorum.service.allocations", true, 10.0),
    ("faulted.both_legs.1_tasks.calls_per_s", false, 600_000.0),
    (
        "faulted.both_legs.100_tasks.calls_per_s",
        false,
        1_000_000.0,
    ),
];
