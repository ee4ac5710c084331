//! What peers may send, and what bodies may do.
#![cfg(feature = "grpc")]

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use murphy_policy::grpc::{GrpcClassify, PeekTrailersLayer};
use murphy_policy::http::{Recorded, ReplayBody, ReplayBodyLayer, retry_after};
use murphy_policy::timeout::BodyTimeoutLayer;
use murphy_policy::{
    Attempt, Backoff, BoxError, Classify, Elapsed, Kind, Replay, RetryLayer, Verdict,
};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

/// Brings these frames, and panics when it is asked again after its end.
struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    over: bool,
}

fn frames(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Frames {
    Frames {
        frames: frames.into_iter().collect(),
        over: false,
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        assert!(!self.over, "asked after its end");
        let frame = self.frames.pop_front();
        self.over = frame.is_none();
        Poll::Ready(frame.map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[test]
fn a_retry_after_that_is_no_right_value_is_as_if_it_were_not_there() {
    let mut headers = HeaderMap::new();
    headers.insert("ratelimit", "\"default\";r=0;t=30".parse().unwrap());
    assert_eq!(retry_after(&headers), Some(Duration::from_secs(30)));
    for value in ["-1", "tomorrow", ""] {
        headers.insert("retry-after", value.parse().unwrap());
        let want = Some(Duration::from_secs(30));
        assert_eq!(retry_after(&headers), want, "{value:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_looked_at_is_not_asked_after_its_end() {
    let service = PeekTrailersLayer.layer(service_fn(async |_: Request<()>| {
        Ok::<_, BoxError>(Response::new(frames([])))
    }));
    let reply = service.oneshot(Request::new(())).await.unwrap();
    assert!(
        reply
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_repeated_is_not_asked_after_its_end() {
    let body = ReplayBody::new(frames([Frame::data(Bytes::from_static(b"x"))]), 10);
    let first = Attempt::new(1, 2);
    let (request, kept) = Replay::<_, BoxError>::split(&Recorded, Request::new(body), &first);
    assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "x");
    let again: Request<ReplayBody<Frames>> =
        Replay::<_, BoxError>::next(&Recorded, &mut kept.unwrap(), &Attempt::new(2, 2), None)
            .unwrap();
    assert_eq!(again.into_body().collect().await.unwrap().to_bytes(), "x");
}

#[tokio::test(start_paused = true)]
async fn frames_without_data_are_not_kept() {
    let empty = (0..10_000).map(|_| Frame::data(Bytes::new()));
    let body = ReplayBody::new(frames(empty), 10);
    let first = Attempt::new(1, 2);
    let (request, kept) = Replay::<_, BoxError>::split(&Recorded, Request::new(body), &first);
    request.into_body().collect().await.unwrap();
    let again: Request<ReplayBody<Frames>> =
        Replay::<_, BoxError>::next(&Recorded, &mut kept.unwrap(), &Attempt::new(2, 2), None)
            .unwrap();
    let mut body = again.into_body();
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn half_a_body_is_never_sent_as_a_whole_one() {
    // Each attempt reads one frame more than the one before, and is lost; the last reads all.
    let parts = ["a", "b", "c", "d"].map(|s| Frame::data(Bytes::from_static(s.as_bytes())));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "4".parse().unwrap());
    let body = frames(parts.into_iter().chain([Frame::trailers(trailers.clone())]));
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let service = ServiceBuilder::new()
        .layer(ReplayBodyLayer::new(4))
        .layer(
            RetryLayer::new()
                .attempts(9)
                .unwrap()
                .pace(Backoff::none())
                .replay(Recorded),
        )
        .service(service_fn(move |request: Request<ReplayBody<Frames>>| {
            let n = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async move {
                let mut body = request.into_body();
                for _ in 0..n.min(7) {
                    let _ = body.frame().await;
                }
                if n < 8 {
                    return Err(BoxError::from("lost"));
                }
                drop(body);
                Ok(n)
            }
        }));
    assert_eq!(service.oneshot(Request::new(body)).await.unwrap(), 8);
}

#[test]
fn an_attempt_that_timed_out_here_is_repeated_whatever_the_codes_where_that_is_safe() {
    let judge = |classify: GrpcClassify, error: BoxError| {
        let outcome: Result<&Response<()>, _> = Err(&error);
        let seen = Classify::<_, Response<()>, BoxError>::see(&classify, &Request::new(()));
        Classify::<Request<()>, _, _>::classify(&classify, &seen, &Attempt::new(1, 3), outcome)
    };
    let elapsed = || Elapsed::new(Duration::from_secs(1)).into();
    let all = GrpcClassify::new().every_method().retrying([]);
    assert_eq!(judge(all, elapsed()), Verdict::Retry(Kind::Timeout));
    let none = GrpcClassify::new();
    assert_eq!(judge(none, elapsed()), Verdict::Failed(Kind::Timeout));
}

/// Brings what it is told to.
struct Told(VecDeque<Poll<Option<Result<Frame<Bytes>, BoxError>>>>);

impl Body for Told {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.pop_front().unwrap_or(Poll::Pending)
    }
}

#[tokio::test(start_paused = true)]
async fn what_follows_an_error_of_the_body_has_time_of_its_own() {
    let second = Duration::from_secs(1);
    let service =
        BodyTimeoutLayer::replies()
            .idle(second)
            .layer(service_fn(async |_: Request<()>| {
                let lost = Poll::Ready(Some(Err("lost".into())));
                let body = Told([Poll::Pending, lost, Poll::Pending].into());
                Ok::<_, BoxError>(Response::new(body))
            }));
    let reply = service.oneshot(Request::new(())).await.unwrap();
    let mut body = Box::pin(reply.into_body());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(body.as_mut().poll_frame(&mut cx).is_pending());
    tokio::time::advance(second / 2).await;
    assert!(body.as_mut().poll_frame(&mut cx).is_ready());
    tokio::time::advance(second * 5).await;
    assert!(body.as_mut().poll_frame(&mut cx).is_pending());
    tokio::time::advance(second * 2).await;
    assert!(body.as_mut().poll_frame(&mut cx).is_ready());
}
