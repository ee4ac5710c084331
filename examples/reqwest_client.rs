//! An ordinary reqwest client, and what chaos and policies add to it: the lines between the marks.
//! Fails unless downloads break without the policies, and all arrive whole with them.
use std::time::Duration;

use axum::{Router, routing::get};
use http::{Request, Response};
use murphy_core::Seed;
use murphy_fault::{Chaos, Plan, TimeLimit};
use murphy_policy::{BoxError, DeadlineLayer, RetryLayer, TimeoutLayer};
use reqwest::Body;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const PLAN: &str = r#"
    version = 1
    [[fault]]
    site = "client->files"
    kind = "reset"
    leg = "reply"
    bytes = 4000
    probability = "25%"
    only = ["GET /report*"]
    [[fault]]
    site = "client->files"
    kind = "refuse"
    leg = "request"
    status = 503
    probability = "25%"
"#;

/// The ordinary part: a file of ten thousand bytes, downloaded.
async fn download(client: Wire, url: String) -> Result<usize, BoxError> {
    let reply = client
        .oneshot(Request::get(url).body(Body::default())?)
        .await?;
    let reply = reqwest::Response::from(reply).error_for_status()?;
    Ok(reply.bytes().await?.len())
}

type Wire = BoxCloneService<Request<Body>, Response<Body>, BoxError>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let files = Router::new().route("/report", get(|| async { vec![7u8; 10_000] }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/report", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, files).await });

    let http = reqwest::Client::new();
    let send = service_fn(move |request: Request<Body>| {
        let (http, request) = (http.clone(), reqwest::Request::try_from(request));
        async move { Ok::<_, BoxError>(Response::from(http.execute(request?).await?)) }
    });

    // ---- chaos and policies: from here
    let chaos = Chaos::new(Seed::new(3));
    let layer = chaos.site("client->files").layer().http_with(Body::wrap);
    let wire: Wire = BoxCloneService::new(layer.layer(send));
    let bare = service_fn(move |url| download(wire.clone(), url));
    let guarded = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_secs(10)))
        .layer(RetryLayer::new().attempts(8)?.no_budget())
        .layer(TimeoutLayer::new(Duration::from_secs(1)))
        .service(bare.clone());
    // ---- to here

    let armed = chaos.arm(
        &Plan::from_toml(PLAN)?,
        TimeLimit::After(Duration::from_secs(60)),
    )?;
    let (mut broke, mut whole) = (0, 0);
    for _ in 0..20 {
        if let Err(e) = bare.clone().oneshot(url.clone()).await {
            broke += 1;
            let status = || {
                e.downcast_ref::<reqwest::Error>()
                    .and_then(reqwest::Error::status)
            };
            match murphy_fault::marker(&*e) {
                Some(marker) => println!("without policies: {}", marker.fault),
                None => println!("without policies: {:?}", status()),
            }
        }
    }
    for _ in 0..20 {
        let bytes = guarded.clone().oneshot(url.clone()).await?;
        whole += u32::from(bytes == 10_000);
    }
    let struck = armed.ledger().injected().len();
    println!(
        "of 20 without policies {broke} broke, of 20 with them {whole} arrived whole; {struck} faults"
    );
    let taught = broke > 0 && whole == 20 && struck > broke;
    taught
        .then_some(())
        .ok_or("the lesson did not appear".into())
}
