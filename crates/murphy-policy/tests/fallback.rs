//! Scripts of fallbacks: who answers, for what, and what is told.

mod common;

use std::convert::Infallible;
use std::future::{pending, ready};
use std::time::Duration;

use common::{BoxError, events, is_send, probe, slow_to_ready};
use murphy_policy::{
    Attempt, DeadlineLayer, Expired, FallbackCause, FallbackError, FallbackLayer, Kind, Verdict,
    find,
};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

fn refusing(_: &str) -> std::future::Ready<Result<&'static str, BoxError>> {
    ready(Err("refused".into()))
}

#[tokio::test]
async fn a_success_needs_no_fallback() {
    let answer = |(): &(),
                  _: &FallbackCause<&str, BoxError>|
     -> std::future::Ready<Result<&str, BoxError>> { panic!("asked") };
    let service = probe(|_| ready(Ok::<_, BoxError>("real")));
    let call = FallbackLayer::new(answer).layer(service).oneshot(());
    let (reply, events) = events(call).await;
    assert_eq!((reply.unwrap(), events.len()), ("real", 0));
}

#[tokio::test]
async fn a_value_stands_in() {
    let service = FallbackLayer::value("spare").layer(service_fn(refusing));
    let (reply, events) = events(is_send(service.oneshot("hello"))).await;
    assert_eq!(reply.unwrap(), "spare");
    assert_eq!(events, ["fallback.used"]);
}

#[tokio::test(start_paused = true)]
async fn when_the_deadline_fires_there_is_still_an_answer() {
    let answer = |request: &String, cause: &FallbackCause<String, BoxError>| {
        let expired = find::<Expired>(&**cause.error().unwrap())
            .unwrap()
            .allowed();
        let reply = format!("{request} after {expired:?}");
        async {
            sleep(SECOND).await;
            Ok::<_, Infallible>(reply)
        }
    };
    let start = Instant::now();
    let reply = ServiceBuilder::new()
        .layer(FallbackLayer::new(answer).saving(|request: &&str| request.to_string()))
        .layer(DeadlineLayer::new(SECOND * 2))
        .service(service_fn(|_: &str| pending::<Result<String, BoxError>>()))
        .oneshot("hello")
        .await;
    assert_eq!(reply.unwrap(), "hello after 2s");
    assert_eq!(start.elapsed(), SECOND * 3);
}

#[tokio::test(start_paused = true)]
async fn another_service_is_readied_and_called_with_the_request() {
    let other = service_fn(async |request: &'static str| Ok::<_, BoxError>(request));
    let other = slow_to_ready(other, SECOND);
    let service = FallbackLayer::service(other).layer(service_fn(refusing));
    let start = Instant::now();
    assert_eq!(service.oneshot("hello").await.unwrap(), "hello");
    assert_eq!(start.elapsed(), SECOND);
}

#[tokio::test]
async fn a_classifier_says_what_is_a_failure() {
    let judge = |_: &Attempt, outcome: Result<&u16, &BoxError>| match outcome {
        Ok(503) => Verdict::Retry(Kind::Server),
        Err(error) if error.to_string() == "bad request" => Verdict::Success,
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Terminal,
    };
    let answer = |(): &(), cause: &FallbackCause<u16, BoxError>| {
        ready(Ok::<_, BoxError>(
            cause.reply().map_or(1, |status| status + 1),
        ))
    };
    let layer = FallbackLayer::new(answer).classify(judge).named("api");
    let call = |outcome: Result<u16, &'static str>| {
        let service = service_fn(move |()| ready(outcome.map_err(BoxError::from)));
        layer.layer(service).oneshot(())
    };
    assert_eq!(call(Ok(200)).await.unwrap(), 200);
    assert_eq!(call(Ok(503)).await.unwrap(), 504);
    assert_eq!(call(Err("refused")).await.unwrap(), 1);
    let passed = call(Err("bad request")).await.unwrap_err();
    assert_eq!(passed.to_string(), "bad request");
    assert!(find::<FallbackError>(&*passed).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_fails_tells_of_both() {
    let answer = |(): &(), _: &FallbackCause<(), BoxError>| ready(Err::<(), _>("no cache"));
    let call = ServiceBuilder::new()
        .layer(FallbackLayer::new(answer))
        .layer(DeadlineLayer::new(SECOND))
        .service(service_fn(|()| pending::<Result<(), BoxError>>()))
        .oneshot(());
    let (error, events) = events(call).await;
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the fallback failed: no cache; it stood in for: the deadline passed after 1s; \
         the call may still have taken effect"
    );
    assert!(find::<Expired>(&*error).is_some());
    match find::<FallbackError>(&*error) {
        Some(FallbackError::Failed { error, .. }) => assert_eq!(error.to_string(), "no cache"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        events,
        ["deadline.elapsed", "fallback.used", "fallback.failed"]
    );
}

#[tokio::test]
async fn typed_errors_ask_nothing_of_the_inner_one() {
    struct Odd(std::rc::Rc<u8>);
    let answer = |(): &(), _: &FallbackCause<(), Odd>| ready(Err::<(), _>("no cache"));
    let service = service_fn(|()| ready(Err::<(), _>(Odd(std::rc::Rc::new(7)))));
    let error = FallbackLayer::new(answer)
        .typed()
        .layer(service)
        .oneshot(())
        .await;
    assert_eq!(*error.unwrap_err().into_inner().unwrap().0, 7);
}

#[cfg(feature = "http")]
#[tokio::test]
async fn a_marked_answer_can_be_told_from_the_real_thing() {
    use http::Response;
    use murphy_policy::fallback::FromFallback;

    let answer = |(): &(), _: &FallbackCause<Response<()>, BoxError>| {
        ready(Ok::<_, BoxError>(Response::new(())))
    };
    let layer = FallbackLayer::new(answer).marked();
    for (fails, marked) in [(false, None), (true, Some("marked"))] {
        let service = service_fn(move |()| {
            let reply = if fails {
                Err("refused".into())
            } else {
                Ok(Response::new(()))
            };
            ready(reply as Result<_, BoxError>)
        });
        let reply = layer.layer(service).oneshot(()).await.unwrap();
        let mark = reply.extensions().get::<FromFallback>();
        assert_eq!(mark.map(|_| "marked"), marked);
    }
}
