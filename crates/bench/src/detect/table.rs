//! All detectors at the same mean time to detection: their mistakes, beside what was published of them.

use std::ops::RangeInclusive;
use std::time::Duration;

use murphy_core::Seed;
use murphy_detect::detector::{Adaptive, Detector, Exponential, Phi};

use super::judge::{Outcome, Told, judge};
use super::parallel;
use super::rows::{self, DEFAULT, Row};
use super::verdicts::{Verdicts, grid};
use super::workload::Workload;

/// A workload, and the mean times to detection that are compared on it.
struct Column {
    workload: &'static str,
    make: fn(Seed, u32) -> Workload,
    beats: u32,
    detections: &'static [f64],
}

const COLUMNS: [Column; 3] = [
    Column {
        workload: "W1",
        make: Workload::chen,
        beats: 4_000_000,
        detections: &[1.1, 2.1, 3.1],
    },
    Column {
        workload: "W2b",
        make: Workload::wan,
        beats: 5_845_713,
        detections: &[0.3, 0.45],
    },
    Column {
        workload: "W3",
        make: Workload::weather,
        beats: 2_000_000,
        detections: &[1.5, 2.0, 3.0, 4.0],
    },
];

/// What was published: mistakes a second in each column, and the longest time to detection in the one of W3 at 2 s.
const PUBLISHED: [(&str, [f64; 9], f64); 9] = [
    (
        "fixed",
        [
            1.89e-2, 2.02e-4, 2.3e-6, 0.126, 1.8e-4, 8.4e-3, 3.6e-3, 4.4e-4, 2.5e-5,
        ],
        3.6,
    ),
    (
        "chen n=1000",
        [
            1.65e-2, 1.81e-4, 2.3e-6, 0.123, 1.1e-4, 1.3e-2, 4.9e-3, 4.8e-4, 3.0e-5,
        ],
        2.1,
    ),
    (
        "chen n=32",
        [
            1.66e-2, 1.83e-4, 2.3e-6, 0.123, 9.8e-5, 7.8e-3, 3.3e-3, 4.3e-4, 2.5e-5,
        ],
        2.4,
    ),
    (
        "two windows 1/1000",
        [
            1.77e-2, 1.92e-4, 2.3e-6, 0.125, 1.4e-4, 8.8e-3, 3.6e-3, 4.5e-4, 2.6e-5,
        ],
        3.6,
    ),
    (
        "bertier",
        [
            6.3e-2, 7.3e-3, 3.4e-3, 0.178, 8.5e-3, 2.0e-3, 1.9e-3, 1.8e-3, 1.7e-3,
        ],
        26.0,
    ),
    (
        "phi n=1000",
        [
            2.1e-2, 3.1e-3, 4.9e-5, 0.129, 1.9e-4, 5.3e-3, 2.1e-3, 9.2e-4, 5.0e-4,
        ],
        5.2,
    ),
    (
        "phi n=100",
        [
            7.3e-2, 3.7e-3, 3.6e-3, 0.147, 1.9e-3, 2.1e-3, 1.7e-3, 1.6e-3, 1.5e-3,
        ],
        10.7,
    ),
    (
        "exponential n=1000",
        [
            1.89e-2, 2.05e-4, 2.3e-6, 0.126, 1.8e-4, 8.2e-3, 3.5e-3, 4.3e-4, 2.4e-5,
        ],
        3.6,
    ),
    (
        "moving 1/16",
        [
            8.7e-2, 6.4e-3, 4.3e-3, 0.174, 6.9e-3, 2.0e-3, 1.8e-3, 1.6e-3, 1.6e-3,
        ],
        20.0,
    ),
];

/// The column of W3 at 2 s, in which the longest times to detection were published.
const LONGEST: usize = 6;
/// Published rates that are apart by less than this factor have no order: they were measured, too.
const APART: f64 = 1.2;

/// Measures all, with every `part`th of the published beats.
pub fn measure(seed: Seed, part: u32, verdicts: &mut Verdicts) -> String {
    let rows = rows::all();
    let (mut columns, mut settings) = (Vec::new(), Vec::new());
    for Column {
        make,
        beats,
        detections,
        ..
    } in COLUMNS
    {
        let workload = make(seed, beats / part);
        let outcomes = parallel::each(rows.len() * detections.len(), |nth| {
            let (row, detection) = (nth % rows.len(), nth / rows.len());
            rows::at_detection(&*rows[row], &workload, detections[detection])
        });
        columns.extend(outcomes.chunks(rows.len()).map(<[_]>::to_vec));
        settings.push(as_they_come(&workload));
    }
    let names: Vec<String> = COLUMNS
        .iter()
        .flat_map(|c| c.detections.iter().map(|d| format!("{} {d}", c.workload)))
        .collect();
    for (nth, column) in columns.iter().enumerate() {
        judged(&names[nth], nth, column, &rows, verdicts);
    }
    let mut text = shown(&names, &columns, &rows, verdicts);
    text += "\n\nas they come (mistakes a second, mean time to detection in seconds)\n";
    text += &grid(
        &["".into(), "W1".into(), "W2b".into(), "W3".into()],
        &transposed(&settings),
    );
    text
}

/// Whether a column is what was published, and the default what was promised.
fn judged(
    name: &str,
    nth: usize,
    column: &[Option<Outcome>],
    rows: &[Box<dyn Row>],
    verdicts: &mut Verdicts,
) {
    let of = |row: &str| {
        rows.iter()
            .position(|r| r.name() == row)
            .and_then(|row| column[row])
    };
    let figure = format!("detect.mistakes.{}", name.to_lowercase().replace(' ', "."));
    let mut best = f64::INFINITY;
    for (row, published, longest) in PUBLISHED {
        let Some(outcome) = of(row) else {
            verdicts
                .off
                .push(format!("{row} does not come to {name} s"));
            continue;
        };
        best = best.min(outcome.rate());
        let accepted = about(published[nth], outcome.watched);
        verdicts.expect(&figure, row, outcome.rate() * 1e6, "mistakes/Ms", &accepted);
        if nth == LONGEST {
            let accepted = longest / 2.0..=longest * 2.0;
            verdicts.expect("detect.longest.w3.2", row, outcome.longest, "s", &accepted);
        }
    }
    for (better, a, _) in PUBLISHED {
        for (worse, b, _) in PUBLISHED {
            if b[nth] < a[nth] * APART {
                continue;
            }
            let Some((a, b)) = of(better).zip(of(worse)) else {
                continue;
            };
            // A few mistakes more or less are chance: two standard errors.
            let error = 2.0 * ((a.mistakes + b.mistakes) as f64).sqrt() / a.watched;
            verdicts.require(a.rate() < b.rate() + error, || {
                format!(
                    "{name}: {better} should make fewer mistakes than {worse}, and made {} and {}",
                    a.mistakes, b.mistakes
                )
            });
        }
    }
    match of(DEFAULT) {
        None => verdicts
            .off
            .push(format!("{DEFAULT} does not come to {name} s")),
        Some(outcome) => {
            let most = 2e6 * best + 3e6 * (2.0 * best / outcome.watched).sqrt();
            verdicts.expect(
                &figure,
                DEFAULT,
                outcome.rate() * 1e6,
                "mistakes/Ms",
                &(0.0..=most),
            );
            // Ten intervals after an arrival, at most.
            let cap = if name.starts_with("W2b") {
                1.03501
            } else {
                10.0
            };
            let patience = format!("{figure}.patience");
            verdicts.expect(&patience, DEFAULT, outcome.patience, "s", &(0.0..=cap));
        }
    }
}

/// A factor of two about a published rate, in mistakes per million seconds, and three standard errors where it is a
/// few mistakes.
fn about(published: f64, watched: f64) -> RangeInclusive<f64> {
    let few = published * watched < 50.0;
    let error = |rate: f64| {
        if few {
            3.0 * (rate / watched).sqrt()
        } else {
            0.0
        }
    };
    let (low, high) = (published / 2.0, published * 2.0);
    (low - error(low)).max(0.0) * 1e6..=(high + error(high)) * 1e6
}

fn shown(
    names: &[String],
    columns: &[Vec<Option<Outcome>>],
    rows: &[Box<dyn Row>],
    verdicts: &mut Verdicts,
) -> String {
    let mut lines = Vec::new();
    for (nth, row) in rows.iter().enumerate() {
        let rate = |column: &Vec<Option<Outcome>>| {
            column[nth].map_or("-".to_owned(), |o| format!("{:.2e}", o.rate()))
        };
        let longest = columns[LONGEST][nth].map_or("-".to_owned(), |o| format!("{:.1}", o.longest));
        lines.push(
            [
                vec![row.name().to_owned()],
                columns.iter().map(rate).collect(),
                vec![longest],
            ]
            .concat(),
        );
    }
    let mut over = vec![format!("{DEFAULT} over the best")];
    for (name, column) in names.iter().zip(columns) {
        let (others, own) = column.split_at(rows.len() - 1);
        let best = others
            .iter()
            .flatten()
            .map(Outcome::rate)
            .fold(f64::INFINITY, f64::min);
        let Some(own) = own[0].filter(|_| best > 0.0) else {
            over.push("-".to_owned());
            continue;
        };
        let ratio = own.rate() / best;
        let figure = format!("detect.over_best.{}", name.to_lowercase().replace(' ', "."));
        verdicts.note(
            &figure,
            DEFAULT,
            ratio,
            "x",
            "mistakes over those of the best detector of the column",
        );
        over.push(format!("{ratio:.2}"));
    }
    lines.push(over);
    let heading = [
        vec!["mistakes a second".to_owned()],
        names.to_vec(),
        vec!["longest, W3 2".to_owned()],
    ];
    grid(&heading.concat(), &lines)
}

/// The presets, as they come: what a workload makes of them.
fn as_they_come(workload: &Workload) -> Vec<(&'static str, String)> {
    fn cell<D: Detector>(detector: &D, workload: &Workload) -> String {
        let outcome = judge(detector, workload, usize::MAX, Told::Outages);
        format!("{:.1e} {:.2}", outcome.rate(), outcome.detection)
    }
    let narrow = Phi::akka()
        .min_deviation(Duration::from_micros(1))
        .expect("a deviation");
    vec![
        ("adaptive", cell(&Adaptive::default(), workload)),
        ("akka", cell(&Phi::akka(), workload)),
        (
            "akka without pause or least deviation",
            cell(&narrow.pause(Duration::ZERO), workload),
        ),
        ("cassandra", cell(&Exponential::cassandra(), workload)),
        ("chitchat", cell(&Exponential::chitchat(), workload)),
    ]
}

fn transposed(columns: &[Vec<(&'static str, String)>]) -> Vec<Vec<String>> {
    let rows = columns.first().map_or(0, Vec::len);
    (0..rows)
        .map(|row| {
            let cells = columns.iter().map(|column| column[row].1.clone());
            std::iter::once(columns[0][row].0.to_owned())
                .chain(cells)
                .collect()
        })
        .collect()
}
