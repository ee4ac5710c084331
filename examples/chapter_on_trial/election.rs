//! `LeaderElection`: five voters, two candidates, and whoever counts. A voter that hears nothing takes its candidate for dead,
//! and votes for the other one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::post;
use murphy_chaos::{Caller, Client, Menu, World, always};
use murphy_quorum::Ballot;
use tokio::time::timeout;

use crate::trial::Trial;

const NODES: [&str; 5] = ["node1", "node2", "node3", "node4", "node5"];
/// Whom each votes for, and whom else: as in the chapter, three for node1.
const CHOICES: [[&str; 2]; 5] = [
    ["node1", "node2"],
    ["node1", "node2"],
    ["node1", "node2"],
    ["node2", "node1"],
    ["node2", "node1"],
];
const PATIENCE: Duration = Duration::from_secs(5);
const PROMISE: &str = "one term has one leader";

pub(crate) fn trial() -> Trial {
    Trial {
        snippet: "LeaderElection",
        name: "election",
        chapter: |w| Box::pin(chapter(w)),
        twin: |w| Box::pin(twin(w)),
        made_of: "Ballot",
        menu: Menu::default().calls_only(),
        breaks: &["lost-reply"],
    }
}

/// As the chapter has it.
#[derive(Default)]
struct LeaderElection {
    votes: BTreeMap<String, String>,
}

impl LeaderElection {
    fn vote(&mut self, voter_node: String, candidate_node: String) {
        self.votes.insert(voter_node, candidate_node);
    }

    fn get_leader(&self) -> Option<String> {
        let mut vote_counts = BTreeMap::new();
        for candidate in self.votes.values() {
            *vote_counts.entry(candidate).or_insert(0) += 1;
        }
        let majority_threshold = NODES.len() / 2 + 1;
        let mut counted = vote_counts.into_iter();
        let won = counted.find(|(_, count)| *count >= majority_threshold);
        won.map(|(candidate, _)| candidate.clone())
    }
}

async fn chapter(w: World) -> Result<(), String> {
    let mut election = LeaderElection::default();
    elects(w, move |voter, candidate| {
        election.vote(voter, candidate);
        election.get_leader()
    })
    .await
}

async fn twin(w: World) -> Result<(), String> {
    let nodes = NODES.map(str::to_owned);
    let mut ballot = Ballot::try_new(1, nodes).map_err(|e| e.to_string())?;
    elects(w, move |voter, candidate| {
        // A second, different vote is none.
        drop(ballot.vote(voter, candidate));
        ballot.leader().cloned()
    })
    .await
}

/// All vote, and are told who leads: an axum service counts.
async fn elects(
    w: World,
    count: impl FnMut(String, String) -> Option<String> + Send + 'static,
) -> Result<(), String> {
    let count = Arc::new(Mutex::new(count));
    let vote = async move |Path((voter, candidate)): Path<(String, String)>| {
        let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
        count(voter, candidate).unwrap_or_default()
    };
    w.serve(
        "ballot",
        Router::new().route("/{voter}/{candidate}", post(vote)),
    );
    let client = w.client("ballot");
    let told = w
        .clients(NODES.len())
        .each(move |voter| votes(client.clone(), voter))
        .await;
    let leaders: BTreeSet<String> = told.into_iter().flatten().collect();
    always!(leaders.len() <= 1, PROMISE, "told: {leaders:?}");
    Ok(())
}

/// Whom the voter was told of.
async fn votes(client: Client, caller: Caller) -> Option<String> {
    let voter = NODES[caller.client];
    for candidate in CHOICES[caller.client] {
        let path = format!("/{voter}/{candidate}");
        let vote = client.post(&path, "");
        if let Ok(Ok(reply)) = timeout(PATIENCE, vote).await {
            return Some(reply.text()).filter(|leader| !leader.is_empty());
        }
    }
    None
}
