//! What a request gets that its handler does not answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::{KeptBody, Reply};

/// `true` on a reply that was given before: the name that Stripe gives it.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Why a request was not served: in the extensions of the reply that says so.
///
/// | | HTTP | gRPC |
/// |---|---|---|
/// | `NoKey`, `BadKey`, `BadPartition`, `BadBody` | 400 | 3 (`INVALID_ARGUMENT`) |
/// | `TooLarge` | 413 | 8 (`RESOURCE_EXHAUSTED`) |
/// | `Mismatch` | 422 | 9 (`FAILED_PRECONDITION`) |
/// | `InProgress` | 409, `Retry-After` | 10 (`ABORTED`), `grpc-retry-pushback-ms` |
/// | `NotKept` | 409 | 9 (`FAILED_PRECONDITION`) |
/// | `Full`, `NoStore` | 503, `Retry-After` | 14 (`UNAVAILABLE`), `grpc-retry-pushback-ms` |
/// | `Failed` | 500 | 2 (`UNKNOWN`) |
/// | `Overran` | 504 | 4 (`DEADLINE_EXCEEDED`) |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refused {
    /// It has no key, and needs one.
    NoKey,
    /// Its key is no key: see [`LONGEST_KEY`](super::LONGEST_KEY).
    BadKey,
    /// What [`per`](super::IdempotencyLayer::per) made of it is longer than 255 bytes.
    BadPartition,
    /// Its body failed while it was read.
    BadBody,
    /// Its body is longer than the layer reads.
    TooLarge,
    /// Its key belongs to another request.
    Mismatch,
    /// The first under this key is still at it.
    InProgress,
    /// The operation is done, and its reply was too long to be kept.
    NotKept,
    /// There is no room for one more key.
    Full,
    /// The store could not be asked.
    NoStore,
    /// The handler ended without a reply: it panicked, or failed, or its reply did.
    Failed,
    /// The handler outlived its lease, and was ended.
    Overran,
}

impl Refused {
    /// Status, gRPC's code, whether asking again helps, and what to say.
    const fn terms(self) -> (u16, &'static str, bool, &'static str) {
        match self {
            Self::NoKey => (400, "3", false, "Idempotency-Key is missing"),
            Self::BadKey => (
                400,
                "3",
                false,
                "Idempotency-Key is not one value of 1 to 255 visible ASCII characters",
            ),
            Self::BadPartition => (400, "3", false, "the caller's name is too long"),
            Self::BadBody => (400, "3", false, "the body of the request failed"),
            Self::TooLarge => (
                413,
                "8",
                false,
                "the body is too long for an Idempotency-Key",
            ),
            Self::Mismatch => (
                422,
                "9",
                false,
                "Idempotency-Key belongs to another request",
            ),
            Self::InProgress => (
                409,
                "10",
                true,
                "the first request with this Idempotency-Key is still being served",
            ),
            Self::NotKept => (
                409,
                "9",
                false,
                "this operation is done, and its reply was not kept",
            ),
            Self::Full => (503, "14", true, "too many operations are under way"),
            Self::NoStore => (503, "14", true, "idempotency keys cannot be checked now"),
            Self::Failed => (500, "2", false, "the operation failed"),
            Self::Overran => (504, "4", false, "the operation took too long"),
        }
    }

    /// The reply that says so, and when to ask again.
    pub(super) fn reply(self, grpc: bool, again: Duration) -> Reply {
        let (status, code, repeats, title) = self.terms();
        let status = if grpc { 200 } else { status };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = Reply::empty(status);
        let mut set = |name: HeaderName, value| reply.headers.insert(name, value);
        let fixed = HeaderValue::from_static;
        if grpc {
            set(CONTENT_TYPE, fixed("application/grpc"));
            set(HeaderName::from_static("grpc-status"), fixed(code));
            set(HeaderName::from_static("grpc-message"), fixed(title));
            if repeats {
                let name = HeaderName::from_static("grpc-retry-pushback-ms");
                let millis = u32::try_from(again.as_millis()).unwrap_or(u32::MAX);
                set(name, HeaderValue::from(millis));
            }
        } else {
            set(CONTENT_TYPE, fixed("application/problem+json"));
            if repeats {
                set(RETRY_AFTER, HeaderValue::from(whole_seconds(again)));
            }
            reply.body = Bytes::from(format!(
                r#"{{"title":"{title}","status":{}}}"#,
                status.as_u16()
            ));
        }
        reply
    }
}

/// Rounded up: whoever comes earlier comes in vain. At least one.
fn whole_seconds(time: Duration) -> u64 {
    let seconds = time.as_secs();
    seconds.saturating_add(u64::from(time.subsec_nanos() > 0 || seconds == 0))
}

pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    cfg!(feature = "grpc")
        && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

impl Reply {
    /// As it was given.
    pub(super) fn response<R>(&self) -> Response<KeptBody<R>> {
        let body = KeptBody::whole(self.body.clone(), self.trailers.clone());
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }

    /// As it was given, and marked.
    pub(super) fn replayed<R>(&self) -> Response<KeptBody<R>> {
        let mut response = self.response();
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, yes);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        for (millis, want) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_001, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), want);
        }
    }

    #[test]
    fn a_refusal_says_what_it_is() {
        let reply = Refused::InProgress.reply(false, Duration::from_millis(1500));
        assert_eq!(
            (reply.status.as_u16(), &reply.headers[RETRY_AFTER]),
            (409, &"2".parse().unwrap())
        );
        assert!(reply.body.ends_with(br#""status":409}"#));
        let reply = Refused::InProgress.reply(true, Duration::from_millis(1500));
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["grpc-status"], "10");
        assert_eq!(reply.headers["grpc-retry-pushback-ms"], "1500");
        let reply = Refused::NotKept.reply(false, Duration::ZERO);
        assert!(!reply.headers.contains_key(RETRY_AFTER));
    }
}
