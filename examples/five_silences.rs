//! Five things go wrong, and the caller cannot tell one from another: only the ledger can. Fails
//! if the caller's transcripts differ, or if the ledgers do not. The clock is paused.
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::{sync::Arc, time::Duration};

use murphy_core::{Distribution, Probability, Seed};
use murphy_fault::{Chaos, Fault, Plan, Select, TimeLimit};
use murphy_policy::{BoxError, TimeoutLayer};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), BoxError> {
    let (always, once) = (Probability::ALWAYS, Select::First(1));
    let hour = Distribution::fixed(Duration::from_secs(3600));
    let (mut heard, mut truths) = (Vec::new(), Vec::new());
    let lost = |name: &str| Fault::lost_request(always).named(name);
    for (name, fault) in [
        ("a crashed node", lost("crashed")),
        ("a broken link", lost("no link")),
        ("a slow node", Fault::slow_server(hour, always)),
        ("a lost request", Fault::lost_request(once.clone())),
        ("a lost reply", Fault::lost_reply(once)),
    ] {
        let (transcript, truth) = call(fault).await?;
        println!("{name}\n  the caller: {transcript}\n  the ledger: {truth}");
        heard.push(transcript);
        truths.push(truth);
    }
    heard.dedup();
    truths.sort();
    truths.dedup();
    println!("{} transcript, {} ledgers", heard.len(), truths.len());
    let taught = heard.len() == 1 && truths.len() == 5;
    taught
        .then_some(())
        .ok_or("the lesson did not appear".into())
}

/// What the caller hears of one call, and what really happened.
async fn call(fault: Fault) -> Result<(String, String), BoxError> {
    let chaos = Chaos::new(Seed::new(8));
    let charges = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&charges);
    let mut client = ServiceBuilder::new()
        .layer(TimeoutLayer::new(Duration::from_secs(5)))
        .layer(chaos.site("shop->bank").layer())
        .service(service_fn(move |_: &'static str| {
            let count = Arc::clone(&count);
            async move { Ok::<_, BoxError>(count.fetch_add(1, SeqCst)) }
        }));
    let plan = Plan::new().with("shop->bank", fault);
    let armed = chaos.arm(&plan, TimeLimit::None)?;
    let heard = client.ready().await?.call("charge 17").await;
    tokio::task::yield_now().await; // what was begun goes on, though nobody waits
    let told = armed.ledger().records().remove(0);
    let charged = charges.load(SeqCst);
    let truth = format!("{} ({:?}), {charged} charged", told.fault, told.outcome);
    Ok((format!("sent `charge 17`, heard {heard:?}"), truth))
}
