//! Timeouts that a request brings along.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Request};
use murphy_core::Scope;

use super::Bound;
use super::limit::{Limit, sealed};
use super::slept::Slept;
use crate::TARGET;

/// How long the reply to this request may take, as an extension of it: see
/// [`TimeoutLayer::by_extension`](super::TimeoutLayer::by_extension).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTimeout(pub Duration);

/// The request's extension, or its header, or else the layer's:
/// [`TimeoutLayer::by_extension`](super::TimeoutLayer::by_extension),
/// [`TimeoutLayer::by_header`](super::TimeoutLayer::by_header).
#[derive(Clone, Debug)]
pub struct ByWire {
    pub(super) own: Duration,
    pub(super) header: Option<(HeaderName, Duration)>,
}

impl sealed::Sealed for ByWire {}

impl<B> Limit<Request<B>> for ByWire {
    type Wait = Slept;

    fn begin(&self, request: &Request<B>) -> Slept {
        let (timeout, bound) = match self.of(request) {
            Some(timeout) => (timeout, Bound::Request),
            None => (self.own, Bound::Layer),
        };
        Slept::new(timeout, bound, &Scope::current(), ())
    }
}

impl ByWire {
    fn of<B>(&self, request: &Request<B>) -> Option<Duration> {
        if let Some(RequestTimeout(timeout)) = request.extensions().get() {
            return Some(*timeout);
        }
        let (name, cap) = self.header.as_ref()?;
        match crate::millis::read(request.headers(), name) {
            Ok(timeout) => timeout.map(|timeout| timeout.min(*cap)),
            Err(crate::millis::Hostile) => {
                hostile(name, request.headers());
                None
            }
        }
    }
}

#[cold]
fn hostile(name: &HeaderName, headers: &HeaderMap) {
    crate::metered::count("murphy_policy_timeout_bad_header_total", name.as_str());
    let values = headers.get_all(name).iter().count();
    tracing::debug!(
        name: "timeout.bad_header", target: TARGET,
        header = name.as_str(), values, "a timeout that is none was ignored",
    );
}
