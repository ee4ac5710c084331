//! Scripts of deadlines that travel with requests.
#![cfg(feature = "http")]

mod common;

use std::future::{pending, ready};
use std::time::Duration;

use common::{BoxError, events, probe, slow_to_ready};
use http::{Request, Response, StatusCode};
use murphy_core::Scope;
use murphy_policy::deadline::HEADER;
use murphy_policy::{DeadlineLayer, Expired, RetryLayer, SendDeadlineLayer, ServerDeadlineLayer};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);
const NAME: &str = "x-envoy-expected-rq-timeout-ms";

type Reply = Response<String>;

fn asks(name: &str, value: &str) -> Request<()> {
    Request::get("/").header(name, value).body(()).unwrap()
}

/// What the peer is told by a request that was made with 1.2345678 s left.
async fn told(layer: SendDeadlineLayer, name: &str, request: Request<()>) -> Option<String> {
    let name = name.to_owned();
    let service = layer.layer(service_fn(move |request: Request<()>| {
        let value = request
            .headers()
            .get(&name)
            .map(|value| value.to_str().unwrap().to_owned());
        ready(Ok::<_, BoxError>(value))
    }));
    let ends = Instant::now() + Duration::from_nanos(1_234_567_800);
    Scope::current()
        .with_deadline(ends)
        .enter(service.oneshot(request))
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_request_says_what_is_left_and_never_more() {
    let plain = || Request::new(());
    let name = NAME;
    assert_eq!(
        told(SendDeadlineLayer::new(), name, plain()).await.unwrap(),
        "1234"
    );
    let own = SendDeadlineLayer::header("x-left".parse().unwrap());
    assert_eq!(told(own, "x-left", plain()).await.unwrap(), "1234");
    for (said, want) in [("1000", "1000"), ("2000", "1234"), ("soon", "1234")] {
        let told = told(SendDeadlineLayer::new(), name, asks(name, said)).await;
        assert_eq!(told.unwrap(), want, "{said}");
    }
}

#[cfg(feature = "grpc")]
#[tokio::test(start_paused = true)]
async fn a_grpc_request_says_it_in_grpcs_words() {
    let name = "grpc-timeout";
    assert_eq!(
        told(SendDeadlineLayer::grpc(), name, Request::new(()))
            .await
            .unwrap(),
        "1234567u"
    );
    for (said, want) in [("1S", "1S"), ("2S", "1234567u"), ("+1S", "1234567u")] {
        assert_eq!(
            told(SendDeadlineLayer::grpc(), name, asks(name, said))
                .await
                .unwrap(),
            want
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_nothing_is_said() {
    let service = SendDeadlineLayer::new().layer(service_fn(async |request: Request<()>| {
        Ok::<_, BoxError>(request.headers().len())
    }));
    assert_eq!(service.oneshot(Request::new(())).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_says_what_is_left_then() {
    let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = said.clone();
    let service = service_fn(move |request: Request<()>| {
        let value = request.headers()[HEADER].to_str().unwrap().to_owned();
        heard.lock().unwrap().push(value);
        async {
            sleep(SECOND).await;
            Err::<(), BoxError>("refused".into())
        }
    });
    let pace = murphy_policy::Backoff::exponential(SECOND, SECOND);
    ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND * 10))
        .layer(RetryLayer::new().pace(pace))
        .layer(SendDeadlineLayer::new())
        .service(service)
        .oneshot(Request::new(()))
        .await
        .unwrap_err();
    assert_eq!(*said.lock().unwrap(), ["10000", "8000", "6000"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_in_the_scope_of_the_earliest_deadline() {
    let handler = service_fn(|_: Request<()>| {
        let called = Scope::current().deadline();
        async move {
            assert_eq!(called, Scope::current().deadline());
            let left = called.map(|at| at - Instant::now());
            Ok::<_, BoxError>(Response::new(format!("{left:?}")))
        }
    });
    let name = NAME;
    for (most, request, want) in [
        (SECOND * 30, asks(name, "1500"), "Some(1.5s)"),
        (SECOND, asks(name, "1500"), "Some(1s)"),
        (SECOND * 30, Request::new(()), "Some(30s)"),
        (Duration::MAX, Request::new(()), "None"),
        (Duration::MAX, asks(name, "1500"), "Some(1.5s)"),
    ] {
        let service = ServiceBuilder::new()
            .layer(ServerDeadlineLayer::new(most))
            .service(handler);
        assert_eq!(service.oneshot(request).await.unwrap().body(), want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hostile_deadline_is_as_good_as_missing() {
    let long = "9".repeat(10_000);
    let mut hostile: Vec<(&str, &str)> = ["", "+5", "-5", "5.0", "5S", "123456789", "５", &long]
        .map(|value| (NAME, value))
        .into();
    if cfg!(feature = "grpc") {
        let values = [
            "",
            "5",
            "+5S",
            "5X",
            "-5S",
            "123456789S",
            "5 S",
            "５S",
            &long,
        ];
        hostile.extend(values.map(|value| ("grpc-timeout", value)));
    }
    for (name, value) in hostile {
        let handler = service_fn(|_: Request<()>| pending::<Result<Reply, BoxError>>());
        let service = ServiceBuilder::new()
            .layer(ServerDeadlineLayer::new(SECOND * 7))
            .service(handler);
        let mut request = asks("x", "x");
        let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request
            .headers_mut()
            .insert(name.parse::<http::HeaderName>().unwrap(), value);
        let start = Instant::now();
        let (reply, events) = events(service.oneshot(request)).await;
        assert_eq!(reply.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(start.elapsed(), SECOND * 7);
        assert_eq!(events, ["deadline.bad_header", "deadline.elapsed"]);
    }
    let mut twice = asks(NAME, "1");
    twice.headers_mut().append(HEADER, "2".parse().unwrap());
    let handler = service_fn(async |_: Request<()>| Ok::<_, BoxError>(Reply::default()));
    let service = ServiceBuilder::new()
        .layer(ServerDeadlineLayer::new(SECOND))
        .service(handler);
    let (reply, events) = events(service.oneshot(twice)).await;
    assert_eq!(
        (reply.unwrap().status(), events),
        (StatusCode::OK, vec!["deadline.bad_header"])
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_no_time_left_is_not_begun() {
    let service = probe(|_| ready(Ok::<_, BoxError>(Reply::default())));
    let server = ServiceBuilder::new()
        .layer(ServerDeadlineLayer::new(SECOND))
        .service(service.clone());
    let (reply, events) = events(server.oneshot(asks(NAME, "0"))).await;
    let reply = reply.unwrap();
    assert_eq!(
        (reply.status(), service.calls()),
        (StatusCode::GATEWAY_TIMEOUT, 0)
    );
    assert_eq!(
        reply.extensions().get(),
        Some(&Expired::new(Duration::ZERO))
    );
    assert_eq!(events, ["deadline.dropped"]);
}

#[tokio::test(start_paused = true)]
async fn the_time_in_a_queue_counts() {
    let service = probe(|_| ready(Ok::<_, BoxError>(Reply::default())));
    let slow = slow_to_ready(service.clone(), SECOND * 3);
    let server = ServiceBuilder::new()
        .layer(ServerDeadlineLayer::new(SECOND * 9))
        .service(slow);
    let start = Instant::now();
    let reply = server.clone().oneshot(asks(NAME, "2000")).await.unwrap();
    assert_eq!(
        (reply.status().as_u16(), service.calls(), start.elapsed()),
        (504, 0, SECOND * 2)
    );
    let reply = server.oneshot(asks(NAME, "4000")).await.unwrap();
    assert_eq!((reply.status().as_u16(), service.calls()), (200, 1));
}

#[tokio::test(start_paused = true)]
async fn who_gets_ready_when_nobody_waits_any_more_is_not_called() {
    let handler = service_fn(
        |_: Request<()>| -> std::future::Ready<Result<Reply, BoxError>> { panic!("called") },
    );
    let slow = slow_to_ready(handler, SECOND * 3);
    let server = ServiceBuilder::new()
        .layer(ServerDeadlineLayer::new(SECOND * 9))
        .service(slow);
    let reply = server.oneshot(asks(NAME, "3000")).await.unwrap();
    assert_eq!(reply.status().as_u16(), 504);
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_finish_where_that_is_wanted() {
    let handler = service_fn(async |_: Request<()>| {
        sleep(SECOND * 5).await;
        Ok::<_, BoxError>(Reply::default())
    });
    let layer = ServerDeadlineLayer::new(SECOND * 9);
    for (layer, status, took) in [(layer.clone(), 504, 2), (layer.let_finish(), 200, 5)] {
        let start = Instant::now();
        let service = ServiceBuilder::new().layer(layer).service(handler);
        let reply = service.oneshot(asks(NAME, "2000")).await.unwrap();
        assert_eq!(
            (reply.status().as_u16(), start.elapsed()),
            (status, SECOND * took)
        );
    }
}

#[cfg(feature = "grpc")]
#[tokio::test(start_paused = true)]
async fn a_grpc_client_hears_of_it_in_trailers_only() {
    let handler = service_fn(|_: Request<()>| pending::<Result<Reply, BoxError>>());
    for timeout in ["0m", "1500m"] {
        let server = ServiceBuilder::new()
            .layer(ServerDeadlineLayer::new(SECOND * 9))
            .service(handler);
        let mut request = asks("grpc-timeout", timeout);
        request
            .headers_mut()
            .insert("content-type", "application/grpc+proto".parse().unwrap());
        let start = Instant::now();
        let reply = server.oneshot(request).await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK);
        assert_eq!(reply.headers()["grpc-status"], "4");
        assert_eq!(reply.headers()["content-type"], "application/grpc");
        let took = if timeout == "0m" {
            Duration::ZERO
        } else {
            SECOND * 3 / 2
        };
        assert_eq!(start.elapsed(), took);
    }
}
