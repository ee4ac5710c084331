//! Beats over HTTP, without a wire: the client's service is the server.
#![cfg(feature = "http")]

mod common;

use bytes::Bytes;
use common::fixed;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use murphy_core::order::NodeId;
use murphy_detect::wire::http::{BeatError, HttpClient, HttpServer};
use murphy_detect::wire::{LONGEST, put_beat};
use murphy_detect::{Heartbeat, Moment, Observer, Verdict};
use std::time::Duration;
use tower::{Service, ServiceExt, service_fn};

fn beat(incarnation: u64, seq: u64) -> Heartbeat {
    Heartbeat {
        node: NodeId::try_new("db-1").unwrap(),
        incarnation,
        seq,
        sent: Moment::from_nanos(seq),
        interval: Duration::from_secs(1),
    }
}

#[tokio::test(start_paused = true)]
async fn a_beat_is_posted_and_acknowledged() {
    let observer = Observer::spawn("peers", fixed(3000));
    let server = HttpServer::new("peers", observer.service());
    let mut client = HttpClient::new(server, Uri::from_static("/beat"));
    for (beat, want) in [
        (beat(7, 1), Verdict::Alive),
        (beat(7, 0), Verdict::Duplicate),
        (beat(6, 0), Verdict::Renew { known: 7 }),
    ] {
        let ack = client.ready().await.unwrap().call(beat).await.unwrap();
        assert_eq!(ack.verdict, want);
        assert_eq!(ack.echo, beat.sent);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_beat_is_refused() {
    let observer = Observer::spawn("peers", fixed(3000));
    let server = HttpServer::new("peers", observer.service());
    let mut good = Vec::new();
    put_beat(&beat(1, 0), &mut good);
    for (method, body, want) in [
        (Method::POST, good.clone(), StatusCode::OK),
        (Method::GET, good.clone(), StatusCode::METHOD_NOT_ALLOWED),
        (Method::POST, Vec::new(), StatusCode::BAD_REQUEST),
        (Method::POST, good[1..].to_vec(), StatusCode::BAD_REQUEST),
        (
            Method::POST,
            vec![b'M'; LONGEST + 1],
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            Method::POST,
            vec![b'M'; 1 << 20],
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
    ] {
        let request = Request::builder().method(method);
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let reply = server.clone().oneshot(request).await.unwrap();
        assert_eq!(reply.status(), want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_no_acknowledgement_is_an_error() {
    let other = service_fn(async |request: Request<Full<Bytes>>| {
        let status = request
            .uri()
            .path()
            .trim_start_matches('/')
            .parse()
            .unwrap();
        let reply = http::Response::builder().status::<u16>(status);
        Ok::<_, std::convert::Infallible>(reply.body(request.into_body()).unwrap())
    });
    let ask = |path| HttpClient::new(other, Uri::from_static(path)).oneshot(beat(1, 0));
    assert!(matches!(
        ask("/404").await,
        Err(BeatError::Status(StatusCode::NOT_FOUND))
    ));
    // An echo: the beat comes back.
    assert!(matches!(ask("/200").await, Err(BeatError::Bad(_))));
}
