//! Clients that contend for one row, and how they back off.
//!
//! Each of N clients reads the version of a row and writes the next one. A write that comes second
//! is refused; the client waits, reads again and writes again. Each message takes |N(10, 2)| ms; the
//! backoff begins at 5 ms and ends at 2 s. Source: M. Brooker, "Exponential Backoff And Jitter",
//! AWS Architecture Blog, 2015; aws-samples/aws-arch-backoff-simulator, which begins at the *second*
//! step of the exponential: 10 ms.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use examples::chart::{self, Names};
use examples::in_virtual_time;
use examples::published::{Cell, Figure, Section};
use murphy_core::{Distribution, Seed};
use murphy_policy::{Backoff, BoxError, RetryLayer};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::{Measured, link};

/// A millisecond of the model is a second here: tokio's timers are whole milliseconds.
const MS: Duration = Duration::from_secs(1);
/// Runs of which the mean is taken. The table is the mean of 100.
const RUNS: u64 = 50;
const CLIENTS: [usize; 6] = [10, 20, 50, 100, 150, 190];

/// A backoff, and what a port of the simulator measured with it.
struct Case {
    name: &'static str,
    backoff: Backoff,
    /// When all clients were done, for each of [`CLIENTS`].
    ms: [f64; 6],
    /// How many writes there were.
    calls: [f64; 6],
    /// The standard deviation of both over runs, with 100 clients.
    sd: (f64, f64),
}

fn cases() -> [Case; 5] {
    let (first, cap) = (MS * 10, MS * 2000);
    [
        Case {
            name: "none",
            backoff: Backoff::none(),
            ms: [389., 601., 1139., 2029., 2873., 3546.],
            calls: [52., 152., 689., 2426., 5143., 8011.],
            sd: (40., 28.),
        },
        Case {
            name: "exponential",
            backoff: Backoff::exponential(first, cap),
            ms: [3534., 14734., 36115., 63308., 85911., 101_682.],
            calls: [51., 151., 622., 1860., 3545., 5174.],
            sd: (3936., 61.),
        },
        Case {
            name: "equal jitter",
            backoff: Backoff::equal_jitter(first, cap),
            ms: [713., 1654., 4352., 6539., 8478., 9400.],
            calls: [42., 108., 347., 812., 1323., 1760.],
            sd: (606., 7.),
        },
        Case {
            name: "full jitter",
            backoff: Backoff::full_jitter(first, cap),
            ms: [462., 1013., 2885., 4858., 6394., 7413.],
            calls: [39., 101., 333., 795., 1319., 1772.],
            sd: (501., 7.),
        },
        Case {
            name: "decorrelated",
            // Draws from its base on, and so begins there.
            backoff: Backoff::decorrelated(MS * 5, cap),
            ms: [454., 817., 2163., 4652., 6499., 7886.],
            calls: [38., 100., 376., 998., 1755., 2432.],
            sd: (745., 30.),
        },
    ]
}

/// The row: the n-th write succeeds if it says that there were n before.
#[derive(Clone, Default)]
struct Row {
    version: Arc<AtomicU64>,
    writes: Arc<AtomicU64>,
}

#[derive(Clone, Copy)]
enum Request {
    Read,
    Write { seen: u64 },
}

impl Row {
    fn serve(&self, request: Request) -> Result<u64, BoxError> {
        match request {
            Request::Read => Ok(self.version.load(Relaxed)),
            Request::Write { seen } => {
                self.writes.fetch_add(1, Relaxed);
                let next = self
                    .version
                    .compare_exchange(seen, seen + 1, Relaxed, Relaxed);
                next.map_err(|_| "somebody else was first".into())
            }
        }
    }
}

/// All clients once: how long it took, in ms of the model, and the writes.
async fn run(seed: Seed, clients: usize, backoff: Backoff) -> Result<(f64, f64)> {
    let row = Row::default();
    let server = row.clone();
    let server = ServiceBuilder::new()
        .layer(link::slow(seed, &Distribution::normal(MS * 10, MS * 2))?)
        .service(service_fn(move |request| {
            std::future::ready(server.serve(request))
        }));
    let client = ServiceBuilder::new()
        .layer(
            RetryLayer::new()
                .attempts(u32::MAX)?
                .no_budget()
                .pace(backoff)
                .seed(seed),
        )
        .service(service_fn(move |()| {
            let server = server.clone();
            async move {
                let seen = server.clone().oneshot(Request::Read).await?;
                server.oneshot(Request::Write { seen }).await
            }
        }));
    let began = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..clients {
        all.spawn(client.clone().oneshot(()));
    }
    while let Some(done) = all.join_next().await {
        done?.map_err(anyhow::Error::from_boxed)?;
    }
    let took = began.elapsed().as_secs_f64() / MS.as_secs_f64();
    Ok((took, row.writes.load(Relaxed) as f64))
}

fn section(seed: Seed) -> Section {
    let runs = format!("mean of {RUNS} runs, seed {seed}");
    let figures = [
        Figure::new(
            "retry_storm.backoff.completion_ms",
            "completed after",
            "ms",
            0,
        ),
        Figure::new("retry_storm.backoff.calls", "writes", "calls", 0),
    ];
    Section::new("Clients that contend for one row (AWS, 2015)", runs, &figures)
        .rule(
            "Published: a port of the simulator, mean of 100.\nAccepted with 100 clients: 3 standard deviations \
             of a run about the published mean; with others, whose\ndeviation is not known, the same share of the \
             mean; and the rounding of the table.",
        )
        .lesson(
            "Jitter, not waiting, is what spares the row: backoff in step makes twice the calls and takes thirteen \
             times as long.\nFull jitter makes the fewest calls and keeps no state, so it is the default.",
        )
}

pub(crate) fn measure(seed: Seed) -> Result<Measured> {
    let mut section = section(seed);
    let (mut times, mut calls) = (Vec::new(), Vec::new());
    for case in cases() {
        let (mut took, mut wrote) = (Vec::new(), Vec::new());
        // Of 100 clients, as a share of the mean.
        let (ms_sd, calls_sd) = (case.sd.0 / case.ms[3], case.sd.1 / case.calls[3]);
        for (nth, clients) in CLIENTS.into_iter().enumerate() {
            let mut sum = (0.0, 0.0);
            for n in 0..RUNS {
                let seed = Seed::new(seed.bits().wrapping_add(n));
                let (ms, writes) = in_virtual_time(run(seed, clients, case.backoff))?;
                sum = (sum.0 + ms, sum.1 + writes);
            }
            let mean = (sum.0 / RUNS as f64, sum.1 / RUNS as f64);
            let subject = format!("{}, {clients} clients", case.name);
            let ms = judged(mean.0, case.ms[nth], ms_sd);
            section.row(subject, [ms, judged(mean.1, case.calls[nth], calls_sd)]);
            took.push(mean.0);
            wrote.push(mean.1);
        }
        times.push((case.name.into(), took));
        calls.push((case.name.into(), wrote));
    }
    let x = CLIENTS.map(|clients| clients as f64);
    let names = |title, y, log| Names {
        title,
        x: "clients",
        y,
        log,
    };
    let charts = vec![
        chart::lines(names("All clients done, ms", "ms", true), &x, &times),
        chart::lines(names("Writes, calls", "calls", false), &x, &calls),
    ];
    Ok((section, charts))
}

/// Three standard deviations, which are known as a share of the mean, and the table's rounding.
fn judged(measured: f64, published: f64, share: f64) -> Cell {
    Cell::near(measured, published, 3.0 * share * published + 0.5)
}
