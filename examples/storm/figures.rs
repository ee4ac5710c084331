//! The figures for machines: JSON lines, one figure a line.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::row::Row;

#[derive(Serialize)]
struct Figure<'a> {
    figure: &'a str,
    subject: &'a str,
    value: f64,
    unit: &'a str,
    note: String,
}

pub(crate) fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("--json: cannot write `{}`", path.display()))
}

pub(crate) fn write(mut file: File, rows: &[Row]) -> Result<()> {
    for row in rows {
        let note = format!(
            "seed {}, {} orders, first fates {:016x}",
            row.ledger.seed(),
            row.orders,
            row.first_fates
        );
        for (figure, value, unit) in [
            ("storm.success_pct", row.success(), "%"),
            (
                "storm.p99_ms",
                row.latency.value_at_quantile(0.99) as f64,
                "ms",
            ),
            (
                "storm.attempts_per_call",
                row.attempts_per_call(),
                "attempts",
            ),
            ("storm.double_charges", row.doubled as f64, "orders"),
        ] {
            let line = Figure {
                figure,
                subject: row.name,
                value,
                unit,
                note: note.clone(),
            };
            serde_json::to_writer(&mut file, &line)?;
            file.write_all(b"\n")?;
        }
    }
    Ok(())
}
