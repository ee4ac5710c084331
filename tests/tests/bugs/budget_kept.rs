//! 8. A front with two permits for its back, and a way out on which a permit is not returned.
//!
//! Twins differ by three lines: the permit is dropped, and not forgotten.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::future::LocalBoxFuture;
use murphy_chaos::{Client, Kind, Menu, World, eventually, sometimes};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::harness::{Bug, Takes, Twin};
use crate::kit;

pub(crate) const BUG: Bug = Bug {
    name: "budget-kept",
    source: include_str!("budget_kept.rs"),
    run,
    menu: || {
        let lost = [Kind::LostRequest, Kind::LostReply];
        Menu::only([lost[0], lost[1], Kind::Refused, Kind::Latency]).calls_only()
    },
    runs: 600,
    breaks: "the front serves again",
    takes: Takes::Two,
};

const PERMITS: usize = 2;
/// How long the front waits for the back.
const ATTEMPT: Duration = Duration::from_secs(1);

fn front(back: Client, twin: Twin) -> Router {
    let permits = Arc::new(Semaphore::new(PERMITS));
    let ask = move |what: String| async move {
        let Ok(permit) = permits.try_acquire() else {
            return StatusCode::SERVICE_UNAVAILABLE;
        };
        let asked = timeout(ATTEMPT, kit::post(&back, what, "/", ""));
        let answer = asked.await.ok().flatten();
        if answer.is_none() {
            // Twins part.
            if !twin.is_fixed() {
                permit.forget();
            }
            // Twins meet.
            return StatusCode::BAD_GATEWAY;
        }
        StatusCode::OK
    };
    Router::new().route("/", post(ask))
}

fn run(w: World, twin: Twin) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        w.serve("back", Router::new().route("/", post(StatusCode::OK)));
        w.serve("front", front(w.client_from("front", "back"), twin));
        let client = w.client("front");
        for call in 1..=4u64 {
            let served = kit::post(&client, call, "/", call.to_string()).await;
            let served = served.is_some_and(|(status, _)| status == StatusCode::OK);
            sometimes!(served, "the front serves");
        }
        let served = async || {
            let answer = kit::post(&client, "again", "/", "again").await;
            answer.is_some_and(|(status, _)| status == StatusCode::OK)
        };
        eventually!(
            Duration::from_secs(60),
            "the front serves again",
            served().await
        )
        .await;
    })
}
