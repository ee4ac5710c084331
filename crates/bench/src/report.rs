//! From what was measured to figures and tables.

use std::fmt::Write;

use crate::cases::{BARE, Case};
use crate::figure::{Figure, find};
use comfy_table::{CellAlignment, Table, presets};

use crate::counts::Counts;

/// A case and what was measured of it.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// What was measured.
    pub case: Case,
    /// Time a call.
    pub ns: Option<f64>,
    /// What a call executes and allocates.
    pub counts: Option<Counts>,
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
#[must_use]
pub fn figures(all: &[Measured]) -> Vec<Figure> {
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
    figures
}

/// All cases, a line each.
#[must_use]
pub fn table(all: &[Measured]) -> String {
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

/// The figures of one unit, a line each, under a heading.
#[must_use]
pub fn list(heading: &str, figures: &[Figure], unit: &str) -> String {
    let mut table = plain();
    table.set_header([heading, "subject", unit, "what"]);
    for f in figures.iter().filter(|f| f.unit == unit) {
        let digits = if f.value < 1e3 { 3 } else { 0 };
        let value = format!("{:.digits$}", f.value);
        table.add_row([&f.figure, &f.subject, &value, &f.note]);
    }
    align(&mut table, &[2]);
    table.to_string()
}

/// What was promised: a figure of ours, and what it should reach. `true`: at most.
pub type Promise = (&'static str, bool, f64);

/// Each promise, and what came of it. A miss is printed, and no error: time is nobody's promise.
#[must_use]
pub fn reach(promises: &[Promise], figures: &[Figure]) -> String {
    let mut lines = String::from("what murphy should reach\n");
    for (name, at_most, reach) in promises {
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
