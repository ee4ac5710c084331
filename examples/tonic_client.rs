//! An ordinary gRPC client, and what chaos and policies add to it: the lines between the marks.
//! Fails unless a check gets its answer although the server seems to be away, and unless a stream
//! that breaks in its middle says so and is resumed.
use std::time::Duration;

use murphy_core::{Probability, Seed};
use murphy_fault::{After, Chaos, Fault, GrpcCode, Leg, Plan, Select, TimeLimit, marker};
use murphy_policy::{BoxError, DeadlineLayer, RetryLayer, TimeoutLayer};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const LINK: &str = "client->server";

fn ask() -> HealthCheckRequest {
    HealthCheckRequest {
        service: String::new(),
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let address = incoming.local_addr()?;
    let (reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder().add_service(health);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .connect()
        .await?;

    // ---- chaos and policies: from here
    let chaos = Chaos::new(Seed::new(5));
    let channel = chaos.site(LINK).layer().grpc().layer(channel);
    let client = HealthClient::new(channel);
    let check = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_secs(10)))
        .layer(RetryLayer::new().attempts(4)?)
        .layer(TimeoutLayer::new(Duration::from_secs(1)))
        .service(service_fn(|request: HealthCheckRequest| {
            let mut client = client.clone();
            async move { client.check(request).await }
        }));
    // ---- to here

    let away = Fault::refused(Select::First(2)).code(GrpcCode::Unavailable);
    let armed = chaos.arm(
        &Plan::new().with(LINK, away),
        TimeLimit::After(Duration::from_secs(60)),
    )?;
    let bare = client.clone().check(ask()).await;
    let bare = bare.err().map(|status| status.code());
    let answer = check.oneshot(ask()).await?.into_inner().status();
    println!("a check without policies: {bare:?}; with them: {answer:?}");
    let refused = armed.disarm().injected().len();

    let cut = Fault::reset_body(Leg::Reply, After::Messages(2), Probability::ALWAYS);
    let cut = cut.calls(0..1);
    let _armed = chaos.arm(
        &Plan::new().with(LINK, cut),
        TimeLimit::After(Duration::from_secs(60)),
    )?;
    let (mut heard, mut broken, mut client) = (0, None, client.clone());
    while heard < 4 {
        let mut changes = client.watch(ask()).await?.into_inner();
        loop {
            match changes.message().await {
                Ok(Some(change)) => {
                    heard += 1;
                    println!("watching: {:?}", change.status());
                    let next = [ServingStatus::NotServing, ServingStatus::Serving][heard % 2];
                    reporter.set_service_status("", next).await;
                }
                Ok(None) => return Err("the server ended its stream".into()),
                Err(status) => break broken = Some(told(&status)),
            }
            if heard == 4 {
                break;
            }
        }
    }
    println!("the stream broke once, by {broken:?}, and was resumed");
    let taught = bare == Some(Code::Unavailable) && refused == 2;
    let resumed = broken.as_deref() == Some("reset-reply");
    (taught && resumed)
        .then_some(())
        .ok_or("the lesson did not appear".into())
}

/// The fault behind a status, or its code.
fn told(status: &Status) -> String {
    let code = || status.code().to_string();
    marker(status).map_or_else(code, |marker| marker.fault.to_string())
}
