//! One row: a stack, its service, its link, its orders.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use murphy_core::{Key, Seed};
use murphy_fault::{Chaos, Ledger, Plan, Record, digest};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;

use crate::payments::Accounts;
use crate::stacks::{self, Attempts, Named};
use crate::wire::Wire;
use crate::workload::{self, PATIENCE};

/// What became of the orders of one stack.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) orders: usize,
    pub(crate) served: usize,
    /// Milliseconds until the caller knew; who never knew counts with the time waited.
    pub(crate) latency: Histogram<u64>,
    pub(crate) doubled: usize,
    pub(crate) accounts: Accounts,
    pub(crate) attempts: Attempts,
    pub(crate) answers: Vec<(u64, Answer)>,
    pub(crate) ledger: Ledger,
    pub(crate) first_fates: u64,
}

/// When an order was placed, when its caller knew, and whether it was good news.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) placed: Instant,
    pub(crate) known: Instant,
    pub(crate) served: bool,
}

impl Row {
    pub(crate) fn success(&self) -> f64 {
        100.0 * self.served as f64 / self.orders as f64
    }

    /// Calls on the link for each order.
    pub(crate) fn attempts_per_call(&self) -> f64 {
        let calls: u64 = self.ledger.summaries().iter().map(|s| s.calls).sum();
        calls as f64 / self.orders as f64
    }

    pub(crate) fn given_up(&self) -> usize {
        self.orders - self.served
    }
}

pub(crate) async fn run(
    stack: Named,
    seed: Seed,
    plan: Plan,
    wire: Wire,
    bar: ProgressBar,
) -> Result<Row> {
    let (accounts, attempts) = (Accounts::default(), Attempts::default());
    let chaos = Chaos::new(seed);
    let wire = wire.to(accounts.clone()).await?;
    let client = (stack.build)(stacks::link(&chaos, wire, attempts.clone()));
    bar.set_prefix(stack.name);

    let schedule = workload::schedule(&plan);
    let armed = chaos.arm(&plan, Duration::from_secs(60))?;
    let start = Instant::now();
    let end = start + schedule.last().copied().unwrap_or_default() + PATIENCE;
    let mut calls = JoinSet::new();
    for (order, at) in (1..).zip(&schedule) {
        let (placed, client) = (start + *at, client.clone());
        calls.spawn(async move {
            sleep_until(placed).await;
            let reply = client.oneshot(stacks::charge(order)).await;
            let served = reply.is_ok_and(|response| response.status().is_success());
            (
                order,
                Answer {
                    placed,
                    known: Instant::now(),
                    served,
                },
            )
        });
    }
    let mut answers = Vec::new();
    while let Ok(Some(answer)) = tokio::time::timeout_at(end, calls.join_next()).await {
        answers.push(answer?);
        bar.inc(1);
        bar.set_message(format!("{} charged twice", accounts.doubled()));
    }
    bar.abandon();
    calls.abort_all();
    let ledger = armed.disarm();

    let mut latency = Histogram::new_with_bounds(1, 600_000, 3)?;
    for (_, answer) in &answers {
        latency.saturating_record((answer.known - answer.placed).as_millis() as u64);
    }
    let mut unanswered: Vec<u64> = (1..=schedule.len() as u64).collect();
    unanswered.retain(|order| !answers.iter().any(|(answered, _)| answered == order));
    for order in unanswered {
        latency
            .saturating_record((end - (start + schedule[order as usize - 1])).as_millis() as u64);
    }
    Ok(Row {
        name: stack.name,
        orders: schedule.len(),
        served: answers.iter().filter(|(_, answer)| answer.served).count(),
        latency,
        doubled: accounts.doubled(),
        accounts,
        attempts,
        answers,
        first_fates: first_fates(&ledger.records(), &in_clear(&plan, &schedule)),
        ledger,
    })
}

/// A digest of what struck first attempts: the same in every row, or the rows cannot be compared.
fn first_fates(records: &[Record], of: &BTreeSet<Key>) -> u64 {
    let first = |record: &&Record| record.occurrence == 0 && of.contains(&record.key);
    digest(records.iter().filter(first))
}

/// The orders that are placed outside of all windows. Within one, a breaker keeps attempts back until
/// the window is over, and they meet another fate: which is what it is for.
fn in_clear(plan: &Plan, schedule: &[Duration]) -> BTreeSet<Key> {
    let windows: Vec<_> = plan
        .faults()
        .iter()
        .filter_map(|(_, f)| f.window())
        .collect();
    let orders = (1_u64..).zip(schedule);
    let clear = |at: &Duration| {
        !windows
            .iter()
            .any(|(from, until)| (from..until).contains(&at))
    };
    let clear = orders.filter(|(_, at)| clear(at));
    clear.map(|(order, _)| Key::from(order)).collect()
}
