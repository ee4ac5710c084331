//! The same storm under many seeds: without sockets, in virtual time.

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{MultiProgress, ProgressDrawTarget};
use murphy_core::Seed;
use murphy_fault::Plan;

use crate::row::Row;
use crate::wire::Wire;

/// Looks for the lesson under each of `count` seeds, from `first` on, and stops where it does not appear.
pub(crate) fn run(first: Seed, count: u32, plan: &Plan) -> Result<()> {
    println!("murphy storm, seeds {first} and on, in virtual time\n");
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    for n in 0..u64::from(count) {
        let seed = Seed::new(first.bits().wrapping_add(n));
        let rows = storm(seed, plan)?;
        if n == 0 {
            let names = rows.iter().map(|row| row.name);
            table.set_header(["seed"].into_iter().chain(names));
        }
        table.add_row(std::iter::once(seed.to_string()).chain(rows.iter().map(cell)));
        crate::lesson(&rows).with_context(|| format!("seed {seed}\n{table}"))?;
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}\nsuccess, and how many orders were charged twice");
    println!(
        "\nUnder each of {count} seeds, orders that are placed outside of the outage meet the same fates in all rows, \
         nobody who\nhas a key is charged twice, and the last row's success is the best."
    );
    Ok(())
}

fn cell(row: &Row) -> String {
    format!("{:.1} %, {}", row.success(), row.doubled)
}

fn storm(seed: Seed, plan: &Plan) -> Result<Vec<Row>> {
    let silent = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(crate::storm(
        seed,
        &plan.clone().seed(seed),
        Wire::Calls,
        &silent,
    ))
}
