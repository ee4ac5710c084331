//! Figures that were published, and the same measured here: tables for people, JSON for machines.
//!
//! A figure is *off* where what was measured is outside of what is accepted; a program that prints
//! one that is off has failed.

use std::fs::File;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde_json::json;

/// What is measured in a table.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Its name in JSON: `backoff.calls`.
    pub name: &'static str,
    /// Its heading.
    pub heading: &'static str,
    /// `ms`, `%`, `calls`.
    pub unit: &'static str,
    /// Digits after the point.
    pub digits: usize,
}

impl Figure {
    /// Names one of `unit`, to be told to `digits` after the point.
    #[must_use]
    pub const fn new(
        name: &'static str,
        heading: &'static str,
        unit: &'static str,
        digits: usize,
    ) -> Self {
        Self {
            name,
            heading,
            unit,
            digits,
        }
    }
}

/// One figure, measured.
#[derive(Clone, Debug)]
pub struct Cell {
    measured: f64,
    published: Option<f64>,
    accepted: Option<RangeInclusive<f64>>,
}

impl Cell {
    /// A figure that nobody published, and that nothing hangs on.
    #[must_use]
    pub const fn plain(measured: f64) -> Self {
        Self {
            measured,
            published: None,
            accepted: None,
        }
    }

    /// A figure that may be `apart` from what was published.
    #[must_use]
    pub fn near(measured: f64, published: f64, apart: f64) -> Self {
        Self::within(measured, published, published - apart..=published + apart)
    }

    /// A figure that was published, and what is accepted here.
    #[must_use]
    pub const fn within(measured: f64, published: f64, accepted: RangeInclusive<f64>) -> Self {
        Self {
            measured,
            published: Some(published),
            accepted: Some(accepted),
        }
    }

    /// A figure that nobody published, and what is accepted here.
    #[must_use]
    pub const fn expected(measured: f64, accepted: RangeInclusive<f64>) -> Self {
        Self {
            measured,
            published: None,
            accepted: Some(accepted),
        }
    }

    fn is_off(&self) -> bool {
        let accepted = self.accepted.as_ref();
        accepted.is_some_and(|accepted| !accepted.contains(&self.measured))
    }

    fn accepted(&self, digits: usize) -> Option<String> {
        let accepted = self.accepted.as_ref()?;
        Some(match (*accepted.start(), *accepted.end()) {
            (low, f64::INFINITY) => format!("from {low:.digits$}"),
            (f64::NEG_INFINITY, high) => format!("to {high:.digits$}"),
            (low, high) => format!("{low:.digits$} to {high:.digits$}"),
        })
    }

    /// What is said of it: what was published, and what is accepted.
    fn beside(&self, digits: usize) -> String {
        let published = self.published.map(|x| format!("published {x:.digits$}, "));
        let accepted = self.accepted(digits).map(|x| format!("accepted {x}, "));
        published.unwrap_or_default() + &accepted.unwrap_or_default()
    }
}

/// A published table, measured again.
#[derive(Clone, Debug)]
pub struct Section {
    /// What it is, and whose.
    pub title: String,
    /// Runs and seed: what is said of each figure in JSON.
    pub runs: String,
    /// What is compared, and with what.
    pub rule: String,
    /// What it teaches.
    pub lesson: &'static str,
    figures: Vec<Figure>,
    rows: Vec<(String, Vec<Cell>)>,
}

impl Section {
    /// An empty table of these figures.
    #[must_use]
    pub fn new(title: &str, runs: String, figures: &[Figure]) -> Self {
        Self {
            title: title.into(),
            runs,
            rule: String::new(),
            lesson: "",
            figures: figures.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Says what is compared, and with what.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = rule.into();
        self
    }

    /// Says what it teaches.
    #[must_use]
    pub const fn lesson(mut self, lesson: &'static str) -> Self {
        self.lesson = lesson;
        self
    }

    /// One more row, with a cell for each figure.
    pub fn row(&mut self, subject: impl Into<String>, cells: impl Into<Vec<Cell>>) {
        let cells = cells.into();
        assert_eq!(cells.len(), self.figures.len(), "a cell for each figure");
        self.rows.push((subject.into(), cells));
    }

    /// Published beside measured.
    pub fn print(&self) {
        let mut table = Table::new();
        let headings = self.figures.iter().flat_map(|figure| {
            let heading = format!("{}, {}", figure.heading, figure.unit);
            [heading, "published (accepted)".into()]
        });
        let header = std::iter::once(String::new()).chain(headings);
        table.load_style(ASCII_MARKDOWN).set_header(header);
        for (subject, cells) in &self.rows {
            let mut row = vec![subject.clone()];
            for (figure, cell) in self.figures.iter().zip(cells) {
                let digits = figure.digits;
                let off = if cell.is_off() { "OFF " } else { "" };
                row.push(format!("{off}{:.digits$}", cell.measured));
                let published = cell.published.map(|x| format!("{x:.digits$}"));
                let published = published.unwrap_or("-".into());
                row.push(match cell.accepted(digits) {
                    Some(accepted) => format!("{published} ({accepted})"),
                    None => published,
                });
            }
            table.add_row(row);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let (title, runs) = (&self.title, &self.runs);
        let (rule, lesson) = (&self.rule, self.lesson);
        println!("\n{title}\n\n{table}\n{runs}. {rule}\n{lesson}");
    }

    fn write(&self, file: &mut File) -> Result<()> {
        for (figure, subject, cell) in self.cells() {
            let digits = figure.digits;
            let note = format!("{}{}", cell.beside(digits), self.runs);
            let line = json!({
                "figure": figure.name, "subject": subject, "value": cell.measured,
                "unit": figure.unit, "note": note,
            });
            writeln!(file, "{line}")?;
        }
        Ok(())
    }

    fn cells(&self) -> impl Iterator<Item = (&Figure, &str, &Cell)> {
        self.rows.iter().flat_map(|(subject, cells)| {
            let figures = self.figures.iter().zip(cells);
            figures.map(move |(figure, cell)| (figure, subject.as_str(), cell))
        })
    }
}

/// The file of `--json`, made before anything is measured.
///
/// # Errors
///
/// Where it cannot be written.
pub fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("--json: cannot write `{}`", path.display()))
}

/// All figures, one a line.
///
/// # Errors
///
/// Where the file cannot be written.
pub fn write(sections: &[Section], mut file: File) -> Result<()> {
    for section in sections {
        section.write(&mut file)?;
    }
    Ok(())
}

/// Fails where a figure is off.
///
/// # Errors
///
/// Names each figure that is.
pub fn check(sections: &[Section]) -> Result<()> {
    let all = sections.iter().flat_map(Section::cells);
    let off: Vec<String> = all
        .filter(|(_, _, cell)| cell.is_off())
        .map(|(figure, subject, cell)| {
            let digits = figure.digits;
            let Figure { name, unit, .. } = figure;
            let accepted = cell.accepted(digits).unwrap_or_default();
            let measured = cell.measured;
            format!("{name} of {subject}: {measured:.digits$} {unit}, accepted is {accepted}")
        })
        .collect();
    ensure!(off.is_empty(), "off: {}", off.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_off_outside_of_what_is_accepted() {
        for (name, cell, want) in [
            ("just in", Cell::near(53.0, 50.0, 3.0), false),
            ("just out", Cell::near(53.1, 50.0, 3.0), true),
            ("no number", Cell::near(f64::NAN, 50.0, 3.0), true),
            (
                "at most",
                Cell::expected(2.1, f64::NEG_INFINITY..=2.0),
                true,
            ),
            ("nothing hangs on it", Cell::plain(1e9), false),
        ] {
            assert_eq!(cell.is_off(), want, "{name}");
        }
    }

    #[test]
    fn one_that_is_off_is_named() {
        let figure = Figure::new("storm.success_pct", "success", "%", 1);
        let mut section = Section::new("", String::new(), &[figure]);
        section.row("none", [Cell::near(55.0, 55.9, 5.0)]);
        assert!(check(&[section.clone()]).is_ok());
        section.row("budget", [Cell::near(40.0, 55.6, 5.0)]);
        let error = check(&[section]).unwrap_err().to_string();
        assert_eq!(
            error,
            "off: storm.success_pct of budget: 40.0 %, accepted is 50.6 to 60.6"
        );
    }
}
