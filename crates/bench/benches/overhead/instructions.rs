//! Instructions and allocations, exact, by gungraun under valgrind's callgrind and DHAT.
//!
//! This process is started once a run by gungraun's runner.

use bench::drive::Run;
use bench::process::ROWS;
use bench::{cases, counts};
use gungraun::prelude::*;
use gungraun::{Dhat, library_benchmark, library_benchmark_group, main};

fn warm((case, calls): (usize, u64)) -> (Run, u64) {
    (counts::warm(&cases::all()[case]), calls)
}

// The run is handed back, so that its end is not counted.
#[library_benchmark]
#[benches::of(iter = counts::runs(&cases::all()), setup = warm)]
fn calls((mut run, calls): (Run, u64)) -> Run {
    run(calls);
    run
}

library_benchmark_group!(name = overhead, benchmarks = calls);

main!(
    config = LibraryBenchmarkConfig::default()
        .pass_through_env(ROWS)
        .tool(Dhat::default()),
    library_benchmark_groups = overhead
);

pub(crate) fn run() {
    main();
}
