//! Every row of the table of faults, over tower's mock and over real sockets: how often the
//! service ran, what the caller saw, the ledger's line.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use murphy_core::Seed;
use murphy_fault::{Chaos, marker, refuse};
use tests::{Arrivals, SITE, Saw, each_row_holds, ms, rows, web};
use tower::{BoxError, Layer, service_fn};

#[tokio::test(start_paused = true)]
async fn each_row_holds_over_a_mock() {
    let chaos = Chaos::new(Seed::new(42));
    let arrivals = Arrivals::default();
    let (mock, mut handle) = tower_test::mock::pair::<u64, u64>();
    let noted = arrivals.clone();
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            let reply = noted.note(request);
            tokio::spawn(async move {
                tokio::time::sleep(ms(10)).await;
                send.send_response(reply);
            });
        }
    });
    let service = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .refusing(refuse::boxed)
        .altering_requests(|request: &mut u64, _| *request += 100)
        .altering_replies(|reply: &mut u64, _| *reply += 1000)
        .layer(mock);
    let saw = |reply: Result<u64, BoxError>| match reply {
        Ok(charged) => Saw::Reply(charged),
        Err(e) => marker(&*e).map(|_| Saw::Refusal).expect("a refusal"),
    };
    each_row_holds(rows(), &chaos, service, &arrivals, |n| n, saw).await;
}

#[tokio::test]
async fn each_row_holds_over_hyper_and_axum_on_loopback() {
    let chaos = Chaos::new(Seed::new(42));
    let arrivals = Arrivals::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let charge = async |State(arrivals): State<Arrivals>, request: axum::extract::Request| {
        let charged = arrivals.note(web::order(request.uri()));
        tokio::time::sleep(ms(10)).await;
        web::reply::<axum::body::Body>(charged)
    };
    let router = Router::new()
        .route("/charge/{order}", get(charge))
        .with_state(arrivals.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });

    // The body is collected beneath the layer: `Incoming` cannot be made, `Bytes` can.
    let client = Client::builder(TokioExecutor::new()).build_http();
    let wire = service_fn(move |request: Request<Bytes>| {
        let reply = client.request(request.map(Full::new));
        async move {
            let (head, body) = reply.await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, BoxError>(Response::from_parts(head, body))
        }
    });
    let service = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .refusing(refuse::http(StatusCode::SERVICE_UNAVAILABLE))
        .altering_requests(web::alter_request)
        .altering_replies(web::alter_reply)
        .layer(wire);
    let ask = |n| web::ask::<Bytes>(&address, n);
    let saw = |reply: Result<_, BoxError>| web::saw(&reply.expect("no real trouble"));
    each_row_holds(rows(), &chaos, service, &arrivals, ask, saw).await;
}
