//! Scripts of bodies that come in parts, or do not.
#![cfg(feature = "http")]

mod common;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use common::{BoxError, events, is_send};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use murphy_policy::timeout::{BodyError, Idle, Overdue, Stalled, TimedBody};
use murphy_policy::{BodyTimeoutLayer, find};
use tokio::time::{Instant, Sleep, sleep};
use tower::{Layer, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// Brings each part after its wait; then trailers, and the end.
#[derive(Default)]
struct Script {
    waits: VecDeque<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
    fails: bool,
    trailers: bool,
}

fn script(waits: &[u64]) -> Script {
    Script {
        waits: waits
            .iter()
            .map(|wait| SECOND / 10 * *wait as u32)
            .collect(),
        trailers: true,
        ..Script::default()
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let Some(wait) = self.waits.front().copied() else {
            if self.fails {
                return Poll::Ready(Some(Err("reset")));
            }
            let trailers = std::mem::take(&mut self.trailers);
            return Poll::Ready(trailers.then(|| Ok(Frame::trailers(HeaderMap::new()))));
        };
        if !wait.is_zero() {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(wait)));
            std::task::ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        self.waits.pop_front();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"part")))))
    }

    fn is_end_stream(&self) -> bool {
        self.waits.is_empty() && !self.trailers && !self.fails
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(4 * self.waits.len() as u64)
    }
}

/// The body of a reply that passed through `layer`.
async fn reply(layer: BodyTimeoutLayer, body: Script) -> TimedBody<Script> {
    let mut body = Some(body);
    let service = service_fn(move |_: Request<()>| {
        let reply = Response::new(body.take().unwrap());
        async { Ok::<_, BoxError>(reply) }
    });
    let call = is_send(layer.layer(service).oneshot(Request::new(())));
    is_send(call.await.unwrap().into_body())
}

fn layer() -> BodyTimeoutLayer {
    BodyTimeoutLayer::replies()
}

#[tokio::test(start_paused = true)]
async fn a_body_in_time_passes_with_its_size_its_end_and_its_trailers() {
    for layer in [
        layer(),
        layer().idle(SECOND),
        layer().total(SECOND * 9),
        layer().idle(SECOND).total(SECOND * 9),
    ] {
        let mut body = reply(layer, script(&[0, 9, 9, 9])).await;
        assert_eq!(body.size_hint().exact(), Some(16));
        for _ in 0..4 {
            assert!(!body.is_end_stream());
            assert!(body.frame().await.unwrap().unwrap().is_data());
        }
        assert!(body.frame().await.unwrap().unwrap().is_trailers());
        assert!(body.is_end_stream());
        assert!(body.frame().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_fails_and_is_over() {
    let mut body = reply(layer().idle(SECOND), script(&[0, 5, 99])).await;
    let start = Instant::now();
    for _ in 0..2 {
        body.frame().await.unwrap().unwrap();
    }
    let (error, events) = events(body.frame()).await;
    let error = error.unwrap().unwrap_err();
    assert_eq!(find::<Idle>(&*error).unwrap().allowed(), SECOND);
    assert_eq!(error.to_string(), "no part of the body within 1s");
    assert_eq!(start.elapsed(), SECOND * 3 / 2);
    assert_eq!(events, ["timeout.body_idle"]);
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
    assert_eq!(body.size_hint().exact(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_overdue() {
    let body = reply(layer().idle(SECOND).total(SECOND * 2), script(&[6; 100])).await;
    let start = Instant::now();
    let (error, events) = events(body.collect()).await;
    let error = error.unwrap_err();
    assert_eq!(find::<Overdue>(&*error).unwrap().allowed(), SECOND * 2);
    assert_eq!(start.elapsed(), SECOND * 2);
    assert_eq!(events, ["timeout.body_overdue"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_idle_but_can_be_overdue() {
    let mut body = reply(layer().idle(SECOND), script(&[5, 5, 0])).await;
    for _ in 0..3 {
        body.frame().await.unwrap().unwrap();
        sleep(SECOND * 9).await;
    }
    let mut body = reply(layer().total(SECOND * 5), script(&[5, 0, 0])).await;
    body.frame().await.unwrap().unwrap();
    sleep(SECOND * 9).await;
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(find::<Overdue>(&*error).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_bodys_own_error_passes() {
    let failing = Script {
        fails: true,
        ..script(&[5])
    };
    let error = reply(layer().idle(SECOND), failing)
        .await
        .collect()
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "reset");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_trickles_in_fails_where_it_is_read() {
    let service = service_fn(async |request: Request<TimedBody<Script, _>>| {
        let read = request.into_body().collect().await;
        Ok::<_, BoxError>(read.map(|body| body.to_bytes().len()))
    });
    let layer = BodyTimeoutLayer::requests().idle(SECOND).typed();
    for (waits, want) in [(&[5, 5], Ok(8)), (&[5, 50], Err(SECOND))] {
        let read = layer
            .layer(service)
            .oneshot(Request::new(script(waits)))
            .await
            .unwrap();
        let read = read.map_err(|error| match error {
            BodyError::Stalled(Stalled::Idle(idle)) => idle.allowed(),
            other => panic!("{other:?}"),
        });
        assert_eq!(read, want);
    }
}

#[test]
fn a_body_that_never_pends_needs_no_timer() {
    let mut body = std::pin::pin!(async {
        let mut body = reply(layer().idle(SECOND).total(SECOND), script(&[0, 0])).await;
        while let Some(frame) = body.frame().await {
            frame.unwrap();
        }
    });
    let mut cx = Context::from_waker(std::task::Waker::noop());
    assert!(body.as_mut().poll(&mut cx).is_ready());
}
