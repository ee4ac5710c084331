//! Figures, as every program of this workspace writes them: JSON lines, one figure a line.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// One measured number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured: `fault.disarmed.ns_over_bare`.
    pub figure: String,
    /// Whose it is: `murphy`, a peer, or `bare`.
    pub subject: String,
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: &'static str,
    /// What exactly was measured, and how.
    pub note: String,
}

impl Figure {
    /// A figure, rounded to a thousandth: no more was measured.
    #[must_use]
    pub fn new(figure: String, subject: &str, value: f64, unit: &'static str, note: &str) -> Self {
        Self {
            figure,
            subject: subject.to_owned(),
            value: (value * 1e3).round() / 1e3,
            unit,
            note: note.to_owned(),
        }
    }
}

/// The figure of that name, if it was measured.
#[must_use]
pub fn find(figures: &[Figure], figure: &str, subject: &str) -> Option<f64> {
    let is = |f: &&Figure| f.figure == figure && f.subject == subject;
    figures.iter().find(is).map(|f| f.value)
}

/// Writes them to `target/figures/<bench>.jsonl`, and says where that is.
///
/// # Errors
///
/// What the file system says.
pub fn write(folder: &Path, bench: &str, figures: &[Figure]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{bench}.jsonl"));
    write_to(&path, figures)?;
    Ok(path)
}

/// Writes them to this file.
///
/// # Errors
///
/// What the file system says.
pub fn write_to(path: &Path, figures: &[Figure]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for figure in figures {
        serde_json::to_writer(&mut file, figure)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}
