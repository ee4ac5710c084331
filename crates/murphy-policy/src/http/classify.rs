//! [`HttpClassify`]: which replies are worth another attempt, of which requests.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};

use super::{IDEMPOTENCY_KEY, retry_after};
use crate::retry::{cause, of_error};
use crate::{Attempt, Classify, Kind, Verdict};

/// Judges by method, status code and `Retry-After`.
///
/// | reply or error | a request that may be repeated | any other |
/// |---|---|---|
/// | 408 | timeout | failed: perhaps it was done |
/// | 425 | transient | transient: it was not processed |
/// | 429 | throttled | throttled: it was not processed |
/// | 409 with `Retry-After`, the request having an idempotency key | conflict: the first is still at it | – |
/// | 500, 502, 503, 504 | the server failed | failed: perhaps it was done |
/// | any other | success | success |
/// | an error that says it was not sent, or kept here | not sent, or withheld | not sent, or withheld |
/// | an error that says it was ended here, such as a lost lease | ended here, and failed | ended here, and failed |
/// | an error | as [`IoClassify`](crate::IoClassify) says | failed, or terminal where that says so |
///
/// A request may be repeated if its method is idempotent (RFC 9110, section 9.2.2) or it has an
/// `Idempotency-Key`. A `Retry-After` of any of these is obeyed as the layer says.
///
/// *Any other* reply is a success of the exchange, not of what was asked: 404, 409, 412 and 428 reach the caller as `Ok`,
/// and so do the refusals of a fence (`FenceGuardLayer` of `murphy-lease`). Look at the status before you take it for done.
///
/// # Examples
///
/// ```
/// use murphy_policy::{RetryLayer, http::HttpClassify};
///
/// let layer = RetryLayer::new().classify(HttpClassify::new());
/// ```
#[derive(Clone, Default)]
pub struct HttpClassify {
    everything_repeats: bool,
    not_sent: Option<Arc<dyn Fn(&(dyn Error + 'static)) -> bool + Send + Sync>>,
}

/// What is kept of a request.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    repeatable: bool,
    keyed: bool,
}

/// Whether repeating a request has no further effect: its method is idempotent, or it has an
/// `Idempotency-Key`.
#[must_use]
pub fn is_repeatable<B>(request: &Request<B>) -> bool {
    is_idempotent(request.method()) || request.headers().contains_key(IDEMPOTENCY_KEY)
}

pub(crate) fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

impl HttpClassify {
    /// As the table says.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whatever the method: for services of which it is known that repeating is safe.
    #[must_use]
    pub fn every_method(mut self) -> Self {
        self.everything_repeats = true;
        self
    }

    /// Says of further errors that the request cannot have left, such as hyper-util's `is_connect`.
    #[must_use]
    pub fn not_sent(
        mut self,
        is: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.not_sent = Some(Arc::new(is));
        self
    }

    fn of_reply<B>(asked: Asked, reply: &Response<B>) -> Verdict {
        let hint = || retry_after(reply.headers());
        let (kind, was_processed) = match reply.status() {
            StatusCode::REQUEST_TIMEOUT => (Kind::Timeout, true),
            StatusCode::TOO_EARLY => (Kind::Transient, false),
            StatusCode::TOO_MANY_REQUESTS => (Kind::Throttled, false),
            StatusCode::CONFLICT if asked.keyed && hint().is_some() => (Kind::Conflict, false),
            StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => (Kind::Server, true),
            _ => return Verdict::Success,
        };
        if was_processed && !asked.repeatable {
            return Verdict::Failed(kind);
        }
        match hint() {
            Some(hint) => Verdict::RetryAfter(kind, hint),
            None => Verdict::Retry(kind),
        }
    }

    fn of_error<E: 'static>(&self, asked: Asked, error: &E) -> Verdict {
        let says = |is: &Arc<dyn Fn(&(dyn Error + 'static)) -> bool + Send + Sync>| {
            cause(error).is_some_and(|e| is(e))
        };
        if self.not_sent.as_ref().is_some_and(says) {
            return Verdict::Retry(Kind::NotSent);
        }
        let verdict = of_error(error);
        match asked.repeatable {
            true => verdict,
            false => verdict.of_once(),
        }
    }
}

impl<B, C, E: 'static> Classify<Request<B>, Response<C>, E> for HttpClassify {
    type Seen = Asked;

    fn see(&self, request: &Request<B>) -> Asked {
        Asked {
            repeatable: self.everything_repeats || is_repeatable(request),
            keyed: request.headers().contains_key(IDEMPOTENCY_KEY),
        }
    }

    fn classify(&self, asked: &Asked, _: &Attempt, outcome: Result<&Response<C>, &E>) -> Verdict {
        match outcome {
            Ok(reply) => Self::of_reply(*asked, reply),
            Err(error) => self.of_error(*asked, error),
        }
    }
}

impl fmt::Debug for HttpClassify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClassify")
            .field("everything_repeats", &self.everything_repeats)
            .finish_non_exhaustive()
    }
}
