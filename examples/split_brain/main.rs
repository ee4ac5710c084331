//! Five voters, real servers on loopback, and a network that falls apart into two and three.
//!
//! First without a quorum: who is answered by anybody leads, so there are two leaders, both write, and what they
//! wrote diverges. Then with one: one side elects, the other is told that it cannot. Fails if the lesson does not appear.

mod voter;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use murphy_core::Seed;
use murphy_fault::{Chaos, Plan, TimeLimit};
use murphy_policy::{BoxError, TimeoutLayer};
use murphy_quorum::register::{self, Register, Version, Versioned};
use murphy_quorum::{Ballot, Outcome, Quorum, Rule, Threshold};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use voter::{Ask, Told};

const NODES: [&str; 5] = ["node1", "node2", "node3", "node4", "node5"];
/// How long anybody waits for one answer.
const PATIENCE: Duration = Duration::from_millis(300);

type Line = BoxCloneSyncService<Ask, Told, BoxError>;

/// Lines from one node to all: through the network to the others, not to itself.
fn lines(chaos: &Chaos, from: &str, addresses: &[SocketAddr]) -> Vec<(&'static str, Line)> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let line = |(to, address): (&'static str, &SocketAddr)| {
        let (client, url) = (client.clone(), format!("http://{address}/"));
        let wire = service_fn(move |ask: Ask| {
            let (client, url) = (client.clone(), url.clone());
            async move {
                let body = Body::from(serde_json::to_vec(&ask)?);
                let request = Request::post(url).header("content-type", "application/json");
                let reply = client.request(request.body(body)?).await?;
                let bytes = reply.into_body().collect().await?.to_bytes();
                Ok::<Told, BoxError>(serde_json::from_slice(&bytes)?)
            }
        });
        if from == to {
            return (to, BoxCloneSyncService::new(wire));
        }
        let link = chaos.site(&format!("{from}->{to}")).layer();
        let wire = ServiceBuilder::new()
            .layer(TimeoutLayer::new(PATIENCE))
            .layer(link)
            .service(wire);
        (to, BoxCloneSyncService::new(wire))
    };
    NODES.into_iter().zip(addresses).map(line).collect()
}

/// A candidate asks for votes; whether it leads, and what it is told otherwise.
async fn campaign<U>(lines: Vec<(&'static str, Line)>, term: u64, who: &str, rule: U) -> String
where
    U: Rule<()> + Clone + std::fmt::Debug,
{
    let judge = |told: Result<&Told, &BoxError>| match told {
        Ok(Told::Vote(Ok(_))) => Outcome::Yes(()),
        Ok(_) => Outcome::No,
        Err(_) => Outcome::Unknown,
    };
    let quorum = match Quorum::try_new(lines, rule) {
        Ok(quorum) => quorum.judge(judge),
        Err(e) => return e.to_string(),
    };
    let candidate = who.to_owned();
    match quorum.oneshot(Ask::Vote { term, candidate }).await {
        Ok(answer) => {
            let by: Vec<&str> = answer.by().copied().collect();
            format!("leads, by {}", by.join(", "))
        }
        Err(e) => e.to_string(),
    }
}

/// A node's register, at the other end of a line.
fn replica(line: Line) -> Replica {
    let stored = |told| match told {
        Ok(Told::Register(stored)) => Ok(stored),
        Ok(other) => Err(BoxError::from(format!("no answer to that: {other:?}"))),
        Err(e) => Err(e),
    };
    BoxCloneSyncService::new(line.map_request(Ask::Register).map_result(stored))
}

/// A client of the register, at a node.
fn register(lines: Vec<(&'static str, Line)>, writer: u64) -> anyhow::Result<Reg> {
    let replicas = lines.into_iter().map(|(name, line)| (name, replica(line)));
    Ok(Register::try_new(replicas, writer)?)
}

type Replica = BoxCloneSyncService<register::Ask<String>, Versioned<String>, BoxError>;
type Reg = Register<&'static str, Replica>;

/// What each node has, asked beside the network.
async fn values(addresses: &[SocketAddr]) -> anyhow::Result<Vec<String>> {
    let calm = Chaos::off();
    let mut values = Vec::new();
    for (_, line) in lines(&calm, "anybody", addresses) {
        let told = replica(line)
            .oneshot(register::Ask::Read)
            .await
            .map_err(anyhow::Error::from_boxed)?;
        values.push(told.value.unwrap_or_else(|| "-".into()));
    }
    Ok(values)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The chapter's example: five votes, three for node1.
    let mut ballot = Ballot::try_new(1, NODES)?;
    for (voter, candidate) in NODES
        .into_iter()
        .zip(["node1", "node1", "node2", "node1", "node2"])
    {
        ballot.vote(voter, candidate)?;
    }
    println!(
        "Five votes, three for node1: the leader is {:?}",
        ballot.leader()
    );
    ensure!(ballot.leader() == Some(&"node1"), "three of five elect");

    let chaos = Chaos::new(Seed::new(5));
    for node in NODES {
        let _declared = chaos.node(node);
    }
    let _armed = chaos.arm(&Plan::new(), TimeLimit::After(Duration::from_secs(60)))?;
    without_a_quorum(&chaos).await?;
    with_a_quorum(&chaos).await
}

async fn start() -> anyhow::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for _ in NODES {
        addresses.push(voter::serve().await?);
    }
    Ok(addresses)
}

async fn without_a_quorum(chaos: &Chaos) -> anyhow::Result<()> {
    println!("\nWithout a quorum: whoever is answered by anybody leads.");
    let addresses = start().await?;
    let at = |node: &str| lines(chaos, node, &addresses);
    let cut = chaos
        .network()
        .partition(["node1", "node2"], ["node3", "node4", "node5"])?;
    println!("  node1 node2 | node3 node4 node5");
    for (leader, writer) in [("node1", 1), ("node5", 5)] {
        let elected = campaign(at(leader), 1, leader, Threshold::any(5)?).await;
        println!("  {leader} {elected}");
        ensure!(elected.starts_with("leads"), "nobody hinders it");
        let (counter, value) = (1, Some(format!("{leader}'s")));
        let version = Version { counter, writer };
        let write = register::Ask::Write(Versioned { version, value });
        // Everybody in reach gets it, and nobody counts them.
        for (_, line) in at(leader) {
            let _unheard = replica(line).oneshot(write.clone()).await;
        }
    }
    cut.heal();
    let values = values(&addresses).await?;
    println!("  healed: {}", values.join(" "));
    ensure!(values[0] != values[4], "two leaders, and yet one value");
    println!("  Both were told that their write was done. It was, for some.");
    Ok(())
}

async fn with_a_quorum(chaos: &Chaos) -> anyhow::Result<()> {
    println!("\nWith one: three of five.");
    let addresses = start().await?;
    let at = |node: &str| lines(chaos, node, &addresses);
    let majority = Threshold::majority(5)?;
    let cut = chaos
        .network()
        .partition(["node1", "node2"], ["node3", "node4", "node5"])?;
    println!("  node1 node2 | node3 node4 node5");
    let (small, large) = tokio::join!(
        campaign(at("node1"), 1, "node1", majority),
        campaign(at("node5"), 1, "node5", majority),
    );
    println!("  node1: {small}\n  node5: {large}");
    ensure!(
        small.starts_with("impossible: 3 of 5 needed, 2 reachable"),
        "{small}"
    );
    ensure!(large == "leads, by node3, node4, node5", "{large}");
    let (mut leader, mut minority) = (register(at("node5"), 5)?, register(at("node1"), 1)?);
    leader.write("node5's".to_owned()).await?;
    let refused = minority.write("node1's".to_owned()).await;
    let refused = refused.err().context("a minority wrote")?;
    println!("  node5 writes; node1 is told: {refused}");
    println!("  meanwhile: {}", values(&addresses).await?.join(" "));
    cut.heal();
    let read = minority.read().await?;
    println!(
        "  healed: node1 reads {:?}, and brings it to {:?}",
        read.value(),
        read.laggards()
    );
    ensure!(
        read.value().is_some_and(|value| value == "node5's"),
        "a write was lost"
    );
    // Each read brings what it found to those whom it heard to lag behind.
    for _ in 0..50 {
        if values(&addresses)
            .await?
            .iter()
            .all(|value| value == "node5's")
        {
            break;
        }
        minority.read().await?;
    }
    let values = values(&addresses).await?;
    println!("  converged: {}", values.join(" "));
    ensure!(
        values.iter().all(|value| value == "node5's"),
        "not converged: {values:?}"
    );
    Ok(())
}
