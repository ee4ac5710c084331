//! The table of faults: one set of expectations for every stack and every transport.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use murphy_core::{Distribution, Probability};
use murphy_fault::{Chaos, Fault, Finding, Leg, Outcome, Plan, Record, Select, TimeLimit};
use tokio::time::{Instant, timeout};
use tower::{Service, ServiceExt};

use crate::{Arrivals, ms, quiet};

/// The site that each row's fault is at.
pub const SITE: &str = "api->payments";

const ALWAYS: Probability = Probability::ALWAYS;
/// How long a request is on its way that is slow.
const SLOW: Duration = ms(30);
/// When the neighbour calls that passes a held message.
const NEIGHBOUR: Duration = ms(30);
/// How long a caller waits for what will not come, and for what will.
const IMPATIENT: Duration = ms(150);
const PATIENT: Duration = ms(20_000);

/// What the caller saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saw {
    /// A reply: so much was charged.
    Reply(u64),
    /// The refusal, with its marker.
    Refusal,
    /// Nothing, until its own deadline.
    Silence,
}

/// How a row calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// Once, and waits.
    Once,
    /// Once, and leaves after the first poll: the service has hardly begun.
    Left,
    /// Once, and a neighbour calls while it waits.
    WithNeighbour,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What goes wrong with order 7.
    pub fault: Fault,
    /// How it is called.
    pub called: Called,
    /// The sevens that the service served, altered ones included.
    pub runs: &'static [u64],
    /// What the caller saw.
    pub saw: Saw,
    /// How long that took at least.
    pub at_least: Duration,
    /// Kind, leg and outcome in the ledger.
    pub line: (&'static str, Leg, Outcome),
}

/// The table. Each fault of the contract, by leg.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Called::{Left, Once, WithNeighbour};
    use Leg::{Reply, Request};
    use Outcome::{Delivered, NeverRan, Ran, Refused};
    use Saw::{Refusal, Silence};

    let slow = || Distribution::fixed(SLOW);
    let held = |leg| Fault::reorder(leg, 1, PATIENT, Select::First(1));
    let (seven, zero) = (Saw::Reply(7), Duration::ZERO);
    let row = |name, fault, called, runs, saw, at_least, line| Row {
        name,
        fault,
        called,
        runs,
        saw,
        at_least,
        line,
    };
    #[rustfmt::skip]
    let rows = vec![
        row("slow wire", Fault::latency(slow(), ALWAYS), Once, &[7], seven, SLOW, ("latency", Request, Delivered)),
        row("slow server", Fault::slow_server(slow(), ALWAYS), Once, &[7], seven, SLOW, ("latency", Request, Delivered)),
        row("slow reply", Fault::slow_reply(slow(), ALWAYS), Once, &[7], seven, SLOW, ("latency", Reply, Delivered)),
        row("lost request", Fault::lost_request(ALWAYS), Once, &[], Silence, IMPATIENT, ("loss", Request, NeverRan)),
        row("lost request, given up", Fault::lost_request(ALWAYS).giving_up(SLOW), Once, &[], Refusal, SLOW, ("loss", Request, NeverRan)),
        row("lost reply", Fault::lost_reply(ALWAYS), Once, &[7], Silence, IMPATIENT, ("loss", Reply, Ran)),
        row("lost reply, caller leaves", Fault::lost_reply(ALWAYS), Left, &[7], Silence, zero, ("loss", Reply, Ran)),
        row("lost reply, given up", Fault::lost_reply(ALWAYS).giving_up(SLOW), Once, &[7], Refusal, SLOW, ("loss", Reply, Ran)),
        row("refused", Fault::refused(ALWAYS), Once, &[], Refusal, zero, ("refuse", Request, Refused)),
        row("refused after work", Fault::refused_after_work(ALWAYS), Once, &[7], Refusal, zero, ("refuse", Reply, Refused)),
        row("refused after work, caller leaves", Fault::refused_after_work(ALWAYS), Left, &[7], Silence, zero, ("refuse", Reply, Ran)),
        row("duplicate", Fault::duplicate(slow(), ALWAYS), Once, &[7, 7], seven, zero, ("duplicate", Request, Ran)),
        row("duplicate, last", Fault::duplicate(slow(), ALWAYS).keeping_last(), Once, &[7, 7], Saw::Reply(17), SLOW, ("duplicate", Request, Ran)),
        row("reordered request", held(Request), WithNeighbour, &[7], seven, NEIGHBOUR, ("reorder", Request, Delivered)),
        row("reordered reply", held(Reply), WithNeighbour, &[7], seven, NEIGHBOUR, ("reorder", Reply, Delivered)),
        row("altered request", Fault::altered_request(ALWAYS), Once, &[107], Saw::Reply(107), zero, ("alter", Request, Delivered)),
        row("altered reply", Fault::altered_reply(ALWAYS), Once, &[7], Saw::Reply(1007), zero, ("alter", Reply, Delivered)),
    ];
    rows
}

impl Row {
    /// Whether it is of one of these kinds.
    #[must_use]
    pub fn is(&self, kinds: &[&str]) -> bool {
        kinds.contains(&self.fault.effect().kind())
    }

    /// How long the caller waits.
    fn patience(&self) -> Duration {
        match self.saw {
            Saw::Silence => IMPATIENT,
            _ => PATIENT,
        }
    }
}

/// Arms each row in turn and calls `service`, which has a layer of [`SITE`] in it: how often it
/// ran, what the caller saw, and the ledger's line.
///
/// # Panics
///
/// If a row does not hold.
pub async fn each_row_holds<S, Req>(
    rows: impl IntoIterator<Item = Row>,
    chaos: &Chaos,
    service: S,
    arrivals: &Arrivals,
    ask: impl Fn(u64) -> Req,
    saw: impl Fn(Result<S::Response, S::Error>) -> Saw,
) where
    S: Service<Req> + Clone,
{
    for row in rows {
        let name = row.name;
        let plan = Plan::new().with(SITE, row.fault.clone());
        let armed = chaos.arm(&plan, TimeLimit::None).expect(name);
        let start = Instant::now();
        let call = async {
            let call = service.clone().oneshot(ask(7));
            let reply = match row.called {
                Called::Left => poll_once(call).await,
                _ => timeout(row.patience(), call).await.ok(),
            };
            (reply.map_or(Saw::Silence, &saw), start.elapsed())
        };
        let neighbour = async {
            if row.called == Called::WithNeighbour {
                tokio::time::sleep(NEIGHBOUR).await;
                let reply = timeout(PATIENT, service.clone().oneshot(ask(8))).await;
                assert_eq!(reply.map_or(Saw::Silence, &saw), Saw::Reply(8), "{name}");
            }
        };
        let ((seen, took), ()) = tokio::join!(call, neighbour);
        quiet(&armed.ledger()).await;

        let served: Vec<u64> = arrivals.take().into_iter().filter(|r| *r != 8).collect();
        assert_eq!((&*served, seen), (row.runs, row.saw), "{name}");
        assert!(took >= row.at_least, "{name}: {took:?}");
        let lines: Vec<_> = armed.ledger().records().iter().map(line).collect();
        let (kind, leg, outcome) = row.line;
        assert_eq!(
            lines,
            [(kind.into(), leg, Finding::Injected, outcome)],
            "{name}"
        );
    }
}

/// Leaves after the first poll.
async fn poll_once<F: Future>(call: F) -> Option<F::Output> {
    let mut call = pin!(call);
    poll_fn(|cx| match call.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn line(record: &Record) -> (String, Leg, Finding, Outcome) {
    let Record {
        kind,
        leg,
        finding,
        outcome,
        ..
    } = record;
    (kind.clone(), *leg, *finding, *outcome)
}
