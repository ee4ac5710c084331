//! Reading a ledger back.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

use super::{Header, LEDGER_VERSION, Record, Summary};
use crate::book::Finding;
use crate::event::Event;
use crate::link::OURS;
use crate::plan::Plan;
use crate::select::{Script, ScriptPoint, Select};

/// The longest line that is read: a header holds a whole plan.
const LONGEST_LINE: u64 = 16 << 20;

/// A ledger that was read, or taken from a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Transcript {
    /// Seed, grade and plan.
    pub header: Header,
    /// What was done to the network and to nodes, in order.
    pub events: Vec<Event>,
    /// The records, in order.
    pub records: Vec<Record>,
    /// The counters, a line a site.
    pub summaries: Vec<Summary>,
    /// Records that the run's bound cost.
    pub overflowed: u64,
    /// Whether the last line was there. Without it, the writer was cut off.
    pub whole: bool,
}

/// A ledger that cannot be read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadLedger {
    /// The file could not be read.
    #[error("ledger, line {line}: {source}")]
    Io {
        /// Counted from 1.
        line: usize,
        /// What went wrong.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("ledger, line {line}: {problem}: `{text}`; {remedy}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Its first 80 characters.
        text: String,
        /// What is wrong with it.
        problem: String,
        /// What would be right.
        remedy: &'static str,
    },
    /// The ledger is of another version.
    #[error(
        "ledger: version {found}, but this program reads version {LEDGER_VERSION}: use the release that wrote it"
    )]
    Version {
        /// The one found.
        found: u64,
    },
    /// Records were lost to the bound of the run.
    #[error(
        "ledger: {lost} records found no room, so the run cannot be replayed: raise `limits.ledger` in the plan and run again"
    )]
    Overflowed {
        /// How many.
        lost: u64,
    },
    /// A record names a fault that the header's plan does not have.
    #[error(
        "ledger: record {record} names fault `{fault}` at site `{site}`, which the plan in the header does not have"
    )]
    Stray {
        /// Its index among the records.
        record: usize,
        /// The site named.
        site: String,
        /// The fault named.
        fault: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Event(Event),
    Record(Box<Record>),
    Summary(Summary),
    End(End),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    records: usize,
    #[serde(default)]
    events: usize,
    overflowed: u64,
}

impl Transcript {
    /// Reads what [`write_json_lines`](Self::write_json_lines) wrote.
    ///
    /// # Errors
    ///
    /// [`BadLedger`] names the line. Nothing is skipped: a line that is no record is refused.
    pub fn read_json_lines(from: impl Read) -> Result<Self, BadLedger> {
        let mut from = io::BufReader::new(from);
        let mut number = 0;
        let first = next_line(&mut from, &mut number)?.unwrap_or_default();
        let header = parse_header(&first)?;
        let mut transcript = Self {
            header,
            events: Vec::new(),
            records: Vec::new(),
            summaries: Vec::new(),
            overflowed: 0,
            whole: false,
        };
        while let Some(line) = next_line(&mut from, &mut number)? {
            if line.trim().is_empty() {
                continue;
            }
            if transcript.whole {
                return Err(bad(
                    number,
                    &line,
                    "nothing may follow the last line",
                    "one file holds one ledger",
                ));
            }
            match parse_line(number, &line)? {
                Line::Event(event) => transcript.events.push(event),
                Line::Record(record) => transcript.records.push(*record),
                Line::Summary(summary) => transcript.summaries.push(summary),
                Line::End(end)
                    if (end.records, end.events)
                        != (transcript.records.len(), transcript.events.len()) =>
                {
                    let problem = format!(
                        "says {} records and {} events, but {} and {} were read",
                        end.records,
                        end.events,
                        transcript.records.len(),
                        transcript.events.len()
                    );
                    return Err(bad(
                        number,
                        &line,
                        &problem,
                        "lines are missing: use the file as it was written",
                    ));
                }
                Line::End(end) => {
                    transcript.overflowed = end.overflowed;
                    transcript.whole = true;
                }
            }
        }
        Ok(transcript)
    }

    /// Writes the transcript as JSON lines.
    ///
    /// # Errors
    ///
    /// What `to` fails with.
    pub fn write_json_lines(&self, to: impl Write) -> io::Result<()> {
        let mut to = io::BufWriter::new(to);
        write_line(&mut to, &self.header)?;
        self.events
            .iter()
            .try_for_each(|e| write_line(&mut to, e))?;
        self.records
            .iter()
            .try_for_each(|r| write_line(&mut to, r))?;
        self.summaries
            .iter()
            .try_for_each(|s| write_line(&mut to, s))?;
        if self.whole {
            write_line(
                &mut to,
                &End {
                    records: self.records.len(),
                    events: self.events.len(),
                    overflowed: self.overflowed,
                },
            )?;
        }
        to.flush()
    }

    /// A plan that injects just what was injected here, call by call: each fault keeps its name
    /// and effect, and its selection becomes a script. Limits and halt conditions stay behind. The plan's
    /// disturbances come along; what was done to network and nodes *by hand* (see
    /// [`events`](Self::events)) and the profiles of links are code, and stay in the code.
    ///
    /// # Errors
    ///
    /// [`BadLedger::Overflowed`] if records are missing, [`BadLedger::Stray`] if one names a fault
    /// that the plan does not have.
    pub fn to_plan(&self) -> Result<Plan, BadLedger> {
        if self.overflowed > 0 {
            return Err(BadLedger::Overflowed {
                lost: self.overflowed,
            });
        }
        let mut points: Vec<Vec<ScriptPoint>> = vec![Vec::new(); self.header.plan.faults().len()];
        for (index, record) in self.records.iter().enumerate() {
            if !matches!(record.finding, Finding::Injected | Finding::Masked) {
                continue;
            }
            // What a link did is no fault of the plan: it comes again by its profile, or when
            // the network is disturbed again.
            if record.fault.starts_with(OURS) {
                continue;
            }
            let rule = self
                .header
                .plan
                .position(&record.site, &record.fault)
                .ok_or_else(|| BadLedger::Stray {
                    record: index,
                    site: record.site.clone(),
                    fault: record.fault.clone(),
                })?;
            points[rule].push(ScriptPoint {
                key: record.key,
                occurrence: record.occurrence,
                magnitude: record.magnitude,
            });
        }
        let mut points = points.into_iter();
        Ok(self.header.plan.scripted(self.header.seed, |_| {
            let points = points.next().unwrap_or_default();
            (!points.is_empty()).then(|| Select::Script(Script::new(points)))
        }))
    }
}

fn next_line(from: &mut impl BufRead, number: &mut usize) -> Result<Option<String>, BadLedger> {
    *number += 1;
    let line = *number;
    let mut bytes = Vec::new();
    from.by_ref()
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut bytes)
        .map_err(|source| BadLedger::Io { line, source })?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() as u64 == LONGEST_LINE {
        return Err(bad(
            line,
            &String::from_utf8_lossy(&bytes[..80]),
            "the line is over 16 MiB",
            "no line of a ledger is",
        ));
    }
    String::from_utf8(bytes).map(Some).map_err(|e| {
        let text = String::from_utf8_lossy(e.as_bytes()).into_owned();
        bad(line, &text, "not UTF-8", "a ledger is JSON, a value a line")
    })
}

fn parse_header(text: &str) -> Result<Header, BadLedger> {
    const REMEDY: &str = "the first line is the header that the ledger was written with";
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|e| bad(1, text, &e.to_string(), REMEDY))?;
    match value.get("ledger").and_then(serde_json::Value::as_u64) {
        Some(found) if found != u64::from(LEDGER_VERSION) => {
            return Err(BadLedger::Version { found });
        }
        _ => {}
    }
    serde_json::from_value(value).map_err(|e| bad(1, text, &e.to_string(), REMEDY))
}

fn parse_line(number: usize, text: &str) -> Result<Line, BadLedger> {
    const REMEDY: &str = "a line is an event, a record, a summary or the end, as they were written";
    let told = |e: serde_json::Error| bad(number, text, &e.to_string(), REMEDY);
    // An untagged enum would hide what is wrong with the line: look at what it means to be.
    let value: serde_json::Value = serde_json::from_str(text).map_err(told)?;
    if value.get("verb").is_some() {
        serde_json::from_value(value).map(Line::Event).map_err(told)
    } else if value.get("finding").is_some() {
        serde_json::from_value(value)
            .map(Line::Record)
            .map_err(told)
    } else if value.get("calls").is_some() {
        serde_json::from_value(value)
            .map(Line::Summary)
            .map_err(told)
    } else {
        serde_json::from_value(value).map(Line::End).map_err(told)
    }
}

fn write_line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

fn bad(line: usize, text: &str, problem: &str, remedy: &'static str) -> BadLedger {
    BadLedger::Line {
        line,
        text: text.trim_end().chars().take(80).collect(),
        problem: problem.to_string(),
        remedy,
    }
}
