//! Five different things go wrong, and the caller cannot tell one from another.
//!
//! The clock is paused, so that this takes no time and always prints the same. It fails if the
//! transcripts differ, or if the ledgers do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use anyhow::{Result, ensure};
use murphy_core::{Distribution, Probability, Seed};
use murphy_fault::{Chaos, Fault, Plan, Select, TimeLimit};
use murphy_policy::{BoxError, TimeoutLayer};
use tokio::time::Instant;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    let (always, first) = (Probability::ALWAYS, Select::First(1));
    let an_hour = Distribution::fixed(Duration::from_secs(3600));
    let (mut transcripts, mut truths) = (Vec::new(), Vec::new());
    for (name, faults) in [
        (
            "a crashed node",
            vec![Fault::lost_request(always).named("node down")],
        ),
        (
            "a broken link",
            vec![Fault::lost_request(always), Fault::lost_reply(always)],
        ),
        ("a slow node", vec![Fault::slow_server(an_hour, always)]),
        ("a lost request", vec![Fault::lost_request(first.clone())]),
        ("a lost reply", vec![Fault::lost_reply(first)]),
    ] {
        let (transcript, truth) = one_silence(faults).await?;
        println!("{name}\n  the caller: {transcript}\n  the ledger: {truth}");
        transcripts.push(transcript);
        truths.push(truth);
    }
    ensure!(
        transcripts.iter().all(|t| *t == transcripts[0]),
        "the caller could tell them apart"
    );
    truths.sort();
    truths.dedup();
    ensure!(truths.len() == 5, "the ledgers could not be told apart");
    println!("one transcript, {} ledgers", truths.len());
    Ok(())
}

/// What the caller saw of one call, and what really happened.
async fn one_silence(faults: Vec<Fault>) -> Result<(String, String)> {
    let (chaos, charges) = (Chaos::new(Seed::new(8)), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&charges);
    let charge = move |_: &'static str| {
        let count = Arc::clone(&count);
        async move { Ok::<_, BoxError>(count.fetch_add(1, SeqCst)) }
    };
    let layers = ServiceBuilder::new().layer(TimeoutLayer::new(Duration::from_secs(5)));
    let mut client = layers
        .layer(chaos.site("shop->bank").layer())
        .service(service_fn(charge));
    let plan = faults
        .into_iter()
        .fold(Plan::new(), |plan, fault| plan.with("shop->bank", fault));
    let (armed, start) = (chaos.arm(&plan, TimeLimit::None)?, Instant::now());
    let reply = client
        .ready()
        .await
        .map_err(anyhow::Error::from_boxed)?
        .call("charge 17")
        .await;
    let transcript = format!(
        "sent `charge 17`, heard {reply:?} after {:?}",
        start.elapsed()
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lines = armed
        .ledger()
        .records()
        .into_iter()
        .map(|r| format!("{} ({:?}, {:?})", r.fault, r.verdict, r.outcome));
    let truth = format!(
        "{}; charged {} times",
        lines.collect::<Vec<_>>().join(", "),
        charges.load(SeqCst)
    );
    Ok((transcript, truth))
}
