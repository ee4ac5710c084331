//! A queue that stalls for ten seconds, and never recovers.
//!
//! A database answers 300 queries a second, first come, first served. Clients come at random, wait
//! a second and try once more; what they gave up on keeps its place in the queue. After 30 s it
//! stands still for 10. Source: N. Bronson et al., "Metastable Failures in Distributed Systems",
//! HotOS 2021, section 2.
//!
//! Two more columns tell the database how long its client waits (`SendDeadlineLayer`), and it does
//! not begin what nobody waits for (`ServerDeadlineLayer`): until the call's deadline, which is of
//! two seconds, or, with one more `DeadlineLayer` beneath the retry, until the attempt is given up.

use std::time::Duration;

use anyhow::Result;
use examples::chart::{self, Names};
use examples::in_virtual_time;
use examples::published::{Cell, Figure, Section};
use http::{Request, Response, StatusCode};
use murphy_core::{Distribution, Lane, Point, Seed, Stream};
use murphy_fault::{Chaos, Disturbance, Plan, TimeLimit};
use murphy_policy::{
    Attempt, Backoff, BoxError, Budget, BulkheadLayer, DeadlineLayer, Kind, RetryLayer,
    SendDeadlineLayer, ServerDeadlineLayer, TimeoutLayer, Verdict,
};
use tokio::time::{Instant, sleep, sleep_until};
use tower::util::option_layer;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::Measured;
use crate::seconds::{self, Seconds};

/// A second of the model: a query takes 3.3 ms of it, and tokio's timers are whole milliseconds.
const SECOND: Duration = Duration::from_secs(1000);
/// Of an attempt.
const TIMEOUT: Duration = SECOND;
const QUERIES: u32 = 300;
const STALLS_AT: u32 = 30;
const STALLS_FOR: u32 = 10;
const SECONDS: usize = 120;
const RUNS: u64 = 3;
/// The last ten, of which the mean is taken.
const LAST: std::ops::Range<usize> = 110..120;

/// How clients and database behave.
#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    attempts: u32,
    budget: bool,
    told: Told,
}

/// Until when the database knows that its client waits.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Nothing,
    Call,
    Attempt,
}

const COLUMNS: [Column; 5] = [
    column("no retry", 1, false, Told::Nothing),
    column("one retry", 2, false, Told::Nothing),
    column("one retry, 10 % budget", 2, true, Told::Nothing),
    column("+ database drops expired calls", 2, true, Told::Call),
    column("+ database drops expired attempts", 2, true, Told::Attempt),
];

const fn column(name: &'static str, attempts: u32, budget: bool, told: Told) -> Column {
    Column {
        name,
        attempts,
        budget,
        told,
    }
}

/// What was published of a column: answers a second in the end, and queries that came.
type Published = (Option<f64>, Option<f64>);

/// By load, as a port measured it.
const ROWS: [(u32, [Published; 5]); 3] = [
    (140, [alone(138.), both(0., 275.), alone(138.), NEW, NEW]),
    (200, [alone(196.), both(0., 391.), alone(196.), NEW, NEW]),
    (
        CLOSEST,
        [alone(0.), both(0., 549.), both(0., 302.), NEW, NEW],
    ),
];
const CLOSEST: u32 = 280;

/// Has to recover.
const NEW: Published = (None, None);

const fn alone(goodput: f64) -> Published {
    (Some(goodput), None)
}

const fn both(goodput: f64, arrivals: f64) -> Published {
    (Some(goodput), Some(arrivals))
}

/// Answers in each second, and queries that came.
async fn run(seed: Seed, load: u32, column: Column) -> Result<(Vec<f64>, Vec<f64>)> {
    let chaos = Chaos::new(seed);
    let database = chaos.node("database");
    let stall = Disturbance::pause("database");
    let stall = stall.at(SECOND * STALLS_AT).lasting(SECOND * STALLS_FOR);
    let server = ServiceBuilder::new()
        .layer(option_layer(
            (column.told != Told::Nothing).then(|| ServerDeadlineLayer::new(Duration::MAX)),
        ))
        .layer(BulkheadLayer::new(1)?.queue(u32::MAX))
        .layer(database.layer().refusing_boxed())
        .service(service_fn(async |_: Request<()>| {
            sleep(SECOND / QUERIES).await;
            Ok::<_, BoxError>(Response::new(()))
        }));
    let (came, answered) = (Seconds::new(SECONDS, SECOND), Seconds::new(SECONDS, SECOND));
    let wire = {
        let came = came.clone();
        service_fn(move |query: Request<()>| {
            came.count();
            // Of a client that leaves, the server hears nothing.
            let served = tokio::spawn(server.clone().oneshot(query));
            async {
                // A wire has no errors of ours: what the server shed is an answer to the client, and not its own shedding.
                let mut reply = Response::new(());
                match served.await? {
                    Ok(served) => reply = served,
                    Err(_) => *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
                }
                Ok::<_, BoxError>(reply)
            }
        })
    };
    let client = {
        let answered = answered.clone();
        let budget = match column.budget {
            true => Budget::try_new(0.1, 10)?,
            false => Budget::unlimited(),
        };
        let retry = RetryLayer::new()
            .attempts(column.attempts)?
            .classify(
                |_: &Attempt, reply: Result<&Response<()>, &BoxError>| match reply {
                    Ok(reply) if reply.status().is_success() => Verdict::Success,
                    _ => Verdict::Retry(Kind::Timeout),
                },
            )
            .replay(|_: &Request<()>| Some(Request::new(())))
            .pace(Backoff::none());
        ServiceBuilder::new()
            .map_response(move |reply: Response<()>| {
                if reply.status().is_success() {
                    answered.count();
                }
            })
            .layer(DeadlineLayer::new(TIMEOUT * 2))
            .layer(retry.budget(budget).seed(seed))
            .layer(TimeoutLayer::new(TIMEOUT))
            .layer(option_layer(
                (column.told == Told::Attempt).then(|| DeadlineLayer::new(TIMEOUT)),
            ))
            .layer(SendDeadlineLayer::new())
            .service(wire)
    };
    let armed = chaos.arm(&Plan::new().disturb(stall), TimeLimit::None)?;
    let gaps = Stream::new(seed, "clients", "gaps", Lane::Magnitude);
    let gap = Distribution::exponential(SECOND / load);
    let began = Instant::now();
    let (mut next, mut clients) = (began, 0);
    while next < began + SECOND * SECONDS as u32 {
        sleep_until(next).await;
        tokio::spawn(client.clone().oneshot(Request::new(())));
        next += gap.sample(gaps.at(Point::positional(clients)));
        clients += 1;
    }
    drop(armed);
    Ok((answered.told(), came.told()))
}

fn section(seed: Seed) -> Section {
    let last = LAST.len();
    let title = "A queue that stalls for ten seconds, and never recovers (HotOS, 2021)";
    let runs = format!("mean of the last {last} s of {SECONDS} s and of {RUNS} runs, seed {seed}");
    let figures = [
        Figure::new("retry_storm.metastable.goodput", "answered", "1/s", 0),
        Figure::new("retry_storm.metastable.arrivals", "came", "1/s", 0),
    ];
    Section::new(title, runs, &figures)
        .rule(format!(
            "{QUERIES} a second can be answered. Published: one run of a port.\nAccepted: 3 standard deviations of as \
             many random arrivals, in the published run and in ours; of 0, one answer a second."
        ))
        .lesson(
            "One retry doubles the load as long as everything is late, and everything is late as long as the load is \
             doubled.\nA budget breaks the circle where there is room to catch up; where there is none, the database \
             has to know what nobody waits for.",
        )
}

pub(crate) fn measure(seed: Seed) -> Result<Measured> {
    let mut section = section(seed);
    let mut lines = Vec::new();
    for (load, published) in ROWS {
        for (column, (goodput, arrivals)) in COLUMNS.into_iter().zip(published) {
            let (mut answered, mut came) = (Vec::new(), Vec::new());
            for n in 0..RUNS {
                let seed = Seed::new(seed.bits().wrapping_add(n));
                let (a, c) = in_virtual_time(run(seed, load, column))?;
                answered.push(a);
                came.push(c);
            }
            let answered = seconds::mean(&answered);
            let last = |of: &[f64]| of[LAST].iter().sum::<f64>() / LAST.len() as f64;
            let came = last(&seconds::mean(&came));
            section.row(
                format!("{load}/s, {}", column.name),
                [
                    judged(last(&answered), goodput, load),
                    arrivals.map_or(Cell::plain(came), |p| judged(came, Some(p), 2 * load)),
                ],
            );
            if load == CLOSEST {
                lines.push((column.name.into(), answered));
            }
        }
    }
    let names = Names {
        title: "A queue that stalls, 280 queries a second: answers",
        x: "s",
        y: "answers/s",
        log: false,
    };
    let x: Vec<f64> = (0..SECONDS).map(|s| s as f64).collect();
    Ok((section, vec![chart::lines(names, &x, &lines)]))
}

/// What was published comes from one run; what was not has to be what clients ask for.
fn judged(measured: f64, published: Option<f64>, load: u32) -> Cell {
    let (load, last, runs) = (f64::from(load), LAST.len() as f64, RUNS as f64);
    let apart = |runs: f64| 3.0 * (load / last * runs).sqrt();
    match published {
        Some(0.0) => Cell::within(measured, 0.0, 0.0..=1.0),
        Some(published) => Cell::near(measured, published, apart(1.0 + 1.0 / runs)),
        None => Cell::expected(
            measured,
            load - apart(1.0 / runs)..=load + apart(1.0 / runs),
        ),
    }
}
