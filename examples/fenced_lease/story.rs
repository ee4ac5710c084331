//! Who is stopped where, and what became of the money.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand};
use comfy_table::{Table, presets::ASCII_MARKDOWN};
use examples::process::Process;
use murphy_lease::Locks;
use rustix::process::Signal;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::bank::{BALANCE, Bank};
use crate::stores;
use crate::worker::{Order, Place, Said, TTL};

#[derive(Parser)]
#[command(about = "A lease that expires under its holder", version)]
pub(crate) struct Args {
    /// Where the leases are kept: a server's URL (`redis://`, `postgres://` or `etcd://`); `redis`, `postgres` or `etcd`, which
    /// is then started for the time; or a file of this process.
    #[arg(long, value_name = "STORE", default_value = "file", global = true)]
    pub(crate) store: String,
    /// Write the figures to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

#[derive(Subcommand)]
pub(crate) enum Role {
    /// What this program starts: one that pays in.
    #[command(hide = true)]
    Worker { bank: String },
}

const PLACES: [(Place, &str, &str); 3] = [
    (
        Place::BeforeCheck,
        "stopped before its check",
        "before-check",
    ),
    (Place::AfterCheck, "stopped after its check", "after-check"),
    (
        Place::OnTheWay,
        "its writes delayed on the way",
        "on-the-way",
    ),
];
const FIRST: i64 = 10;
const SECOND: i64 = 5;
const PATIENCE: Duration = Duration::from_secs(20);

/// A worker, and what it says.
struct Player {
    name: &'static str,
    process: Process,
    said: mpsc::Receiver<Said>,
}

struct Story {
    began: Instant,
    /// How long the network takes for a write that is to come late.
    on_the_way: Duration,
    bank: Bank,
    players: [Player; 2],
}

/// What became of one act.
struct Outcome {
    place: Place,
    title: &'static str,
    account: &'static str,
    /// Whether the holder's own check caught it.
    caught: bool,
    refused: bool,
    open: i64,
    fenced: i64,
}

pub(crate) async fn tell(args: Args) -> Result<()> {
    // Refused before anything is done, if it cannot be written later.
    let json = args.json.as_deref().map(File::create).transpose();
    let json = json.context("--json: cannot write there")?;
    let folder = tempfile::tempdir()?;
    let store = stores::serve(&args.store, folder.path()).await?;
    let address = store.address.as_str();
    let bank = Bank::serve(address, &folder.path().join("accounts.redb")).await?;
    // The owner of the accounts opens them, and looks at them in the end, as the holder of the lock.
    let locks = Locks::new(stores::connect(address).await?).ttl(TTL);
    let lease = locks.acquire("accounts").await?;
    for (_, _, account) in PLACES {
        bank.begin(account, lease.token()?).await?;
    }
    lease.release().await?;
    let players = [
        Player::start("worker-1", address, &bank)?,
        Player::start("worker-2", address, &bank)?,
    ];
    let mut story = Story {
        began: Instant::now(),
        on_the_way: stores::outlives(address),
        bank,
        players,
    };
    let mut outcomes = Vec::new();
    for (place, title, account) in PLACES {
        story.line("", &format!("── worker-1: {title}"));
        outcomes.push(story.act(place, title, account).await?);
    }
    let lease = locks.acquire("accounts").await?;
    for outcome in &mut outcomes {
        outcome.fenced = story.bank.fenced(outcome.account, lease.token()?).await?;
    }
    lease.release().await?;
    end(&outcomes, json)
}

impl Player {
    fn start(name: &'static str, store: &str, bank: &Bank) -> Result<Self> {
        let url = format!("http://{}/{name}", bank.address);
        let mut process = Process::start(&["--store", store, "worker", &url])?;
        let (to, said) = mpsc::channel(64);
        process.listen(move |line| to.blocking_send(line).is_ok())?;
        Ok(Self {
            name,
            process,
            said,
        })
    }

    fn order(&mut self, account: &str, amount: i64, wait: Option<Place>) -> Result<()> {
        let account = account.to_owned();
        self.process.tell(&serde_json::to_string(&Order {
            account,
            amount,
            wait,
        })?)
    }
}

impl Story {
    async fn act(
        &mut self,
        place: Place,
        title: &'static str,
        account: &'static str,
    ) -> Result<Outcome> {
        let (mut caught, mut refused) = (false, false);
        if place == Place::OnTheWay {
            self.bank.slow_down(self.on_the_way)?;
        }
        self.players[0].order(account, FIRST, Some(place))?;
        let mut lease = Duration::ZERO;
        self.hear(0, |said| {
            if let Said::Holds { secs, .. } = said {
                lease = Duration::from_secs(*secs);
            }
            match place {
                Place::OnTheWay => matches!(said, Said::Checked(_)),
                _ => matches!(said, Said::Waits(_)),
            }
        })
        .await?;
        if place == Place::OnTheWay {
            let sent = timeout(PATIENCE, self.bank.sent.recv()).await?;
            sent.context("nothing was sent")?;
            self.line("worker-1", "its writes are on their way");
        }
        self.players[0].process.signal(Signal::STOP)?;
        self.line("worker-1", "is stopped");
        let stopped = Instant::now();
        self.players[1].order(account, SECOND, None)?;
        self.hear(1, |said| matches!(said, Said::Done)).await?;
        sleep((2 * lease).saturating_sub(stopped.elapsed())).await;
        if place != Place::OnTheWay {
            self.players[0].process.tell("go on")?;
        }
        self.line(
            "worker-1",
            &format!(
                "is continued, after {:.1} s",
                stopped.elapsed().as_secs_f64()
            ),
        );
        self.players[0].process.signal(Signal::CONT)?;
        self.hear(0, |said| {
            caught |= matches!(said, Said::Checked(Err(_)));
            refused |= matches!(
                said,
                Said::Wrote {
                    fenced: true,
                    refused: Some(_),
                    ..
                }
            );
            matches!(said, Said::Done)
        })
        .await?;
        // Whoever was caught by the check leaves its deposit undone; what was refused was done again.
        while self.bank.sent.try_recv().is_ok() {}
        let open = self.bank.open(account);
        Ok(Outcome {
            place,
            title,
            account,
            caught,
            refused,
            open,
            fenced: 0,
        })
    }

    /// Tells what a worker says, until it says this.
    async fn hear(&mut self, player: usize, mut until: impl FnMut(&Said) -> bool) -> Result<()> {
        loop {
            let Player { name, said, .. } = &mut self.players[player];
            let name = *name;
            let said = timeout(PATIENCE, said.recv()).await;
            let said = said.with_context(|| format!("{name} says nothing any more"))?;
            let said = said.with_context(|| format!("{name} ended"))?;
            let text = match &said {
                Said::HoldsUnfenced => "holds the open account's lock, which has no token".into(),
                Said::Holds { rank, secs } => {
                    format!("holds the fenced account's lock for {secs} s: grant {rank}")
                }
                Said::Read { open, fenced } => {
                    format!("reads {open} from the open account, {fenced} from the fenced one")
                }
                Said::Waits(place) => format!(
                    "is {}",
                    if *place == Place::BeforeCheck {
                        "about to check"
                    } else {
                        "about to write"
                    }
                ),
                Said::Checked(Ok(())) => "checks: it holds both locks".into(),
                Said::Checked(Err(why)) => format!("checks, and gives up: {why}"),
                Said::Wrote {
                    fenced,
                    amount,
                    refused,
                } => {
                    let kind = if *fenced { "fenced" } else { "open" };
                    match refused {
                        None => format!("writes {amount} to the {kind} account"),
                        Some(why) => {
                            format!("writes {amount} to the {kind} account: REFUSED, {why}")
                        }
                    }
                }
                Said::Done => String::new(),
            };
            if !text.is_empty() {
                self.line(name, &text);
            }
            if until(&said) {
                return Ok(());
            }
        }
    }

    fn line(&self, who: &str, text: &str) {
        println!(
            "{:6.2} s  {who:<9} {text}",
            self.began.elapsed().as_secs_f64()
        );
    }
}

fn end(outcomes: &[Outcome], json: Option<File>) -> Result<()> {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "worker-1 was",
        "its own check",
        "open account",
        "fenced account",
    ]);
    for outcome in outcomes {
        let check = if outcome.caught {
            "caught it"
        } else {
            "saw nothing"
        };
        let due = outcome.due();
        let open = match outcome.open {
            open if open == due => format!("{open}, right"),
            open => format!("{open}, CORRUPTED: {due} were paid in"),
        };
        let fenced = match outcome.fenced {
            fenced if fenced == due => format!("{fenced}, right"),
            fenced => format!("{fenced}, CORRUPTED"),
        };
        table.add_row([outcome.title, check, &open, &fenced]);
    }
    println!("\n{table}");
    if let Some(file) = json {
        write(file, outcomes)?;
    }
    for outcome in outcomes {
        let Outcome { place, title, .. } = outcome;
        let before = *place == Place::BeforeCheck;
        ensure!(
            outcome.caught == before,
            "{title}: its own check should have {}",
            if before { "caught it" } else { "seen nothing" }
        );
        ensure!(
            before || outcome.open != outcome.due(),
            "no lesson: {title}, the open account was not corrupted"
        );
        ensure!(
            before || outcome.refused,
            "no lesson: {title}, the fenced account refused nothing"
        );
        if outcome.fenced != outcome.due() {
            bail!(
                "{title}: the fenced account has {} and should have {}",
                outcome.fenced,
                outcome.due()
            );
        }
    }
    Ok(())
}

impl Outcome {
    /// What should be in the account: who was caught did not pay in, and knows it.
    fn due(&self) -> i64 {
        let first = if self.caught { 0 } else { FIRST };
        BALANCE + first + SECOND
    }
}

fn write(mut file: File, outcomes: &[Outcome]) -> Result<()> {
    for outcome in outcomes {
        for (kind, balance) in [("open", outcome.open), ("fenced", outcome.fenced)] {
            let figure = format!(
                "fenced_lease.{}.{kind}.lost",
                outcome.account.replace('-', "_")
            );
            let lost = outcome.due() - balance;
            let note = "money that was paid in and is gone; real processes, real time";
            let line = json!({ "figure": figure, "subject": "murphy", "value": lost, "unit": "money", "note": note });
            writeln!(file, "{line}")?;
        }
    }
    Ok(())
}
