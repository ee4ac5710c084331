//! Retries over real sockets: bodies that are sent again, hints that are obeyed, statuses wherever
//! gRPC puts them, and connections that nobody accepts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use murphy_policy::grpc::{GrpcClassify, PeekTrailersLayer, PreviousAttempts};
use murphy_policy::http::{AttemptHeader, HttpClassify, Recorded, ReplayBody, ReplayBodyLayer};
use murphy_policy::{Backoff, BoxError, RetryError, RetryLayer, find};
use tests::ms;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Status};
use tower::{ServiceBuilder, ServiceExt};

mod pb {
    #![expect(
        unreachable_pub,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated"
    )]
    include!(concat!(env!("OUT_DIR"), "/statements.rs"));
}

/// What a server was sent: the attempt that the client says it is, and the body.
type Sent = Arc<Mutex<Vec<(String, Bytes)>>>;

/// Busy twice, asking for ten seconds; then it says what it was sent.
async fn busy_twice(State(sent): State<Sent>, request: Request) -> Response {
    let attempt = request.headers().get("x-envoy-attempt-count");
    let attempt = attempt.map_or("", |v| v.to_str().unwrap()).to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let calls = {
        let mut sent = sent.lock().unwrap();
        sent.push((attempt, body.clone()));
        sent.len()
    };
    if calls <= 2 {
        return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "10")]).into_response();
    }
    body.into_response()
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// A body of several frames that can be had once.
fn frames() -> StreamBody<impl futures_util::Stream<Item = Result<Frame<Bytes>, Infallible>>> {
    let frames = ["one, ", "two, ", "three"].map(|part| Ok(Frame::data(Bytes::from(part))));
    StreamBody::new(stream::iter(frames))
}

#[tokio::test]
async fn a_streamed_body_is_sent_again_and_a_hint_is_cut() {
    let sent = Sent::default();
    let router = Router::new()
        .fallback(busy_twice)
        .with_state(Arc::clone(&sent));
    let address = serve(router).await;
    for (name, max, method, want) in [
        ("repeated", 64, Method::PUT, (StatusCode::OK, 3)),
        (
            "too long to be kept",
            6,
            Method::PUT,
            (StatusCode::SERVICE_UNAVAILABLE, 1),
        ),
        (
            "not idempotent",
            64,
            Method::POST,
            (StatusCode::SERVICE_UNAVAILABLE, 1),
        ),
    ] {
        sent.lock().unwrap().clear();
        let retry = RetryLayer::new()
            .classify(HttpClassify::new())
            .replay(Recorded)
            .stamping(AttemptHeader::envoy())
            .pace(Backoff::none())
            .longest_hint(ms(40));
        let client = Client::builder(TokioExecutor::new()).build_http();
        let service = ServiceBuilder::new()
            .layer(ReplayBodyLayer::new(max))
            .layer(retry)
            .map_err(BoxError::from)
            .map_request(|request: http::Request<ReplayBody<_>>| request)
            .service(client);
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://{address}/"));
        let began = Instant::now();
        let reply = service
            .oneshot(request.body(frames()).unwrap())
            .await
            .unwrap();
        let sent = sent.lock().unwrap().clone();
        assert_eq!((reply.status(), sent.len()), want, "{name}");
        for (n, (attempt, body)) in (1..).zip(&sent) {
            assert_eq!(attempt, &format!("{n}"), "{name}");
            assert_eq!(body, "one, two, three", "{name}");
        }
        if sent.len() == 3 {
            assert!(began.elapsed() >= ms(80) && began.elapsed() < Duration::from_secs(5));
            let body = reply.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "one, two, three");
        }
    }
}

#[tokio::test]
async fn a_connection_that_nobody_accepts_is_tried_once_more_for_free() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let retry = RetryLayer::new()
        .attempts(2)
        .unwrap()
        .classify(HttpClassify::new())
        .replay(|request: &http::Request<Empty<Bytes>>| Some(request.clone()))
        .pace(Backoff::none());
    let service = ServiceBuilder::new()
        .layer(retry)
        .map_request(move |request: http::Request<Empty<Bytes>>| {
            counted.fetch_add(1, SeqCst);
            request
        })
        .map_err(BoxError::from)
        .service(Client::builder(TokioExecutor::new()).build_http());
    // Even a POST: it cannot have been seen.
    let request = http::Request::post(format!("http://{nobody}/"))
        .body(Empty::new())
        .unwrap();
    let error = service.oneshot(request).await.unwrap_err();
    let gave_up = find::<RetryError>(&*error).unwrap();
    assert!(
        matches!(gave_up, RetryError::Exhausted { attempts: 2, .. }),
        "{gave_up}"
    );
    assert_eq!(tries.load(SeqCst), 3);
}

#[tokio::test]
async fn a_reply_is_that_of_its_server_where_nothing_goes_wrong() {
    let address = serve(Router::new().fallback(async || "hello")).await;
    let service = ServiceBuilder::new()
        .layer(ReplayBodyLayer::new(64))
        .layer(
            RetryLayer::new()
                .classify(HttpClassify::new())
                .replay(Recorded),
        )
        .map_err(BoxError::from)
        .service(Client::builder(TokioExecutor::new()).build_http());
    let request = http::Request::get(format!("http://{address}/"))
        .body(Full::<Bytes>::default())
        .unwrap();
    let reply = service.oneshot(request).await.unwrap();
    assert_eq!(
        reply.into_body().collect().await.unwrap().to_bytes(),
        "hello"
    );
}

/// Unavailable so often, and how: before its headers, or in the trailers of a stream.
#[derive(Clone)]
struct Flaky {
    calls: Arc<AtomicU32>,
    failures: u32,
    pushback: Option<&'static str>,
    before: Arc<Mutex<Vec<String>>>,
}

impl Flaky {
    fn fails(&self, metadata: &tonic::metadata::MetadataMap) -> Option<Status> {
        let before = metadata.get("grpc-previous-rpc-attempts");
        let before = before.map_or("", |v| v.to_str().unwrap()).to_owned();
        self.before.lock().unwrap().push(before);
        if self.calls.fetch_add(1, SeqCst) >= self.failures {
            return None;
        }
        let mut status = Status::unavailable("not now");
        if let Some(pushback) = self.pushback {
            let pushback = pushback.parse().unwrap();
            status
                .metadata_mut()
                .insert("grpc-retry-pushback-ms", pushback);
        }
        Some(status)
    }
}

type Lines = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<pb::Line, Status>> + Send>>;

#[tonic::async_trait]
impl pb::statements_server::Statements for Flaky {
    type ListStream = Lines;

    /// Fails in trailers, after headers that look well.
    async fn list(
        &self,
        request: tonic::Request<pb::Span>,
    ) -> Result<tonic::Response<Lines>, Status> {
        let lines: Vec<_> = match self.fails(request.metadata()) {
            Some(status) => vec![Err(status)],
            None => (1..=request.get_ref().n)
                .map(|n| Ok(pb::Line { n }))
                .collect(),
        };
        Ok(tonic::Response::new(Box::pin(stream::iter(lines))))
    }

    /// Fails at once.
    async fn count(
        &self,
        request: tonic::Request<tonic::Streaming<pb::Line>>,
    ) -> Result<tonic::Response<pb::Span>, Status> {
        if let Some(status) = self.fails(request.metadata()) {
            return Err(status);
        }
        let (mut lines, mut n) = (request.into_inner(), 0);
        while lines.message().await?.is_some() {
            n += 1;
        }
        Ok(tonic::Response::new(pb::Span { n }))
    }
}

type Channel = tower::util::BoxCloneService<
    http::Request<tonic::body::Body>,
    http::Response<tonic::body::Body>,
    BoxError,
>;

/// Four attempts, through a real channel.
async fn client(flaky: Flaky) -> pb::statements_client::StatementsClient<Channel> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = Server::builder().add_service(pb::statements_server::StatementsServer::new(flaky));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let retry = RetryLayer::new()
        .attempts(4)
        .unwrap()
        .classify(GrpcClassify::new().every_method())
        .replay(Recorded)
        .stamping(PreviousAttempts)
        .pace(Backoff::none());
    let channel = ServiceBuilder::new()
        .map_response(|reply: http::Response<_>| reply.map(tonic::body::Body::new))
        .layer(ReplayBodyLayer::new(1024))
        .layer(retry)
        .layer(PeekTrailersLayer)
        .map_request(|request: http::Request<ReplayBody<tonic::body::Body>>| {
            request.map(tonic::body::Body::new)
        })
        .map_err(BoxError::from)
        .service(endpoint.connect().await.unwrap());
    pb::statements_client::StatementsClient::new(channel.boxed_clone())
}

#[tokio::test]
async fn grpc_retries_by_status_wherever_it_is_and_obeys_pushback() {
    for (name, failures, pushback, want, calls) in [
        ("it works", 0, None, Ok(3), 1),
        ("unavailable twice", 2, None, Ok(3), 3),
        ("always", 99, None, Err(Code::Unavailable), 4),
        ("pushed back", 1, Some("30"), Ok(3), 2),
        (
            "asked not to return",
            1,
            Some("-1"),
            Err(Code::Unavailable),
            1,
        ),
    ] {
        for in_trailers in [false, true] {
            let flaky = Flaky {
                calls: Arc::default(),
                failures,
                pushback,
                before: Arc::default(),
            };
            let mut client = client(flaky.clone()).await;
            let began = Instant::now();
            let got = if in_trailers {
                match client.list(pb::Span { n: 3 }).await {
                    Ok(reply) => {
                        let mut lines = reply.into_inner();
                        let mut n = 0;
                        loop {
                            match lines.message().await {
                                Ok(Some(_)) => n += 1,
                                Ok(None) => break Ok(n),
                                Err(status) => break Err(status.code()),
                            }
                        }
                    }
                    Err(status) => Err(status.code()),
                }
            } else {
                let lines = stream::iter((1..=3).map(|n| pb::Line { n }));
                let reply = client.count(lines).await;
                reply.map(|r| r.get_ref().n).map_err(|status| status.code())
            };
            assert_eq!(got, want, "{name}, in trailers {in_trailers}");
            assert_eq!(
                flaky.calls.load(SeqCst),
                calls,
                "{name}, in trailers {in_trailers}"
            );
            if pushback == Some("30") {
                assert!(began.elapsed() >= ms(30), "{name}");
            }
            let before = flaky.before.lock().unwrap().clone();
            let numbers = ["", "1", "2", "3"].map(String::from);
            assert_eq!(before, numbers[..before.len()], "{name}");
        }
    }
}

#[tokio::test]
async fn the_stack_for_grpc_fits_a_channel_and_says_what_is_left() {
    let flaky = Flaky {
        calls: Arc::default(),
        failures: 2,
        pushback: None,
        before: Arc::default(),
    };
    let left = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&left);
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let note = tower::util::MapRequestLayer::new(move |request: http::Request<_>| {
        let timeout = request.headers().get("grpc-timeout").cloned();
        noted
            .lock()
            .unwrap()
            .push(timeout.map(|t| t.to_str().unwrap().to_owned()));
        request
    });
    let server = Server::builder()
        .layer(note)
        .add_service(pb::statements_server::StatementsServer::new(flaky.clone()));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = ServiceBuilder::new()
        .map_response(|reply: http::Response<_>| reply.map(tonic::body::Body::new))
        .layer(murphy_policy::Stack::grpc_judged_by(
            GrpcClassify::new().every_method(),
        ))
        .map_request(|request: http::Request<ReplayBody<tonic::body::Body>>| {
            request.map(tonic::body::Body::new)
        })
        .map_err(BoxError::from)
        .service(endpoint.connect().await.unwrap());
    let mut client = pb::statements_client::StatementsClient::new(channel.boxed_clone());
    let lines = stream::iter((1..=3).map(|n| pb::Line { n }));
    assert_eq!(client.count(lines).await.unwrap().get_ref().n, 3);
    assert_eq!(*flaky.before.lock().unwrap(), ["", "1", "2"]);
    let left = left.lock().unwrap();
    assert_eq!(left.len(), 3);
    for timeout in left.iter() {
        let timeout = timeout.as_deref().unwrap();
        let (number, unit) = timeout.split_at(timeout.len() - 1);
        let number: u64 = number.parse().unwrap();
        // Of ten seconds, in a unit that holds them.
        assert_eq!(unit, "u", "{timeout}");
        assert!((5_000_000..10_000_000).contains(&number), "{timeout}");
    }
}

#[tokio::test]
async fn the_stack_for_http_repeats_a_post_under_one_key() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let handler = move |request: Request| {
        let header = |name: &str| {
            let value = request.headers().get(name).map(|v| v.to_str().unwrap());
            value.unwrap_or_default().to_owned()
        };
        let key = header("idempotency-key");
        let attempt = header("x-envoy-attempt-count");
        let left: u64 = header("x-envoy-expected-rq-timeout-ms").parse().unwrap();
        let calls = {
            let mut seen = noted.lock().unwrap();
            seen.push((key, attempt, left));
            seen.len()
        };
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            match calls {
                1 | 2 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                _ => body.into_response(),
            }
        }
    };
    let address = serve(Router::new().fallback(handler)).await;
    let client = ServiceBuilder::new()
        .layer(murphy_policy::Stack::http())
        .map_err(BoxError::from)
        .service(Client::builder(TokioExecutor::new()).build_http());
    let request = http::Request::post(format!("http://{address}/"))
        .body(frames())
        .unwrap();
    let reply = client.oneshot(request).await.unwrap();
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "one, two, three");
    let seen = seen.lock().unwrap();
    let attempts: Vec<_> = seen
        .iter()
        .map(|(_, attempt, _)| attempt.as_str())
        .collect();
    assert_eq!(attempts, ["1", "2", "3"]);
    assert!(
        seen.iter()
            .all(|(key, ..)| key.len() == 36 && *key == seen[0].0)
    );
    assert!(
        seen.iter()
            .all(|(.., left)| (5_000..=10_000).contains(left)),
        "{seen:?}"
    );
}
