//! Which replies and errors of HTTP are worth another attempt, of which requests.
#![cfg(feature = "http")]

use std::io::{Error, ErrorKind};
use std::time::Duration;

use http::{Method, Request, Response};
use murphy_policy::hedge::Repeatable;
use murphy_policy::http::{HttpClassify, MayRepeat};
use murphy_policy::{Attempt, BoxError, Classify, Kind, Verdict};

const HINT: Duration = Duration::from_secs(7);

/// Looks, posts, and posts under a key.
fn requests() -> [Request<()>; 3] {
    let post = || Request::post("/charge");
    [
        Request::get("/charge").body(()),
        post().body(()),
        post().header("idempotency-key", "k").body(()),
    ]
    .map(Result::unwrap)
}

fn verdict(
    classify: &HttpClassify,
    request: &Request<()>,
    outcome: Result<&Response<()>, &BoxError>,
) -> Verdict {
    let seen = Classify::<_, Response<()>, BoxError>::see(classify, request);
    let attempt = Attempt::new(1, 3);
    Classify::<Request<()>, _, _>::classify(classify, &seen, &attempt, outcome)
}

#[test]
fn a_status_is_judged_by_what_was_asked() {
    use Kind::{Conflict, Server, Throttled, Timeout, Transient};

    // What it means to a look, a post, and a post under a key; `true` where it is worth another.
    let well = [None; 3];
    let if_safe = |kind| [Some((kind, true)), Some((kind, false)), Some((kind, true))];
    let always = |kind| [Some((kind, true)); 3];
    for (status, plain, hinted) in [
        (200, well, well),
        (404, well, well),
        (408, if_safe(Timeout), if_safe(Timeout)),
        (409, well, [None, None, Some((Conflict, true))]),
        (425, always(Transient), always(Transient)),
        (429, always(Throttled), always(Throttled)),
        (500, if_safe(Server), if_safe(Server)),
        (501, well, well),
        (502, if_safe(Server), if_safe(Server)),
        (503, if_safe(Server), if_safe(Server)),
        (504, if_safe(Server), if_safe(Server)),
    ] {
        for (hint, wants) in [(None, plain), (Some("7"), hinted)] {
            let mut reply = Response::builder().status(status);
            if let Some(hint) = hint {
                reply = reply.header("retry-after", hint);
            }
            let reply = reply.body(()).unwrap();
            for (request, want) in requests().iter().zip(wants) {
                let want = match (want, hint) {
                    (None, _) => Verdict::Success,
                    (Some((kind, false)), _) => Verdict::Failed(kind),
                    (Some((kind, true)), None) => Verdict::Retry(kind),
                    (Some((kind, true)), Some(_)) => Verdict::RetryAfter(kind, HINT),
                };
                let got = verdict(&HttpClassify::new(), request, Ok(&reply));
                assert_eq!(got, want, "{status}, hint {hint:?}, {request:?}");
            }
        }
    }
}

#[test]
fn an_error_is_judged_by_what_was_asked() {
    let refused = || BoxError::from(Error::from(ErrorKind::ConnectionRefused));
    let reset = || BoxError::from(Error::from(ErrorKind::ConnectionReset));
    let invalid = || BoxError::from(Error::from(ErrorKind::InvalidInput));
    let transient = Verdict::Retry(Kind::Transient);
    let failed = Verdict::Failed(Kind::Transient);
    for (name, error, want) in [
        ("refused", refused(), [Verdict::Retry(Kind::NotSent); 3]),
        ("reset", reset(), [transient, failed, transient]),
        ("invalid", invalid(), [Verdict::Terminal; 3]),
    ] {
        let got = requests().map(|request| verdict(&HttpClassify::new(), &request, Err(&error)));
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn whoever_knows_more_says_so() {
    let reset = BoxError::from(Error::from(ErrorKind::ConnectionReset));
    let busy = Response::builder().status(503).body(()).unwrap();
    let all = HttpClassify::new().every_method();
    let never = HttpClassify::new().not_sent(|error| error.to_string() == "connection reset");
    for request in &requests() {
        let got = verdict(&all, request, Err(&reset));
        assert_eq!(got, Verdict::Retry(Kind::Transient), "{request:?}");
        let got = verdict(&all, request, Ok(&busy));
        assert_eq!(got, Verdict::Retry(Kind::Server), "{request:?}");
        let got = verdict(&never, request, Err(&reset));
        assert_eq!(got, Verdict::Retry(Kind::NotSent), "{request:?}");
    }
}

#[test]
fn what_may_be_hedged_is_idempotent_or_has_a_key() {
    let may = requests().map(|request| MayRepeat.may_repeat(&request));
    assert_eq!(may, [true, false, true]);
    for (method, want) in [
        (Method::HEAD, true),
        (Method::OPTIONS, true),
        (Method::TRACE, true),
        (Method::PUT, true),
        (Method::DELETE, true),
        (Method::PATCH, false),
        (Method::CONNECT, false),
    ] {
        let request = Request::builder().method(&method).body(()).unwrap();
        assert_eq!(MayRepeat.may_repeat(&request), want, "{method}");
    }
}
