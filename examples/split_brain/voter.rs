//! A voter: an axum server on loopback, with one vote a term and one value.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use murphy_quorum::register::{self, Stored, Versioned};
use murphy_quorum::{Persisted, Refusal, Voter};
use serde::{Deserialize, Serialize};

/// What a voter is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Vote { term: u64, candidate: String },
    Register(register::Ask<String>),
}

/// What it says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    Vote(Result<Persisted<String>, Refusal<String>>),
    Register(Versioned<String>),
}

type Node = Arc<Mutex<(Voter<String>, Stored<String>)>>;

/// A server on a port of its own.
pub(crate) async fn serve() -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let node: Node = Arc::new(Mutex::new((
        Voter::new(Persisted::default()),
        Stored::default(),
    )));
    let router = Router::new().route("/", post(answer)).with_state(node);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn answer(State(node): State<Node>, Json(ask): Json<Ask>) -> Json<Told> {
    let mut node = node.lock().expect("nobody panics with it");
    Json(match ask {
        // On a real disk this is where the vote would be written down.
        Ask::Vote { term, candidate } => Told::Vote(node.0.request(term, &candidate).cloned()),
        Ask::Register(ask) => Told::Register(node.1.on(ask)),
    })
}
