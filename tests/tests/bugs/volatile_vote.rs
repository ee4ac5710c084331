//! 4. A voter that answers before its vote is on the disk: after a restart it votes again, in the same term.
//!
//! Twins differ by three lines: the disk is synced before the answer.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::future::LocalBoxFuture;
use murphy_chaos::{Client, Kind, Menu, World, always, sometimes};
use murphy_quorum::{Outcome, Persisted, Round, Threshold, Verdict, Voter};
use tokio::time::sleep;

use crate::harness::{Bug, Takes, Twin};
use crate::kit;

pub(crate) const BUG: Bug = Bug {
    name: "volatile-vote",
    source: include_str!("volatile_vote.rs"),
    run,
    menu: || {
        let second = Duration::from_secs(1);
        Menu::only([Kind::LostRequest]).outages([second]).steps([])
    },
    runs: 1400,
    breaks: "a term has one leader",
    takes: Takes::Two,
};

const VOTERS: [&str; 3] = ["v0", "v1", "v2"];
const TERM: u64 = 1;

type Vote = Persisted<String>;

/// Votes for whoever asks first, and writes it down.
fn voter(w: &World, name: &str, twin: Twin) -> Router {
    let node = w.node(name);
    let disk = node.durable::<Vote>("vote").expect("a cell of its own");
    let vote = move |candidate: String| async move {
        let mut voter = Voter::new(disk.get().unwrap_or_default());
        let granted = voter.request(TERM, &candidate).cloned();
        let mut kept = granted.is_ok_and(|vote| disk.set(vote).is_ok());
        // Twins part.
        if twin.is_fixed() {
            kept = kept && disk.sync().is_ok();
        }
        // Twins meet.
        if kept {
            StatusCode::OK
        } else {
            StatusCode::CONFLICT
        }
    };
    Router::new().route("/vote", post(vote))
}

/// Asks one voter after the other, those that are down again.
async fn is_elected(voters: &[Client], candidate: &str) -> bool {
    let mut round = Round::new(Threshold::majority(VOTERS.len()).expect("three"));
    for (member, voter) in voters.iter().enumerate() {
        let mut reply = None;
        for _attempt in 0..3 {
            reply = kit::post(voter, candidate, "/vote", candidate).await;
            if reply.is_some() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        let outcome = match reply {
            None => Outcome::Unknown,
            Some((StatusCode::OK, _)) => Outcome::Yes(()),
            Some(_) => Outcome::No,
        };
        round.on(member, outcome).expect("a member");
    }
    matches!(round.verdict(), Verdict::Decided(_))
}

fn run(w: World, twin: Twin) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        for name in VOTERS {
            w.serve(name, voter(&w, name, twin));
        }
        let mut leaders = 0;
        for candidate in ["c1", "c2"] {
            let voters = VOTERS.map(|name| w.client(name));
            leaders += u32::from(is_elected(&voters, candidate).await);
            sleep(Duration::from_secs(2)).await;
        }
        sometimes!(leaders == 1, "somebody is elected");
        always!(leaders <= 1, "a term has one leader", "{leaders} of them");
    })
}
