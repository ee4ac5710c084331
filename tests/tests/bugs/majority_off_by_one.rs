//! 3. A majority of five that is two: a read need not meet the write.
//!
//! Twins differ by two lines: one more than half.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use futures_util::future::LocalBoxFuture;
use murphy_chaos::{Client, Kind, Menu, World, always, sometimes};
use murphy_quorum::{Outcome, Round, Threshold, Verdict};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::{Bug, Takes, Twin};
use crate::kit::{self, Memory, PATIENCE};

pub(crate) const BUG: Bug = Bug {
    name: "majority-off-by-one",
    source: include_str!("majority_off_by_one.rs"),
    run,
    menu: || Menu::only([Kind::LostRequest, Kind::LostReply, Kind::Latency]).calls_only(),
    runs: 600,
    breaks: "a read sees what was written",
    takes: Takes::Two,
};

const REPLICAS: usize = 5;

fn replica(version: Memory<u64>) -> Router {
    let write = async |State(version): State<Memory<u64>>, new: String| {
        let mut version = version.lock();
        *version = (*version).max(new.parse().unwrap_or(0));
        version.to_string()
    };
    let read = async |State(version): State<Memory<u64>>| version.lock().to_string();
    Router::new()
        .route("/write", post(write))
        .route("/read", post(read))
        .with_state(version)
}

/// How many are enough.
fn quorum(twin: Twin) -> Threshold {
    // Twins part.
    let half = REPLICAS / 2;
    let needed = if twin.is_fixed() { half + 1 } else { half };
    // Twins meet.
    Threshold::of_first(needed, REPLICAS).expect("some of them")
}

/// Asks all; the newest that enough of them said, or `None`. Who is late is asked all the same.
async fn ask(replicas: &[Client], path: &'static str, value: u64, twin: Twin) -> Option<u64> {
    let (mut asked, mut newest) = (JoinSet::new(), 0);
    for (member, replica) in replicas.iter().cloned().enumerate() {
        asked.spawn(async move {
            let reply = kit::post(&replica, path, path, value.to_string()).await;
            (member, reply.and_then(|(_, text)| text.parse::<u64>().ok()))
        });
    }
    let mut round = Round::new(quorum(twin));
    while let Some(Ok((member, version))) = asked.join_next().await {
        newest = newest.max(version.unwrap_or(0));
        let outcome = version.map_or(Outcome::Unknown, Outcome::Yes);
        match round.on(member, outcome).expect("a member") {
            Verdict::Pending => {}
            Verdict::Decided(_) => {
                asked.detach_all();
                return Some(newest);
            }
            Verdict::Impossible(_) => return None,
        }
    }
    None
}

fn run(w: World, twin: Twin) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        let replicas: Vec<Client> = (0..REPLICAS)
            .map(|n| {
                let name = format!("r{n}");
                w.serve(&name, replica(Memory::default()));
                w.client(&name)
            })
            .collect();
        let written = ask(&replicas, "/write", 7, twin).await.is_some();
        // Who is late has arrived by now, or never will.
        sleep(PATIENCE * 2).await;
        let read = ask(&replicas, "/read", 0, twin).await;
        sometimes!(read == Some(7), "what was written is read");
        if written && read.is_some() {
            always!(read == Some(7), "a read sees what was written", "{read:?}");
        }
    })
}
