//! A voter: an axum server on loopback, with one vote a term and one value.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use murphy_quorum::register::{self, Stored, Version, Versioned};
use murphy_quorum::{Persisted, Voter};
use serde::{Deserialize, Serialize};

/// What a voter is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Vote {
        term: u64,
        candidate: String,
    },
    Read,
    Write {
        counter: u64,
        writer: u64,
        value: String,
    },
}

/// What it says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) granted: bool,
    pub(crate) counter: u64,
    pub(crate) writer: u64,
    pub(crate) value: Option<String>,
}

/// What the register asks, in the words of the wire.
impl From<register::Ask<String>> for Ask {
    fn from(ask: register::Ask<String>) -> Self {
        match ask {
            register::Ask::Write(Versioned {
                version,
                value: Some(value),
            }) => {
                let Version { counter, writer } = version;
                Self::Write {
                    counter,
                    writer,
                    value,
                }
            }
            register::Ask::Read | register::Ask::Write(_) => Self::Read,
        }
    }
}

impl From<Told> for Versioned<String> {
    fn from(
        Told {
            counter,
            writer,
            value,
            ..
        }: Told,
    ) -> Self {
        let version = Version { counter, writer };
        Self { version, value }
    }
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
    let mut granted = false;
    let ask = match ask {
        Ask::Vote { term, candidate } => {
            // On a real disk this is where the vote would be written down.
            granted = node.0.request(term, &candidate).is_ok();
            register::Ask::Read
        }
        Ask::Read => register::Ask::Read,
        Ask::Write {
            counter,
            writer,
            value,
        } => {
            let version = Version { counter, writer };
            register::Ask::Write(Versioned {
                version,
                value: Some(value),
            })
        }
    };
    let Versioned {
        version: Version { counter, writer },
        value,
    } = node.1.on(ask);
    Json(Told {
        granted,
        counter,
        writer,
        value,
    })
}
