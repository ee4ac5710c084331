//! [`GrpcClassify`]: status codes and pushback.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};

use super::{Code, Trailers};
use crate::http::{IDEMPOTENCY_KEY, digits, only};
use crate::retry::{Stamp, of_error};
use crate::{Attempt, Classify, Verdict};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
const PREVIOUS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// Judges by `grpc-status` and `grpc-retry-pushback-ms`.
///
/// | | a method that may be repeated | any other |
/// |---|---|---|
/// | OK | success | success |
/// | a retryable code: [`UNAVAILABLE`](Code::UNAVAILABLE) unless [`retrying`](Self::retrying) says otherwise | worth another attempt | failed: perhaps it was done |
/// | `UNAVAILABLE`, `RESOURCE_EXHAUSTED` or `ABORTED`, and the peer says when to come again | at that time | at that time |
/// | any code, and the peer forbids to come again | forbidden | forbidden |
/// | any other code | failed if it is the peer's fault, else terminal | failed, or terminal |
/// | an error that says it was not sent, or kept here | not sent, or withheld | not sent, or withheld |
/// | an error that says it was ended here, such as a lost lease | ended here, and failed | ended here, and failed |
/// | another error, such as [`Elapsed`](crate::Elapsed) | as [`IoClassify`](crate::IoClassify) says | failed, or terminal where that says so |
///
/// A method may be repeated if [`idempotent`](Self::idempotent) or [`every_method`](Self::every_method)
/// says so, or if the request has an `idempotency-key`; without either, none: in gRPC nothing tells a
/// look from a charge. `UNAVAILABLE` is no exception, since "it is not always safe to retry
/// non-idempotent operations" (gRPC, "Status codes"): a proxy says it of a connection that was lost
/// after the request. So gRPC itself repeats nothing that a peer may have seen until somebody names
/// methods and codes (A6).
///
/// Pushback is in milliseconds (`grpc-retry-pushback-ms`). One that is negative, or no integer of 32 bits, forbids to ask
/// again, whatever the code (A6).
///
/// The status is looked for in the headers (a reply of trailers only), then in what
/// [`PeekTrailersLayer`](super::PeekTrailersLayer) found; a reply with neither is a success as far as can be known. Without an
/// HTTP 200 the HTTP status stands for a code, as gRPC maps them: 429, 502, 503 and 504 are
/// unavailable.
///
/// # Examples
///
/// ```
/// use murphy_policy::{RetryLayer, grpc::GrpcClassify};
///
/// let reads = |path: &str| path.starts_with("/shop.Catalogue/Get");
/// let layer = RetryLayer::new().classify(GrpcClassify::new().idempotent(reads));
/// ```
#[derive(Clone)]
pub struct GrpcClassify {
    retrying: Vec<Code>,
    repeatable: Methods,
}

/// Which methods may be repeated.
#[derive(Clone)]
enum Methods {
    None,
    Every,
    These(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

/// What is kept of a request.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    repeatable: bool,
}

impl GrpcClassify {
    /// Repeats what was not done; of methods that may be repeated, what was unavailable too.
    #[must_use]
    pub fn new() -> Self {
        Self {
            retrying: vec![Code::UNAVAILABLE],
            repeatable: Methods::None,
        }
    }

    /// Repeats after these codes: of methods that may be.
    #[must_use]
    pub fn retrying(mut self, codes: impl IntoIterator<Item = Code>) -> Self {
        self.retrying = codes.into_iter().collect();
        self
    }

    /// Which methods may be carried out more than once, by path: `/package.Service/Method`.
    #[must_use]
    pub fn idempotent(mut self, is: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.repeatable = Methods::These(Arc::new(is));
        self
    }

    /// All methods may: for services of which it is known that repeating is safe.
    #[must_use]
    pub fn every_method(mut self) -> Self {
        self.repeatable = Methods::Every;
        self
    }

    fn of_status(&self, asked: Asked, code: Code, fields: &HeaderMap) -> Verdict {
        if code == Code::OK {
            return Verdict::Success;
        }
        let repeats = asked.repeatable && self.retrying.contains(&code);
        match pushback(fields) {
            Some(Pushback::Never) => Verdict::Forbid,
            Some(Pushback::After(wait)) if repeats || code.was_not_done() => {
                Verdict::RetryAfter(code.kind(), wait)
            }
            _ if repeats => Verdict::Retry(code.kind()),
            // Of the others these are the peer's fault, and the rest the request's.
            _ => match code {
                Code::UNKNOWN
                | Code::DEADLINE_EXCEEDED
                | Code::RESOURCE_EXHAUSTED
                | Code::INTERNAL
                | Code::UNAVAILABLE => Verdict::Failed(code.kind()),
                _ => Verdict::Terminal,
            },
        }
    }
}

impl Default for GrpcClassify {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for GrpcClassify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcClassify")
            .field("retrying", &self.retrying)
            .finish_non_exhaustive()
    }
}

impl<B, C, E: 'static> Classify<Request<B>, Response<C>, E> for GrpcClassify {
    type Seen = Asked;

    fn see(&self, request: &Request<B>) -> Asked {
        let named = match &self.repeatable {
            Methods::None => false,
            Methods::Every => true,
            Methods::These(are) => are(request.uri().path()),
        };
        Asked {
            repeatable: named || request.headers().contains_key(IDEMPOTENCY_KEY),
        }
    }

    fn classify(&self, asked: &Asked, _: &Attempt, outcome: Result<&Response<C>, &E>) -> Verdict {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(error) if asked.repeatable => return of_error(error),
            Err(error) => return of_error(error).of_once(),
        };
        if let Some(code) = status(reply.headers()) {
            return self.of_status(*asked, code, reply.headers());
        }
        let trailers = reply.extensions().get::<Trailers>();
        if let Some((code, Trailers(fields))) = trailers.and_then(|t| Some((status(&t.0)?, t))) {
            return self.of_status(*asked, code, fields);
        }
        match of_http(reply.status()) {
            Some(code) => self.of_status(*asked, code, reply.headers()),
            None => Verdict::Success,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pushback {
    After(Duration),
    Never,
}

/// What is no code is unknown, as gRPC has it.
fn status(fields: &HeaderMap) -> Option<Code> {
    fields.contains_key(STATUS).then(|| {
        let number = only(fields, &STATUS).and_then(digits);
        let code = number
            .and_then(|n| u8::try_from(n).ok())
            .and_then(Code::new);
        code.unwrap_or(Code::UNKNOWN)
    })
}

/// A signed integer of 32 bits, as A6 has it: whatever is none of these asks not to be asked again.
fn pushback(fields: &HeaderMap) -> Option<Pushback> {
    if !fields.contains_key(PUSHBACK) {
        return None;
    }
    let value = only(fields, &PUSHBACK).filter(|value| !value.starts_with(b"+"));
    let millis = value
        .and_then(|value| std::str::from_utf8(value).ok()?.parse::<i32>().ok())
        .and_then(|millis| u64::try_from(millis).ok());
    Some(millis.map_or(Pushback::Never, |millis| {
        Pushback::After(Duration::from_millis(millis))
    }))
}

fn of_http(status: StatusCode) -> Option<Code> {
    let number = match status.as_u16() {
        200 => return None,
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    };
    Code::new(number)
}

/// Writes how many attempts there were before into `grpc-previous-rpc-attempts`, from the second on.
#[derive(Clone, Copy, Debug, Default)]
pub struct PreviousAttempts;

impl<B> Stamp<Request<B>> for PreviousAttempts {
    fn stamp(&self, request: &mut Request<B>, attempt: &Attempt) {
        if attempt.number() > 1 {
            let before = HeaderValue::from(attempt.number() - 1);
            request.headers_mut().insert(PREVIOUS, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BoxError;
    use crate::Kind;

    const ATTEMPT: Attempt = Attempt::new(1, 3);

    fn judged(http: u16, fields: &[(&'static str, &str)], in_trailers: bool) -> Verdict {
        let mut reply = Response::builder().status(http).body(()).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        if in_trailers {
            reply.extensions_mut().insert(Trailers(headers));
        } else {
            *reply.headers_mut() = headers;
        }
        let outcome: Result<_, &BoxError> = Ok(&reply);
        let classify = GrpcClassify::new();
        let of_request: &dyn Classify<Request<()>, _, _, Seen = Asked> = &classify;
        of_request.classify(&Asked { repeatable: true }, &ATTEMPT, outcome)
    }

    #[test]
    fn codes_and_pushback_are_judged_wherever_they_are() {
        let after = |ms| Verdict::RetryAfter(Kind::Transient, Duration::from_millis(ms));
        let unavailable = ("grpc-status", "14");
        let pushed = |value| [unavailable, ("grpc-retry-pushback-ms", value)];
        for (name, http, fields, want) in [
            ("ok", 200, &[("grpc-status", "0")][..], Verdict::Success),
            (
                "unavailable",
                200,
                &[unavailable],
                Verdict::Retry(Kind::Transient),
            ),
            (
                "invalid argument",
                200,
                &[("grpc-status", "3")],
                Verdict::Terminal,
            ),
            (
                "no code",
                200,
                &[("grpc-status", "+14")],
                Verdict::Failed(Kind::Server),
            ),
            (
                "no such code",
                200,
                &[("grpc-status", "17")],
                Verdict::Failed(Kind::Server),
            ),
            (
                "two codes",
                200,
                &[unavailable, unavailable],
                Verdict::Failed(Kind::Server),
            ),
            ("pushed back", 200, &pushed("25"), after(25)),
            ("not again", 200, &pushed("-1"), Verdict::Forbid),
            ("no number", 200, &pushed("soon"), Verdict::Forbid),
            ("a sign", 200, &pushed("+25"), Verdict::Forbid),
            ("empty", 200, &pushed(""), Verdict::Forbid),
            (
                "the longest",
                200,
                &pushed("2147483647"),
                after(2_147_483_647),
            ),
            ("too long", 200, &pushed("2147483648"), Verdict::Forbid),
            ("longer", 200, &pushed("99999999999"), Verdict::Forbid),
            (
                "without end",
                200,
                &pushed("99999999999999999999999"),
                Verdict::Forbid,
            ),
            ("zeros", 200, &pushed("00000000000000025"), after(25)),
            ("at once", 200, &pushed("0"), after(0)),
            (
                "a long time ago",
                200,
                &pushed("-2147483649"),
                Verdict::Forbid,
            ),
            ("spaces", 200, &pushed("2 5"), Verdict::Forbid),
            (
                "terminal, and not again",
                200,
                &[("grpc-status", "3"), ("grpc-retry-pushback-ms", "-1")],
                Verdict::Forbid,
            ),
        ] {
            for in_trailers in [false, true] {
                assert_eq!(
                    judged(http, fields, in_trailers),
                    want,
                    "{name}, {in_trailers}"
                );
            }
        }
    }

    #[test]
    fn a_proxys_status_stands_for_a_code() {
        for (http, want) in [
            (200, Verdict::Success),
            (503, Verdict::Retry(Kind::Transient)),
            (429, Verdict::Retry(Kind::Transient)),
            (404, Verdict::Terminal),
            (500, Verdict::Failed(Kind::Server)),
        ] {
            assert_eq!(judged(http, &[], false), want, "{http}");
        }
    }
}
