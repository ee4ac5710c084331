//! The table, the faults, the files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use murphy_fault::Finding;

use crate::row::Row;

pub(crate) fn table(rows: &[Row]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "stack",
        "success",
        "p50 ms",
        "p99 ms",
        "attempts/call",
        "charged twice",
        "given up",
        "first fates",
    ]);
    for row in rows {
        table.add_row([
            row.name.to_string(),
            format!("{:.1} %", row.success()),
            row.latency.value_at_quantile(0.5).to_string(),
            row.latency.value_at_quantile(0.99).to_string(),
            format!("{:.2}", row.attempts_per_call()),
            row.doubled.to_string(),
            row.given_up().to_string(),
            format!("{:016x}", row.first_fates),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    println!(
        "{} orders a row. A caller that never heard counts with the time it waited.",
        rows[0].orders
    );
}

/// How many of each fault acted, a line a row.
pub(crate) fn faults(rows: &[Row]) {
    println!("\nfaults injected:");
    for row in rows {
        let mut by_name = BTreeMap::<String, usize>::new();
        for record in row
            .ledger
            .records()
            .iter()
            .filter(|r| r.finding == Finding::Injected)
        {
            *by_name
                .entry(format!("{} {}", record.fault, record.leg))
                .or_default() += 1;
        }
        let line: Vec<String> = by_name
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        println!("{:>27}  {}", row.name, line.join(", "));
    }
}

/// A ledger a row, as JSON lines. What is printed of them.
pub(crate) fn write_ledgers(rows: &[Row], to: &str) -> Result<String> {
    fs::create_dir_all(to)?;
    for (number, row) in rows.iter().enumerate() {
        row.ledger.write_json_lines(File::create(
            Path::new(to).join(format!("{}.jsonl", number + 1)),
        )?)?;
    }
    Ok(format!("{to}/1.jsonl to {}.jsonl, a row each", rows.len()))
}
