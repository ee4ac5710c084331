//! Layers that retry what is beneath, which retries.
//!
//! Three that make four attempts each turn one call into 64, if the service beneath fails.
//! Source: B. Beyer et al., "Site Reliability Engineering", 2016, chapter 22.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use examples::in_virtual_time;
use examples::published::{Cell, Figure, Section};
use murphy_core::Seed;
use murphy_policy::{Backoff, BoxError, Budget, RetryLayer, Stack, TimeoutLayer};
use tower::{Service, ServiceExt, service_fn};

use crate::Measured;

const ATTEMPTS: u32 = 4;
const CALLS: u64 = 10_000;

/// The requests that the service got for each call, and what the stack's report says that it gets.
async fn run(seed: Seed, budget: &dyn Fn() -> Result<Budget>) -> Result<(f64, f64)> {
    let stack = |name| {
        let retry = RetryLayer::new().attempts(ATTEMPTS)?.pace(Backoff::none());
        let retry = retry.budget(budget()?).seed(seed).named(name);
        let timeout = TimeoutLayer::new(Duration::from_secs(1));
        anyhow::Ok(Stack::new().layer(retry).layer(timeout).build()?)
    };
    let came = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&came);
    let fails = service_fn(move |()| {
        counted.fetch_add(1, Relaxed);
        async { Err::<(), BoxError>("out of order".into()) }
    });
    let outermost = stack("edge")?;
    let told = outermost.report().amplification_through(3);
    let mut edge = outermost.service(stack("middle")?.service(stack("inner")?.service(fails)));
    for _ in 0..CALLS {
        let edge = edge.ready().await.map_err(anyhow::Error::from_boxed)?;
        let _ = edge.call(()).await;
    }
    Ok((came.load(Relaxed) as f64 / CALLS as f64, told))
}

fn section(seed: Seed) -> Section {
    let title = "Three layers that retry, over a service that fails (SRE book, 2016, chapter 22)";
    let figures = [
        Figure::new(
            "retry_storm.amplification.requests",
            "requests a call",
            "x",
            3,
        ),
        Figure::new("retry_storm.amplification.report", "by the report", "x", 3),
    ];
    Section::new(title, format!("{CALLS} calls, seed {seed}"), &figures)
        .rule(format!(
            "{ATTEMPTS} attempts in each. By the report: what `Stack` says beforehand, which is no less, nor 5 % more.\n\
             Each layer pays in for each call, but not for what is a repetition of the layer above: three times 10 %, \
             three times 5 %."
        ))
        .lesson(
            "Attempts multiply from layer to layer, so that the service which is down gets 64 calls for each that was \
             meant.\nWhat budgets let through only adds up: a few percent at each layer.",
        )
}

pub(crate) fn measure(seed: Seed) -> Result<Measured> {
    let mut section = section(seed);
    let mut row = |name, budget: &dyn Fn() -> Result<Budget>, judged: fn(f64) -> Cell| {
        let (requests, report) = in_virtual_time(run(seed, budget))?;
        // It says what is let through at most.
        let report = Cell::expected(report, requests - 1e-6..=requests * 1.05);
        section.row(name, [judged(requests), report]);
        anyhow::Ok(())
    };
    row("no budget", &|| Ok(Budget::unlimited()), |requests| {
        Cell::near(requests, 64.0, 0.0)
    })?;
    row(
        "a budget each, 10 %",
        &|| Ok(Budget::try_new(0.1, 0)?),
        |requests| Cell::expected(requests, 1.295..=1.335),
    )?;
    let shared = Budget::try_new(0.05, 0)?;
    row("one budget, 5 %", &|| Ok(shared.clone()), |requests| {
        Cell::expected(requests, 1.0..=1.2)
    })?;
    Ok((section, Vec::new()))
}
