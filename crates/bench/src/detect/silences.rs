//! Traces of silences, one a line: recorded ones from files, and three that are drawn. The default was not chosen on
//! the recorded ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use murphy_core::Seed;

use super::chance::Chance;
use super::judge::Outcome;
use super::parallel;
use super::rows::{self, DEFAULT};
use super::verdicts::{Verdicts, grid};
use super::workload::Workload;

/// Mean times to detection, in median silences, counted from arrivals: a trace does not know when beats were sent.
const DETECTIONS: [f64; 4] = [1.5, 2.0, 3.0, 4.0];

/// A name, and silences.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What it is called.
    pub name: String,
    silences: Vec<Duration>,
}

/// Reads traces: files, or folders of files. A line is a number of milliseconds, or one with a unit, such as `1.5s`;
/// empty ones and those that begin with `#` are skipped.
///
/// # Errors
///
/// Names the file, and the line that is none.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Trace>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = fs::read_dir(path).with_context(|| path.display().to_string())?;
            let entries = entries.map(|entry| Ok(entry?.path()));
            let mut inside: Vec<PathBuf> = entries.collect::<Result<_>>()?;
            inside.retain(|path| path.is_file());
            inside.sort();
            files.extend(inside);
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|file| read_file(file)).collect()
}

fn read_file(file: &Path) -> Result<Trace> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut silences = Vec::new();
    for (nth, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            let at = || format!("{}, line {}", file.display(), nth + 1);
            silences.push(parse(line).with_context(at)?);
        }
    }
    if silences.len() < 100 {
        bail!(
            "{}: {} silences are too few to judge, give 100",
            file.display(),
            silences.len()
        );
    }
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok(Trace { name, silences })
}

fn parse(line: &str) -> Result<Duration> {
    let digits = line.find(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E');
    let (number, unit) = line.split_at(digits.unwrap_or(line.len()));
    let scale = match unit.trim() {
        "" | "ms" => 1e-3,
        "s" => 1.0,
        "us" => 1e-6,
        "ns" => 1e-9,
        unit => bail!("`{unit}` is no unit: use s, ms, us or ns"),
    };
    let number: f64 = number
        .trim()
        .parse()
        .with_context(|| format!("`{line}` is no interval"))?;
    Duration::try_from_secs_f64(number * scale).with_context(|| format!("`{line}` is no interval"))
}

/// Silences that are drawn: a heavy tail on a steady beat, a sender that is slow at times, losses in bursts.
#[must_use]
pub fn drawn(seed: Seed, beats: u32) -> Vec<Trace> {
    let trace = |name: &str, silences: Vec<f64>| Trace {
        name: name.to_owned(),
        silences: silences.into_iter().map(Duration::from_secs_f64).collect(),
    };
    let mut chance = Chance::new(seed, "heavy tail");
    let mut before = 0.0;
    let heavy = (1..=beats).map(|n| {
        let late = 0.01 * (1.0 - chance.unit()).powf(-1.0 / 1.5);
        let at = f64::max(f64::from(n) + late, before);
        at - std::mem::replace(&mut before, at)
    });
    let heavy = trace("heavy tail", heavy.collect());

    let mut chance = Chance::new(seed, "slow sender");
    let slow = (0..beats).map(|n| {
        let mean = if n % 20_000 < 15_000 { 0.02 } else { 0.4 };
        1.0 - mean * (1.0 - chance.unit()).ln()
    });
    let slow = trace("slow sender", slow.collect());

    let mut chance = Chance::new(seed, "bursts");
    let (mut bad, mut silence, mut bursts) = (false, 0.0, Vec::new());
    for _ in 0..beats {
        bad = if bad {
            !chance.hits(0.2)
        } else {
            chance.hits(0.002)
        };
        silence += 1.0;
        if !(bad && chance.hits(0.5)) {
            bursts.push(silence + 0.05 * chance.unit());
            silence = 0.0;
        }
    }
    vec![heavy, slow, trace("bursts", bursts)]
}

/// All detectors on each trace: the default makes at most twice the mistakes of the best one.
pub fn measure(traces: &[Trace], verdicts: &mut Verdicts) -> String {
    let rows = rows::all();
    let mut lines = Vec::new();
    for trace in traces {
        let workload = Workload::recorded(&trace.silences);
        let outcomes = parallel::each(rows.len() * DETECTIONS.len(), |nth| {
            let (row, detection) = (nth % rows.len(), nth / rows.len());
            rows::at_detection(&*rows[row], &workload, DETECTIONS[detection])
        });
        let columns: Vec<&[Option<Outcome>]> = outcomes.chunks(rows.len()).collect();
        for (detection, column) in DETECTIONS.iter().zip(&columns) {
            judged(&trace.name, *detection, column, verdicts);
        }
        for (nth, row) in rows.iter().enumerate() {
            let rate = |column: &&[Option<Outcome>]| {
                column[nth].map_or("-".to_owned(), |o| format!("{:.2e}", o.rate()))
            };
            let name = vec![format!("{}, {}", trace.name, row.name())];
            lines.push([name, columns.iter().map(rate).collect()].concat());
        }
    }
    let heading = std::iter::once("mistakes in a median silence".to_owned());
    let heading: Vec<String> = heading
        .chain(DETECTIONS.map(|d| format!("{d} medians")))
        .collect();
    grid(&heading, &lines)
}

fn judged(name: &str, detection: f64, column: &[Option<Outcome>], verdicts: &mut Verdicts) {
    let Some((own, others)) = column.split_last() else {
        return;
    };
    let best = others.iter().flatten().map(|o| o.mistakes).min();
    if let Some((own, best)) = own.zip(best) {
        let best = best as f64;
        // A few mistakes more or less are chance.
        let most = 2.0 * best + 3.0 * (2.0 * best + 1.0).sqrt();
        let figure = format!("detect.silences.mistakes.{detection}");
        let subject = format!("{DEFAULT} on {name}");
        verdicts.expect(
            &figure,
            &subject,
            own.mistakes as f64,
            "mistakes",
            &(0.0..=most),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_interval_in_milliseconds_or_in_its_unit() {
        for (line, want) in [
            ("1000", 1000),
            ("1.5s", 1500),
            ("2e3 ms", 2000),
            ("5000us", 5),
        ] {
            assert_eq!(parse(line).unwrap(), Duration::from_millis(want), "{line}");
        }
        for line in ["", "-1", "NaN", "1 fortnight", "inf"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
