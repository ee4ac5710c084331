//! From what was measured to figures and tables.

use std::fmt::Write;

use bench::cases::{BARE, Case};
use bench::figure::{Figure, find};
use comfy_table::{CellAlignment, Table, presets};

use crate::instructions::Counts;

/// A case and what was measured of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) case: Case,
    pub(crate) ns: Option<f64>,
    pub(crate) counts: Option<Counts>,
}

impl Measured {
    fn is_bare(&self) -> bool {
        self.case.subject == BARE
    }

    fn bare(&self, all: &[Self]) -> Self {
        let over = |m: &&Self| m.is_bare() && m.case.row == self.case.over;
        *all.iter().find(over).unwrap_or(self)
    }
}

/// Each case's figures: of `bare` the whole, of the others what is over it.
pub(crate) fn figures(all: &[Measured]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for m in all {
        let Case {
            row, subject, note, ..
        } = m.case;
        let mut push = |what: &str, value: Option<f64>, unit| {
            let name = format!("{row}.{what}");
            figures.extend(value.map(|v| Figure::new(name, subject, v, unit, note)));
        };
        let over = |of: fn(&Measured) -> Option<f64>| Some(of(m)? - of(&m.bare(all))?);
        let ns = |m: &Measured| m.ns;
        let instructions = |m: &Measured| Some(m.counts?.instructions);
        push("ns", m.ns, "ns");
        push("instructions", instructions(m), "instructions");
        push(
            "allocations",
            m.counts.map(|c| c.allocations),
            "allocations",
        );
        push("bytes", m.counts.map(|c| c.bytes), "bytes");
        if !m.is_bare() {
            push("ns_over_bare", over(ns), "ns");
            push("instructions_over_bare", over(instructions), "instructions");
        }
    }
    figures.extend(ratios(&figures));
    figures
}

/// Us beside tower, where that is the question.
fn ratios(figures: &[Figure]) -> Vec<Figure> {
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

/// All cases, a line each.
pub(crate) fn table(all: &[Measured]) -> String {
    let mut table = plain();
    table.set_header([
        "over a bare call",
        "subject",
        "ns",
        "instructions",
        "allocations",
        "what",
    ]);
    for m in all {
        let bare = m.bare(all);
        let signed = |value: f64, bare: f64, digits: usize| match m.is_bare() {
            true => format!("{value:.digits$}"),
            false => format!("{:+.digits$}", value - bare),
        };
        let ns = m.ns.zip(bare.ns).map(|(a, b)| signed(a, b, 1));
        let counts = m.counts.zip(bare.counts);
        let instructions = counts.map(|(a, b)| signed(a.instructions, b.instructions, 0));
        let allocations = m.counts.map(|c| match c.allocations {
            0.0 => "0".to_owned(),
            n => format!("{n:.0} ({:.0} B)", c.bytes),
        });
        let cell = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        table.add_row([
            m.case.row.to_owned(),
            m.case.subject.to_owned(),
            cell(ns),
            cell(instructions),
            cell(allocations),
            m.case.note.to_owned(),
        ]);
    }
    align(&mut table, &[2, 3, 4]);
    table.to_string()
}

/// Calls a second.
pub(crate) fn rates(figures: &[Figure]) -> String {
    let mut table = plain();
    table.set_header([
        "faulted calls a second, virtual time",
        "subject",
        "calls/s",
        "what",
    ]);
    for f in figures.iter().filter(|f| f.unit == "calls/s") {
        let name = f.figure.trim_end_matches(".calls_per_s");
        let value = format!("{:.0}", f.value);
        table.add_row([name, &f.subject, &value, &f.note]);
    }
    align(&mut table, &[2]);
    table.to_string()
}

/// What was promised: a figure of ours, and what it should reach. `true`: at most.
const REACH: &[(&str, bool, f64)] = &[
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
    ("faulted.both_legs.1_tasks.calls_per_s", false, 600_000.0),
    (
        "faulted.both_legs.100_tasks.calls_per_s",
        false,
        1_000_000.0,
    ),
];

/// Each promise, and what came of it. A miss is printed, and no error: time is nobody's promise.
pub(crate) fn reach(figures: &[Figure]) -> String {
    let mut lines = String::from("what murphy should reach\n");
    for (name, at_most, reach) in REACH {
        let sign = if *at_most { "≤" } else { "≥" };
        let verdict = match find(figures, name, "murphy") {
            None => "not measured".to_owned(),
            Some(v) if (v <= *reach) == *at_most || v == *reach => format!("{v}, reached"),
            Some(v) => format!("{v}, missed"),
        };
        _ = writeln!(lines, "  {name:<48} {sign} {reach:<9} {verdict}");
    }
    lines
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn align(table: &mut Table, right: &[usize]) {
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
