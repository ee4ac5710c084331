//! What is worth another attempt over HTTP: the table of `HttpClassify`, line by line, and who may be
//! hedged.
#![cfg(feature = "http")]

mod common;

use std::future::ready;
use std::io::{self, ErrorKind};
use std::time::Duration;

use common::{BoxError, events, probe};
use http::{Method, Request, Response};
use murphy_policy::hedge::Repeatable;
use murphy_policy::http::{HttpClassify, MayRepeat};
use murphy_policy::{Attempt, Classify, Kind, Verdict};
use murphy_policy::{HedgeLayer, Restore, RetryError, RetryLayer};
use tower::{Layer, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);
const ATTEMPT: Attempt = Attempt::new(1, 3);

fn request(method: &Method, keyed: bool) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    if keyed {
        let key = "\"7\"".parse().unwrap();
        request.headers_mut().insert("idempotency-key", key);
    }
    request
}

fn judged(
    classify: &HttpClassify,
    request: &Request<()>,
    outcome: Result<&Response<()>, &BoxError>,
) -> Verdict {
    let seen = Classify::<_, Response<()>, BoxError>::see(classify, request);
    Classify::<Request<()>, _, _>::classify(classify, &seen, &ATTEMPT, outcome)
}

/// The kind of a failed reply, and whether its request may have been processed.
fn of_status(status: u16) -> Option<(Kind, bool)> {
    Some(match status {
        408 => (Kind::Timeout, true),
        425 => (Kind::Transient, false),
        429 => (Kind::Throttled, false),
        500 | 502 | 503 | 504 => (Kind::Server, true),
        _ => return None,
    })
}

#[test]
fn a_status_is_judged_by_method_key_and_hint() {
    let classify = HttpClassify::new();
    for status in 200..600 {
        for (method, is_idempotent) in [
            (Method::GET, true),
            (Method::HEAD, true),
            (Method::OPTIONS, true),
            (Method::TRACE, true),
            (Method::PUT, true),
            (Method::DELETE, true),
            (Method::POST, false),
            (Method::PATCH, false),
        ] {
            for (keyed, hinted) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut reply = Response::builder().status(status);
                if hinted {
                    reply = reply.header("retry-after", "7");
                }
                let reply = reply.body(()).unwrap();
                let verdict = judged(&classify, &request(&method, keyed), Ok(&reply));
                let again = |kind| match hinted {
                    true => Verdict::RetryAfter(kind, SECOND * 7),
                    false => Verdict::Retry(kind),
                };
                let want = match of_status(status) {
                    // The first under this key is still at it.
                    None if status == 409 && keyed && hinted => again(Kind::Conflict),
                    None => Verdict::Success,
                    Some((kind, true)) if !is_idempotent && !keyed => Verdict::Failed(kind),
                    Some((kind, _)) => again(kind),
                };
                let name = format!("{status} to {method}, keyed: {keyed}, hinted: {hinted}");
                assert_eq!(verdict, want, "{name}");
            }
        }
    }
}

#[test]
fn of_a_service_where_repeating_is_safe_every_method_repeats() {
    let reply = Response::builder().status(502).body(()).unwrap();
    let post = request(&Method::POST, false);
    let verdict = |classify| judged(&classify, &post, Ok(&reply));
    assert_eq!(verdict(HttpClassify::new()), Verdict::Failed(Kind::Server));
    let every = HttpClassify::new().every_method();
    assert_eq!(verdict(every), Verdict::Retry(Kind::Server));
}

#[test]
fn what_is_known_to_have_stayed_here_may_be_repeated_whatever_it_asks() {
    let reset = |kind| -> BoxError { io::Error::from(kind).into() };
    let post = request(&Method::POST, false);
    let told = HttpClassify::new().not_sent(|error| {
        let io = error.downcast_ref::<io::Error>();
        io.is_some_and(|io| io.kind() == ErrorKind::NotConnected)
    });
    for (name, classify, kind, want) in [
        (
            "nobody says so",
            HttpClassify::new(),
            ErrorKind::NotConnected,
            Verdict::Failed(Kind::Transient),
        ),
        (
            "it never left",
            told.clone(),
            ErrorKind::NotConnected,
            Verdict::Retry(Kind::NotSent),
        ),
        (
            "another",
            told,
            ErrorKind::ConnectionReset,
            Verdict::Failed(Kind::Transient),
        ),
    ] {
        let error = reset(kind);
        assert_eq!(judged(&classify, &post, Err(&error)), want, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_asks_twice_only_where_that_has_no_further_effect() {
    for (method, keyed, may) in [
        (Method::GET, false, true),
        (Method::PUT, false, true),
        (Method::POST, false, false),
        (Method::PATCH, false, false),
        (Method::POST, true, true),
    ] {
        let name = format!("{method}, keyed: {keyed}");
        assert_eq!(
            MayRepeat.may_repeat(&request(&method, keyed)),
            may,
            "{name}"
        );
        let probe = probe(|n| async move {
            tokio::time::sleep(SECOND).await;
            Ok::<_, BoxError>(n)
        });
        let hedge = HedgeLayer::new(SECOND / 10, MayRepeat).layer(probe.clone());
        let (reply, names) = events(hedge.oneshot(request(&method, keyed))).await;
        assert_eq!(reply.unwrap(), 1, "{name}");
        assert_eq!(probe.calls(), 1 + u32::from(may), "{name}");
        let said = if may {
            "hedge.sent"
        } else {
            "hedge.not_repeatable"
        };
        assert_eq!(names, [said], "{name}");
    }
}

/// Gives the request back, the first so many times.
#[derive(Debug)]
struct Bounced(Option<String>);

#[tokio::test(start_paused = true)]
async fn a_request_that_its_error_gives_back_is_sent_again() {
    for (gives_back, want) in [(9, 3), (2, 3), (1, 2), (0, 1)] {
        let probe = probe(move |n: u32| {
            let back = (n <= gives_back).then(|| "the request".to_owned());
            ready(Err::<(), _>(Bounced(back)))
        });
        let layer = RetryLayer::new().replay(Restore(|error: &mut Bounced| error.0.take()));
        // Not to be cloned, so that nothing else can have repeated it.
        let result = layer
            .typed()
            .layer(probe.clone())
            .oneshot("hello".to_owned())
            .await;
        assert_eq!(probe.calls(), want, "{gives_back}");
        let exhausted = matches!(result, Err(RetryError::Exhausted { attempts: 3, .. }));
        assert_eq!(exhausted, want == 3, "{gives_back}: {result:?}");
    }
    // A failure that is a reply gives nothing back, and stands.
    let judge = |_: &Attempt, _: Result<&u32, &Bounced>| Verdict::Retry(Kind::Server);
    let layer = RetryLayer::new().replay(Restore(|error: &mut Bounced| error.0.take()));
    let service = layer
        .classify(judge)
        .typed()
        .layer(service_fn(|_: String| ready(Ok(7))));
    assert_eq!(service.oneshot("hello".to_owned()).await.unwrap(), 7);
}
