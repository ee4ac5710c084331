//! Voters over HTTP: a request is a line of JSON, and so is the answer.

use anyhow::Result;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use http::Request;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use murphy_lease::{Election, NodeId, Ttl, VoteReply, VoteRequest, VoterService};
use tokio::net::TcpListener;
use tower::util::BoxCloneService;
use tower::{BoxError, ServiceExt, service_fn};

pub(crate) const NAMES: [&str; 5] = ["node-1", "node-2", "node-3", "node-4", "node-5"];

/// How long the others wait for a leader that is gone.
pub(crate) const LEASE: Ttl = Ttl::from_secs(1);

/// A voter at the other end of a wire.
pub(crate) type Voter = BoxCloneService<VoteRequest, VoteReply, BoxError>;

/// Serves a voter at this port, for as long as the process lives.
pub(crate) async fn serve(voter: VoterService, port: u16) -> Result<()> {
    let vote = async |State(voter): State<VoterService>, Json(request): Json<VoteRequest>| {
        let reply = voter.oneshot(request).await;
        reply
            .map(Json)
            .map_err(|e| (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))
    };
    let router = Router::new().route("/vote", post(vote)).with_state(voter);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// The election as `me` sees it: the voters are at these ports.
pub(crate) fn election(me: &str, ports: &[u16]) -> Result<Election<Voter>> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut voters = Vec::new();
    for (name, port) in NAMES.iter().zip(ports) {
        let (client, url) = (client.clone(), format!("http://127.0.0.1:{port}/vote"));
        let ask = service_fn(move |request: VoteRequest| {
            let (client, url) = (client.clone(), url.clone());
            async move {
                let body = Body::from(serde_json::to_vec(&request)?);
                let request = Request::post(url)
                    .header("content-type", "application/json")
                    .body(body)?;
                let (head, body) = client.request(request).await?.into_parts();
                let body = body.collect().await?.to_bytes();
                if head.status != StatusCode::OK {
                    return Err(BoxError::from(String::from_utf8_lossy(&body)));
                }
                Ok(serde_json::from_slice(&body)?)
            }
        });
        voters.push((NodeId::try_new(name)?, BoxCloneService::new(ask)));
    }
    Ok(Election::try_new("primary".parse()?, NodeId::try_new(me)?, voters)?.lease(LEASE))
}
