//! Round trips a second of real time, the clock paused, over networks of 2 to 2,000 nodes.

use bench::figure::Figure;
use bench::network::{self, Travel, Trips};
use criterion::measurement::{Measurement, WallTime};

const ROUNDS: usize = 9;

/// What is measured, in one row over several sizes.
struct Row {
    name: &'static str,
    subject: &'static str,
    note: &'static str,
    sizes: &'static [u64],
    load: fn(nodes: u64) -> Trips,
    prepare: fn(Trips) -> Travel,
}

const ROWS: &[Row] = &[
    Row {
        name: "throughput",
        subject: "murphy",
        note: "a ring, every node a client; 1 ms each way, by profile",
        sizes: &[2, 20, 200, 2_000],
        load: |nodes| ring(nodes, 200_000),
        prepare: network::murphy,
    },
    Row {
        name: "throughput_2_clients",
        subject: "murphy",
        note: "the same ring, two clients that use all its links in turn",
        sizes: &[2, 20, 200, 2_000],
        load: |nodes| Trips {
            clients: 2,
            ..ring(nodes, 200_000)
        },
        prepare: network::murphy,
    },
    Row {
        name: "throughput_cut",
        subject: "murphy",
        note: "every node a client, while one that nobody calls is isolated",
        sizes: &[2, 20, 200, 2_000],
        load: |nodes| Trips {
            cut: true,
            ..ring(nodes, 200_000)
        },
        prepare: network::murphy,
    },
    Row {
        name: "throughput",
        subject: "turmoil",
        note: "a ring, every host a client; TCP, 1 ms each way, ticks of 1 ms",
        sizes: &[2, 32, 128, 256],
        // It takes seconds where it is slow: fewer trips.
        load: |nodes| ring(nodes, (40_000 / nodes).clamp(20, 2_000) * nodes),
        prepare: network::turmoil,
    },
];

fn ring(nodes: u64, trips: u64) -> Trips {
    Trips {
        nodes,
        clients: nodes,
        trips,
        cut: false,
    }
}

/// Every size of every row once a round. The second best round counts: neighbours only ever take.
pub(crate) fn measure() -> Vec<Figure> {
    let runs: Vec<_> = ROWS
        .iter()
        .flat_map(|row| row.sizes.iter().map(move |nodes| (row, *nodes)))
        .collect();
    let mut rates = vec![Vec::new(); runs.len()];
    for _ in 0..ROUNDS {
        for (rates, (row, nodes)) in rates.iter_mut().zip(&runs) {
            let load = (row.load)(*nodes);
            let mut travel = (row.prepare)(load);
            let start = WallTime.start();
            travel();
            rates.push(load.trips as f64 / WallTime.end(start).as_secs_f64());
        }
    }
    let mut figures = Vec::new();
    let mut of_two = 0.0;
    for ((row, nodes), rates) in runs.iter().zip(&mut rates) {
        rates.sort_by(f64::total_cmp);
        let (rate, median) = (rates[ROUNDS - 2], rates[ROUNDS / 2]);
        let name = format!("network.{}.{nodes}_nodes", row.name);
        let note = format!(
            "{}; second best of {ROUNDS} rounds, median {median:.0}",
            row.note
        );
        let whole = format!("{name}.trips_per_s");
        figures.push(Figure::new(
            whole,
            row.subject,
            rate.round(),
            "trips/s",
            &note,
        ));
        if *nodes == row.sizes[0] {
            of_two = rate;
        }
        let (ratio, note) = (rate / of_two, "in units of the same with 2 nodes");
        figures.push(Figure::new(
            format!("{name}.by_2_nodes"),
            row.subject,
            ratio,
            "ratio",
            note,
        ));
    }
    figures
}
