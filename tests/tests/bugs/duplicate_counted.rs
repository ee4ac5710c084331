//! 6. A consumer that counts a message as often as it comes.
//!
//! Twins differ by three lines: what was seen is not counted again.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::future::LocalBoxFuture;
use murphy_chaos::{Menu, World, always, sometimes};
use tokio::time::sleep;

use crate::harness::{Bug, Takes, Twin};
use crate::kit::{self, Memory};

pub(crate) const BUG: Bug = Bug {
    name: "duplicate-counted",
    source: include_str!("duplicate_counted.rs"),
    run,
    menu: Menu::default,
    runs: 600,
    breaks: "the balance is what was sent, at most",
    takes: Takes::One,
};

#[derive(Debug, Default)]
struct Account {
    balance: u64,
    seen: BTreeSet<u64>,
}

fn account(account: Memory<Account>, twin: Twin) -> Router {
    let deposit = move |State(account): State<Memory<Account>>, message: String| async move {
        let mut account = account.lock();
        let Ok(id) = message.parse::<u64>() else {
            return StatusCode::BAD_REQUEST;
        };
        // Twins part.
        if twin.is_fixed() && !account.seen.insert(id) {
            return StatusCode::OK;
        }
        // Twins meet.
        account.balance += 10;
        StatusCode::OK
    };
    Router::new()
        .route("/deposit", post(deposit))
        .with_state(account)
}

fn run(w: World, twin: Twin) -> LocalBoxFuture<'static, ()> {
    const MESSAGES: u64 = 4;
    Box::pin(async move {
        let book = Memory::default();
        w.serve("account", account(book.clone(), twin));
        let client = w.client("account");
        for id in 1..=MESSAGES {
            let heard = kit::post(&client, id, "/deposit", id.to_string()).await;
            sometimes!(heard.is_some(), "a deposit is confirmed");
        }
        // Copies come late.
        sleep(Duration::from_secs(120)).await;
        let balance = book.lock().balance;
        always!(
            balance <= MESSAGES * 10,
            "the balance is what was sent, at most",
            "{balance}"
        );
    })
}
