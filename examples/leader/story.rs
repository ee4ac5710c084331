//! What is done to whom, and who led then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use examples::process::Process;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::node::Said;
use crate::wire::{LEASE, NAMES, election};

#[derive(Parser)]
#[command(about = "Five processes, and one leader at a time", version)]
pub(crate) struct Args {
    /// Write the figures to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

#[derive(Subcommand)]
pub(crate) enum Role {
    /// What this program starts: one that votes, and stands.
    #[command(hide = true)]
    Node {
        name: String,
        folder: PathBuf,
        ports: Vec<u16>,
        /// It was never started before: it may found its record.
        #[arg(long)]
        first: bool,
    },
}

/// No step takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody said something, or the voters have a new leader.
enum News {
    Node(usize, Said),
    Seen { term: u64, leader: Option<String> },
}

struct Story {
    began: Instant,
    folder: TempDir,
    ports: Vec<String>,
    nodes: Vec<Option<Process>>,
    to: mpsc::Sender<News>,
    news: mpsc::Receiver<News>,
    /// Who led in each term.
    terms: BTreeMap<u64, usize>,
    /// Who has a record, and votes.
    voters: BTreeSet<usize>,
    /// Who believes to lead now, and in which term.
    believers: BTreeMap<usize, u64>,
}

pub(crate) async fn tell(json: Option<PathBuf>) -> Result<()> {
    // Refused before anything is done, if it cannot be written later.
    let json = json
        .map(File::create)
        .transpose()
        .context("--json: cannot write there")?;
    let ports = free_ports()?;
    let (to, news) = mpsc::channel(256);
    watch(&ports, to.clone())?;
    let mut story = Story {
        began: Instant::now(),
        folder: tempfile::tempdir()?,
        ports: ports.iter().map(ToString::to_string).collect(),
        nodes: NAMES.iter().map(|_| None).collect(),
        to,
        news,
        terms: BTreeMap::new(),
        voters: BTreeSet::new(),
        believers: BTreeMap::new(),
    };
    for node in 0..NAMES.len() {
        story.start(node, &["--first"])?;
    }
    // Whoever is killed before it has founded its record would have to be started as new once more.
    story.until_all_vote().await?;
    let first = story.leader_after(0).await?;

    let began = Instant::now();
    story.kill(first.node)?;
    let second = story.leader_after(first.term).await?;
    let replaced = began.elapsed();
    story.start(first.node, &[])?;

    let began = Instant::now();
    story.signal(second.node, Signal::STOP, "is stopped")?;
    let third = story.leader_after(second.term).await?;
    let overtaken = began.elapsed();
    story.signal(second.node, Signal::CONT, "goes on")?;
    let knew = story.until_lost(second.node).await?;

    let mut killed = Vec::new();
    for node in (0..NAMES.len()).filter(|node| *node != third.node).take(3) {
        story.kill(node)?;
        killed.push(node);
    }
    story.until_lost(third.node).await?;
    let led = story.nobody_leads_for(3 * LEASE.get()).await?;
    ensure!(!led, "two of five had a leader");
    let back = *killed.first().context("nobody was killed")?;
    let began = Instant::now();
    story.start(back, &[])?;
    let last = story.leader_after(third.term).await?;
    let healed = began.elapsed();

    println!(
        "\na leader that was killed was replaced after {:.2} s, one that was stopped after {:.2} s",
        replaced.as_secs_f64(),
        overtaken.as_secs_f64()
    );
    println!(
        "who was stopped knew it {:.0} ms after it went on; with a majority back, there was a leader after {:.2} s",
        knew.as_secs_f64() * 1e3,
        healed.as_secs_f64()
    );
    println!(
        "terms: {}",
        story
            .terms
            .iter()
            .map(|(term, node)| format!("{term} {}", NAMES[*node]))
            .collect::<Vec<_>>()
            .join(", ")
    );
    ensure!(last.term > third.term, "a term did not rise");
    if let Some(file) = json {
        write(
            file,
            &[
                ("leader.killed_replaced_s", replaced),
                ("leader.stopped_replaced_s", overtaken),
                ("leader.stopped_knew_s", knew),
                ("leader.healed_s", healed),
            ],
        )?;
    }
    Ok(())
}

struct Led {
    node: usize,
    term: u64,
}

impl Story {
    fn start(&mut self, node: usize, flags: &[&str]) -> Result<()> {
        let folder = self.folder.path().display().to_string();
        let mut arguments = vec!["node", NAMES[node], folder.as_str()];
        arguments.extend(self.ports.iter().map(String::as_str));
        arguments.extend(flags);
        let mut process = Process::start(&arguments)?;
        let to = self.to.clone();
        process.listen(move |said| to.blocking_send(News::Node(node, said)).is_ok())?;
        self.nodes[node] = Some(process);
        self.line(NAMES[node], "is started");
        Ok(())
    }

    fn kill(&mut self, node: usize) -> Result<()> {
        let process = self.nodes[node].take().context("it is gone already")?;
        self.believers.remove(&node);
        self.line(NAMES[node], "is killed");
        process.signal(Signal::KILL)
    }

    fn signal(&mut self, node: usize, signal: Signal, deed: &str) -> Result<()> {
        self.line(NAMES[node], deed);
        self.nodes[node]
            .as_ref()
            .context("it is gone")?
            .signal(signal)
    }

    /// The next leader after this term.
    async fn leader_after(&mut self, term: u64) -> Result<Led> {
        let end = Instant::now() + PATIENCE;
        loop {
            let leader = self.believers.iter().find(|(_, led)| **led > term);
            if let Some((node, term)) = leader {
                return Ok(Led {
                    node: *node,
                    term: *term,
                });
            }
            let heard = self.hear(end).await?;
            ensure!(heard, "nobody was elected after term {term}");
        }
    }

    async fn until_all_vote(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.voters.len() < NAMES.len() {
            ensure!(self.hear(end).await?, "not all have come to vote");
        }
        Ok(())
    }

    async fn until_lost(&mut self, node: usize) -> Result<Duration> {
        let began = Instant::now();
        while self.believers.contains_key(&node) {
            let heard = self.hear(began + PATIENCE).await?;
            ensure!(heard, "{} does not know that it was replaced", NAMES[node]);
        }
        Ok(began.elapsed())
    }

    /// Whether somebody led all the same.
    async fn nobody_leads_for(&mut self, time: Duration) -> Result<bool> {
        let terms = self.terms.len();
        let end = Instant::now() + time;
        while self.hear(end).await? {}
        if self.terms.len() == terms {
            self.line(
                "",
                &format!("two of five elect nobody, for {} s", time.as_secs()),
            );
        }
        Ok(self.terms.len() > terms)
    }

    /// Takes one piece of news; none before the end.
    async fn hear(&mut self, end: Instant) -> Result<bool> {
        let Ok(news) = timeout_at(end, self.news.recv()).await else {
            return Ok(false);
        };
        match news.context("nobody speaks any more")? {
            News::Node(node, Said::Votes) => {
                self.voters.insert(node);
            }
            News::Node(node, Said::Leads(term)) => {
                self.line(NAMES[node], &format!("leads in term {term}"));
                if let Some(other) = self.terms.insert(term, node) {
                    ensure!(
                        other == node,
                        "two leaders in term {term}: {} and {}",
                        NAMES[other],
                        NAMES[node]
                    );
                }
                let highest = self.terms.keys().next_back();
                ensure!(highest == Some(&term), "term {term} came after {highest:?}");
                self.believers.insert(node, term);
            }
            News::Node(node, Said::Lost(term, why)) => {
                self.line(
                    NAMES[node],
                    &format!("does not lead any more, in term {term}: {why}"),
                );
                self.believers.remove(&node);
            }
            News::Seen {
                term,
                leader: Some(leader),
            } => {
                self.line(
                    "voters",
                    &format!("say that {leader} leads, in term {term}"),
                );
            }
            News::Seen { term, leader: None } => {
                self.line(
                    "voters",
                    &format!("say that nobody leads, after term {term}"),
                );
            }
        }
        Ok(true)
    }

    fn line(&self, who: &str, text: &str) {
        println!(
            "{:6.2} s  {who:<7} {text}",
            self.began.elapsed().as_secs_f64()
        );
    }
}

/// What one sees that does not stand.
fn watch(ports: &[u16], to: mpsc::Sender<News>) -> Result<()> {
    let mut observer = election("observer", ports)?
        .observe()
        .every(Duration::from_millis(100));
    tokio::spawn(async move {
        loop {
            let seen = observer.changed().await;
            let leader = seen.id.map(|id| id.to_string());
            if to
                .try_send(News::Seen {
                    term: seen.term,
                    leader,
                })
                .is_err()
            {
                return;
            }
        }
    });
    Ok(())
}

/// Ports that nobody uses at this moment.
fn free_ports() -> Result<Vec<u16>> {
    let listeners = NAMES.map(|_| TcpListener::bind(("127.0.0.1", 0)));
    let ports = listeners.map(|listener| Ok(listener?.local_addr()?.port()));
    ports.into_iter().collect()
}

fn write(mut file: File, times: &[(&str, Duration)]) -> Result<()> {
    for (figure, took) in times {
        let note = "five processes over HTTP on loopback, a lease of 1 s; real time";
        let line = json!({ "figure": figure, "subject": "murphy", "value": took.as_secs_f64(), "unit": "s", "note": note });
        writeln!(file, "{line}")?;
    }
    Ok(())
}
