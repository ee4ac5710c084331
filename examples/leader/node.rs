//! A node: it votes, stands, and says when it leads.

use std::path::Path;

use anyhow::Result;
use examples::process::{orders, say};
use murphy_lease::{FileVotes, NodeId, VoterService};
use serde::{Deserialize, Serialize};

use crate::wire::{NAMES, election, serve};

/// What a node says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// Its record is on disk, and it votes.
    Votes,
    Leads(u64),
    /// It led, and does not any more: why.
    Lost(u64, String),
}

/// `is_first`: as whoever started it knows, and not as its disk looks. A voter whose record is gone may have voted: if it founded
/// under the same name, it could vote twice in one term.
pub(crate) async fn run(name: &str, folder: &Path, ports: &[u16], is_first: bool) -> Result<()> {
    let _orders = orders();
    let id = NodeId::try_new(name)?;
    let votes = FileVotes::open(folder.join(format!("{name}.redb"))).await?;
    let voter = if is_first {
        VoterService::found(id, votes).await?
    } else {
        // Without a record that is an error, and the end of this node: it joins as another, or not at all.
        VoterService::open(id, votes).await?
    };
    let mine = NAMES.iter().zip(ports).find(|(other, _)| **other == name);
    let port = mine.map_or(0, |(_, port)| *port);
    serve(voter.longest(crate::wire::LEASE), port).await?;
    say(&Said::Votes)?;
    let election = election(name, ports)?;
    loop {
        let leadership = election.campaign().await?;
        let term = leadership.stale_token().rank().seq;
        say(&Said::Leads(term))?;
        let lost = leadership.lost().await;
        say(&Said::Lost(term, lost.why.to_string()))?;
    }
}
