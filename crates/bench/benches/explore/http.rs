//! Requests through a real axum router and hyper, both ends, over a transport in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::Router;
use axum::routing::post;
use bench::figure::Figure;
use murphy_chaos::{Kind, Menu, World};

const CLIENTS: usize = 16;
const CALLS: usize = 64;
const RUNS: u64 = 150;

pub(crate) fn measure() -> Vec<Figure> {
    let answered = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&answered);
    let test = move |w: World| {
        let count = Arc::clone(&count);
        async move {
            w.serve("pay", Router::new().route("/charge", post(async || "paid")));
            let pay = w.client("pay");
            let calls = w.clients(CLIENTS).calls(CALLS).each(move |_| {
                let (pay, count) = (pay.clone(), Arc::clone(&count));
                async move {
                    if pay.post("/charge", "42 EUR").await.is_ok() {
                        count.fetch_add(1, Relaxed);
                    }
                }
            });
            calls.await;
        }
    };
    let name = "explore-http";
    let (outcome, seconds) = crate::timed(|| {
        // In each run one call is late: nothing is lost that would have to be waited for.
        let menu = Menu::only([Kind::Latency]).calls_only();
        crate::exploration(name, RUNS).menu(menu).run(test)
    });
    let rate = answered.load(Relaxed) as f64 / seconds;
    let note = format!(
        "{CLIENTS} clients, {CALLS} calls each; {} runs, in each of which a call is late",
        outcome.runs
    );
    vec![Figure::new(
        "explore.http.requests".to_owned(),
        "murphy",
        rate,
        "1/s",
        &note,
    )]
}
