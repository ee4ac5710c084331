//! A server that gets slower with its load, and clients that repeat what took too long.
//!
//! A request takes 1 s and 10 ms more for each that the server has; what its client gave up on goes
//! on. Clients come at random, 40 a second, then up to 80 and down to none; a message takes
//! Exp(0.1 s), a client waits 3 s and tries three times. Source: M. Brooker, "What is Backoff For?",
//! 2022; mbrooker/simulator_example, `simple_collapse_sim`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use examples::chart::{self, Names};
use examples::in_virtual_time;
use examples::published::{Cell, Figure, Section};
use murphy_core::{Distribution, Lane, Point, Seed, Stream};
use murphy_policy::{
    Attempt, Backoff, BoxError, Budget, Elapsed, Kind, RetryLayer, TimeoutLayer, Verdict, find,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::seconds::{self, Seconds};
use crate::{Measured, link};

const TIMEOUT: Duration = Duration::from_secs(3);
/// Each way.
const LEG: Duration = Duration::from_millis(100);
const ALONE: Duration = Duration::from_secs(1);
const EACH_OTHER: Duration = Duration::from_millis(10);
/// Seconds that are simulated.
const SECONDS: usize = 80;
const RUNS: u64 = 30;
/// When the load is back to less than the server can do: from 24 clients a second to none, 180 in all.
const LATE: std::ops::Range<usize> = 60..75;
const LATE_CLIENTS: f64 = 180.0;
/// When the server is asked how much it has to do.
const ASKED: Duration = Duration::from_secs(74);
/// How far from what was published, in points.
const APART: f64 = 5.0;

/// Clients a second, `t` seconds into the run.
fn rate(t: f64) -> f64 {
    80.0 - 1.6 * (t - 25.0).abs()
}

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    attempts: u32,
    backoff: Backoff,
    budget: fn() -> Result<Budget>,
    /// Success in %, and what the server was at near the end.
    published: (Option<f64>, Option<f64>),
    recovers: bool,
}

/// Those that were published from the best to the worst, then others of our own.
fn cases() -> [Case; 6] {
    let second = Duration::from_secs(1);
    let unlimited = || Ok(Budget::unlimited());
    let at_once = Case {
        name: "again at once",
        attempts: 3,
        backoff: Backoff::none(),
        budget: unlimited,
        published: (Some(29.7), Some(2435.0)),
        recovers: false,
    };
    let within = |name, published, budget| Case {
        name,
        budget,
        published: (published, None),
        recovers: true,
        ..at_once
    };
    [
        Case {
            name: "no retry",
            attempts: 1,
            published: (Some(55.9), None),
            recovers: true,
            ..at_once
        },
        // 0.1 of a retry for each success, as published; 50 to begin with, where it had 20.
        within("again, successes pay: AWS standard", Some(55.6), || {
            Ok(Budget::aws_standard())
        }),
        Case {
            name: "again after full jitter",
            backoff: Backoff::full_jitter(second * 20, second * 40),
            published: (Some(32.4), Some(1326.0)),
            ..at_once
        },
        at_once,
        within("again, calls pay 0.1", None, || {
            Ok(Budget::try_new(0.1, 20)?.cap(20))
        }),
        within("again, calls pay 0.2: the default", None, || {
            Ok(Budget::default())
        }),
    ]
}

/// What came of one run.
struct Run {
    clients: u32,
    /// In each second.
    answered: Vec<f64>,
    /// What the server was at when it was asked.
    busy_with: u32,
}

async fn run(seed: Seed, case: &Case) -> Result<Run> {
    let busy_with = Arc::new(AtomicU32::new(0));
    let concurrent = Arc::clone(&busy_with);
    let server = service_fn(move |()| {
        let concurrent = Arc::clone(&concurrent);
        let takes = ALONE + EACH_OTHER * (concurrent.fetch_add(1, Relaxed) + 1);
        let (reply, heard) = oneshot::channel();
        // Nobody tells the server that its client has left.
        tokio::spawn(async move {
            sleep(takes).await;
            concurrent.fetch_sub(1, Relaxed);
            reply.send(())
        });
        async { heard.await.map_err(BoxError::from) }
    });
    let answered = Seconds::new(SECONDS, Duration::from_secs(1));
    let counted = answered.clone();
    let began = Instant::now();
    let timeouts = |_: &Attempt, outcome: Result<&(), &BoxError>| match outcome {
        Ok(()) => Verdict::Success,
        Err(error) if find::<Elapsed>(&**error).is_some() => Verdict::Retry(Kind::Timeout),
        Err(_) => Verdict::Terminal,
    };
    let asked = Arc::clone(&busy_with);
    let asked = tokio::spawn(async move {
        sleep(ASKED).await;
        asked.load(Relaxed)
    });
    let retry = RetryLayer::new()
        .attempts(case.attempts)?
        .classify(timeouts);
    let mut client = ServiceBuilder::new()
        .map_response(move |()| counted.count())
        .layer(retry.pace(case.backoff).budget((case.budget)()?).seed(seed))
        .layer(TimeoutLayer::new(TIMEOUT))
        .layer(link::slow(seed, &Distribution::exponential(LEG))?)
        .service(server);

    let gaps = Stream::new(seed, "clients", "gaps", Lane::Magnitude);
    let mut next = began + Duration::from_millis(10);
    let mut clients = 0;
    loop {
        sleep_until(next).await;
        let ready = client.ready().await.map_err(anyhow::Error::from_boxed)?;
        tokio::spawn(ready.call(()));
        let rate = rate((next - began).as_secs_f64());
        if rate <= 0.0 {
            break;
        }
        let gap = Distribution::exponential(Duration::from_secs_f64(1.0 / rate));
        next += gap.sample(gaps.at(Point::positional(clients)));
        clients += 1;
    }
    sleep_until(began + Duration::from_secs(SECONDS as u64)).await;
    Ok(Run {
        clients: clients as u32 + 1,
        answered: answered.told(),
        busy_with: asked.await?,
    })
}

fn section(seed: Seed) -> Section {
    let title =
        "A server that gets slower with its load, and clients that repeat (M. Brooker, 2022)";
    let runs = format!("mean of {RUNS} runs, seed {seed}");
    let figures = [
        Figure::new("retry_storm.collapse.success_pct", "success", "%", 1),
        Figure::new("retry_storm.collapse.late", "answered late", "calls", 0),
        Figure::new("retry_storm.collapse.at_work", "at work", "requests", 0),
    ];
    Section::new(title, runs, &figures)
        .rule(format!(
            "Published: a port of the simulator, mean of 10. Accepted: {APART} points about that, and less than\nthe \
             published row above. Answered late: from second {} to {}, when {LATE_CLIENTS} clients come: all who come, \
             or none of a hundred.\nAt work: what the server is at in second {}; 15 % about what was published.\n\
             AWS standard: 0.1 of a retry a success, as published; 50 to begin with, where that had 20.",
            LATE.start,
            LATE.end,
            ASKED.as_secs(),
        ))
        .lesson(
            "Who repeats what timed out keeps the server at work that nobody waits for, and jitter only spreads it; a \
             budget ends it.\nOne that successes pay into is empty when nothing succeeds; one that calls pay into \
             adds its share to the load all the while.",
        )
}

pub(crate) fn measure(seed: Seed) -> Result<Measured> {
    let mut section = section(seed);
    let (mut lines, mut above) = (Vec::new(), f64::INFINITY);
    for case in cases() {
        let (mut runs, mut answered) = (Vec::new(), Vec::new());
        for n in 0..RUNS {
            let seed = Seed::new(seed.bits().wrapping_add(n));
            let mut run = in_virtual_time(run(seed, &case))?;
            answered.push(std::mem::take(&mut run.answered));
            runs.push(run);
        }
        let mean = |of: &dyn Fn(&Run) -> u32| {
            runs.iter().map(|run| f64::from(of(run))).sum::<f64>() / RUNS as f64
        };
        let in_second = seconds::mean(&answered);
        let clients = mean(&|run| run.clients);
        let success = 100.0 * in_second.iter().sum::<f64>() / clients;
        let late = in_second[LATE].iter().sum();
        let at_work = mean(&|run| run.busy_with);
        let success_cell = match case.published.0 {
            Some(published) => {
                let most = above.min(published + APART);
                above = success;
                Cell::within(success, published, published - APART..=most)
            }
            None => Cell::plain(success),
        };
        let late_cell = match case.recovers {
            true => Cell::expected(late, LATE_CLIENTS..=f64::INFINITY),
            false => Cell::expected(late, f64::NEG_INFINITY..=LATE_CLIENTS / 100.0),
        };
        let work_cell = match case.published.1 {
            Some(published) => Cell::near(at_work, published, 0.15 * published),
            None => Cell::plain(at_work),
        };
        section.row(case.name, [success_cell, late_cell, work_cell]);
        lines.push((case.name.into(), in_second));
    }
    let seconds: Vec<f64> = (0..SECONDS).map(|s| s as f64).collect();
    let names = Names {
        title: "A server that gets slower with its load: answers",
        x: "s",
        y: "calls/s",
        log: false,
    };
    Ok((section, vec![chart::lines(names, &seconds, &lines)]))
}
