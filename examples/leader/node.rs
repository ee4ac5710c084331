//! A node: it votes, stands, and says when it leads.

use std::path::Path;

use anyhow::Result;
use examples::process::{orders, say};
use murphy_lease::{FileVotes, NodeId, SeatError, VoterService};
use serde::{Deserialize, Serialize};

use crate::wire::{NAMES, election, serve};

/// What a node says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    Leads(u64),
    /// It led, and does not any more: why.
    Lost(u64, String),
}

pub(crate) async fn run(name: &str, folder: &Path, ports: &[u16]) -> Result<()> {
    let _orders = orders();
    let id = NodeId::try_new(name)?;
    let votes = FileVotes::open(folder.join(format!("{name}.redb"))).await?;
    // Who has a record has voted before, and keeps to it.
    let voter = match VoterService::open(id.clone(), votes.clone()).await {
        Err(SeatError::Lost { .. }) => VoterService::found(id, votes).await?,
        voter => voter?,
    };
    let mine = NAMES.iter().zip(ports).find(|(other, _)| **other == name);
    let port = mine.map_or(0, |(_, port)| *port);
    serve(voter.longest(crate::wire::LEASE), port).await?;
    let election = election(name, ports)?;
    loop {
        let leadership = election.campaign().await?;
        let term = leadership.stale_token().rank().seq;
        say(&Said::Leads(term))?;
        let lost = leadership.lost().await;
        say(&Said::Lost(term, lost.why.to_string()))?;
    }
}
