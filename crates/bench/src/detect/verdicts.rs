//! What was measured, and what of it is off.

use std::ops::RangeInclusive;

use comfy_table::{CellAlignment, Table, presets};

use crate::figure::Figure;

/// The figures of an evaluation, and the ones that are not what was to be expected.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// All of them.
    pub figures: Vec<Figure>,
    /// What is off, a line each.
    pub off: Vec<String>,
}

impl Verdicts {
    /// A figure that nothing hangs on.
    pub fn note(&mut self, name: &str, subject: &str, value: f64, unit: &'static str, note: &str) {
        let figure = Figure::new(name.to_owned(), subject, value, unit, note);
        self.figures.push(figure);
    }

    /// A figure that must be within `accepted`; returns how it is to be marked in a table.
    pub fn expect(
        &mut self,
        name: &str,
        subject: &str,
        value: f64,
        unit: &'static str,
        accepted: &RangeInclusive<f64>,
    ) -> &'static str {
        let (low, high) = (accepted.start(), accepted.end());
        let note = format!("accepted {low:.6} to {high:.6}");
        self.note(name, subject, value, unit, &note);
        if accepted.contains(&value) {
            return "";
        }
        let line =
            format!("{name} of {subject}: {value:.6} {unit}, accepted is {low:.6} to {high:.6}");
        self.off.push(line);
        "! "
    }

    /// Something that must hold.
    pub fn require(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.off.push(otherwise());
        }
    }
}

/// A table: a heading, and a line each, numbers to the right.
#[must_use]
pub fn grid(heading: &[String], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(heading);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}
