//! What is done to whom, and what the observer made of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand};
use examples::process::Process;
use rustix::process::Signal;
use serde_json::json;
use tokio::time::Instant;

use crate::observer::{Kind, Said};
use crate::screen::Screen;

#[derive(Parser)]
#[command(
    about = "Five processes, and one that has to know who is alive",
    version
)]
pub(crate) struct Args {
    /// Write the figures to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

#[derive(Subcommand)]
pub(crate) enum Role {
    /// What this program starts: the one that has to know.
    #[command(hide = true)]
    Observer,
    /// What this program starts: one that beats.
    #[command(hide = true)]
    Node { name: String, port: u16 },
}

const NAMES: [&str; 5] = ["node-1", "node-2", "node-3", "node-4", "node-5"];
const KILLED: &str = "node-2";
const STOPPED: &str = "node-4";
const OBSERVER: &str = "observer";
const RUNS: &str = "runs";

/// When what is done.
const SCRIPT: [(u64, Deed); 5] = [
    (2_500, Deed::Kill(KILLED)),
    (6_000, Deed::Stop(STOPPED)),
    (10_000, Deed::Continue(STOPPED)),
    (12_000, Deed::Stop(OBSERVER)),
    (16_000, Deed::Continue(OBSERVER)),
];
const END: Duration = Duration::from_secs(19);

#[derive(Clone, Copy)]
enum Deed {
    Kill(&'static str),
    Stop(&'static str),
    Continue(&'static str),
}

/// What really became of whom, and what was said of it.
struct Story {
    began: Instant,
    screen: Screen,
    processes: BTreeMap<&'static str, Process>,
    truth: BTreeMap<&'static str, &'static str>,
    done: BTreeMap<(&'static str, &'static str), Duration>,
    beliefs: BTreeMap<String, String>,
    heard: Vec<(Duration, Kind, Option<String>)>,
    /// Of nodes that ran.
    false_deaths: usize,
}

pub(crate) fn tell() -> Result<()> {
    let args = Args::parse();
    // Refused before anything is done, if it cannot be written later.
    let json = args.json.as_deref().map(File::create).transpose();
    let json = json.context("--json: cannot write there")?;
    let (sender, said) = channel();
    let mut observer = Process::start(&["observer"])?;
    observer.listen(move |said| sender.send(said).is_ok())?;
    let port = match said.recv_timeout(Duration::from_secs(10)) {
        Ok(Said::Port(port)) => port.to_string(),
        other => bail!("no port of the observer, but {other:?}"),
    };
    let mut processes = BTreeMap::from([(OBSERVER, observer)]);
    for name in NAMES {
        processes.insert(name, Process::start(&["node", name, &port])?);
    }
    let mut story = Story {
        began: Instant::now(),
        screen: Screen::new(),
        truth: processes.keys().map(|name| (*name, RUNS)).collect(),
        processes,
        done: BTreeMap::new(),
        beliefs: BTreeMap::new(),
        heard: Vec::new(),
        false_deaths: 0,
    };
    for (at, deed) in SCRIPT {
        story.listen(&said, Duration::from_millis(at))?;
        story.act(deed)?;
    }
    story.listen(&said, END)?;
    story.end(json)
}

impl Story {
    fn act(&mut self, deed: Deed) -> Result<()> {
        let (name, signal, verb, truth) = match deed {
            Deed::Kill(name) => (name, Signal::KILL, "killed", "was killed"),
            Deed::Stop(name) => (name, Signal::STOP, "stopped", "stands still"),
            Deed::Continue(name) => (name, Signal::CONT, "continued", RUNS),
        };
        let process = self.processes.get(name).context("an unknown process")?;
        process.signal(signal)?;
        let at = self.began.elapsed();
        self.truth.insert(name, truth);
        self.done.insert((name, verb), at);
        self.screen.line(at, &format!("--- {name} is {verb}"));
        Ok(())
    }

    fn listen(&mut self, said: &Receiver<Said>, until: Duration) -> Result<()> {
        loop {
            let left = until.saturating_sub(self.began.elapsed());
            match said.recv_timeout(left.min(Duration::from_millis(200))) {
                Ok(Said::Event { kind, node, text }) => {
                    let at = self.began.elapsed();
                    let line = format!("{} {text}", node.as_deref().unwrap_or_default());
                    self.screen.line(at, line.trim());
                    let runs = |node: &String| self.truth.get(node.as_str()) == Some(&RUNS);
                    let is_false = kind == Kind::Down && node.as_ref().is_some_and(runs);
                    self.false_deaths += usize::from(is_false);
                    self.heard.push((at, kind, node));
                }
                Ok(Said::Beliefs(beliefs)) => self.beliefs = beliefs.into_iter().collect(),
                Ok(Said::Port(_)) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("the observer ended"),
            }
            let nobody = "-".to_owned();
            let row = |name| {
                let believed = self.beliefs.get(name).unwrap_or(&nobody);
                [name, self.truth[name], believed.as_str()]
            };
            let rows: Vec<[&str; 3]> = self.truth.keys().map(|name| row(*name)).collect();
            self.screen.draw(&rows);
            if self.began.elapsed() >= until {
                return Ok(());
            }
        }
    }

    /// How long after a deed something was heard of its object.
    fn after(&self, name: &'static str, verb: &'static str, kind: Kind) -> Option<Duration> {
        let done = self.done.get(&(name, verb))?;
        let is_it = |(at, heard, node): &&(Duration, Kind, Option<String>)| {
            at > done && *heard == kind && node.as_deref() == Some(name)
        };
        Some(self.heard.iter().find(is_it)?.0 - *done)
    }

    fn end(self, json: Option<File>) -> Result<()> {
        let killed = self.after(KILLED, "killed", Kind::Down);
        let stopped = self.after(STOPPED, "stopped", Kind::Down);
        let back = self.after(STOPPED, "continued", Kind::Up);
        let noticed = self.heard.iter().any(|(_, kind, _)| *kind == Kind::Paused);
        let false_deaths = self.false_deaths;
        println!();
        for (what, took) in [
            ("the killed node was found dead", killed),
            ("the stopped node was taken for dead", stopped),
            ("the continued node was alive again", back),
        ] {
            match took {
                Some(took) => println!("{what} after {:.2} s", took.as_secs_f64()),
                None => println!("{what}: never"),
            }
        }
        println!("false deaths from the observer's own pause: {false_deaths}");
        if let Some(file) = json {
            let figures = [
                ("heartbeat.killed_found_s", killed),
                ("heartbeat.stopped_found_s", stopped),
                ("heartbeat.back_s", back),
            ];
            write(file, &figures, false_deaths)?;
        }
        ensure!(killed.is_some(), "no lesson: the killed node was not found");
        ensure!(
            stopped.is_some(),
            "no lesson: the stopped node was not found"
        );
        ensure!(
            back.is_some(),
            "no lesson: the stopped node did not come back"
        );
        ensure!(noticed, "no lesson: the observer did not notice its pause");
        ensure!(false_deaths == 0, "the observer's pause killed somebody");
        Ok(())
    }
}

fn write(mut file: File, times: &[(&str, Option<Duration>)], false_deaths: usize) -> Result<()> {
    let seconds = times
        .iter()
        .filter_map(|(figure, took)| Some((*figure, (*took)?.as_secs_f64(), "s")));
    let deaths = ("heartbeat.false_deaths", false_deaths as f64, "nodes");
    for (figure, value, unit) in seconds.chain([deaths]) {
        let note = "real processes, real time";
        let line = json!({ "figure": figure, "subject": "murphy", "value": value, "unit": unit, "note": note });
        writeln!(file, "{line}")?;
    }
    Ok(())
}
