//! [`AttemptHeader`]: which attempt it is, for the peer.

use http::{HeaderName, HeaderValue, Request};

use crate::Attempt;
use crate::retry::Stamp;

/// Writes the number of the attempt, 1 for the first, into a header.
///
/// # Examples
///
/// ```
/// use murphy_policy::{RetryLayer, http::AttemptHeader};
///
/// let layer = RetryLayer::new().stamping(AttemptHeader::envoy());
/// ```
#[derive(Clone, Debug)]
pub struct AttemptHeader(HeaderName);

impl AttemptHeader {
    /// Under this name.
    #[must_use]
    pub const fn new(name: HeaderName) -> Self {
        Self(name)
    }

    /// `x-envoy-attempt-count`.
    #[must_use]
    pub const fn envoy() -> Self {
        Self(HeaderName::from_static("x-envoy-attempt-count"))
    }
}

impl<B> Stamp<Request<B>> for AttemptHeader {
    fn stamp(&self, request: &mut Request<B>, attempt: &Attempt) {
        let number = HeaderValue::from(attempt.number());
        request.headers_mut().insert(self.0.clone(), number);
    }
}
