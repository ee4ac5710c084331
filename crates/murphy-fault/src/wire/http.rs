//! [`Http`]: a layer that speaks HTTP, and perhaps gRPC over it.

use std::task::{Context, Poll};

use http::{Request, Response};

use super::answer::{Answering, Statuses, complete};
use super::rewrap::{Own, Rewrapping};
use super::words::{Word, matches};
use super::{Wired, Wiring};
use crate::Fault;
use crate::abilities::{Abilities, Can, Cannot, Given, ability};
use crate::layer::FaultLayer;
use crate::marker::Marker;
use crate::requested::{Asking, REQUESTED_BY};
use crate::struck::Struck;
use crate::wire::body::FaultedBody;

/// The abilities of a layer between `http::Request`s and `http::Response`s. Not to be named:
/// [`FaultLayer::http`] and its neighbours give it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Http<Q = Own, P = Own, T = Statuses> {
    requests: Q,
    replies: P,
    answers: T,
}

impl<K, M, C, R, Q, P, J, X, W, Z> FaultLayer<Abilities<K, M, C, R, Q, P, J, X, W, Z>> {
    /// Lets the layer speak HTTP, between `http::Request`s and `http::Response`s.
    ///
    /// * Refusals with the status, the `Retry-After` and the headers that a fault names; else with
    ///   what a `refusing` setter says, else with 503. The marker is in the extensions.
    /// * Words for `only`, `except` and `exclude`: a method `"POST"`, a path `"/charge/*"`, both
    ///   `"POST /charge/*"`, or a header `"x-user: 17"`; `*` is any run of characters. A word that
    ///   is none of these is refused when a plan is armed, unless
    ///   [`matching`](Self::matching) knows others; where the layer is built later, and of
    ///   [`FaultLayer::new`], it means nobody.
    /// * Bodies that stall, are truncated or reset, or lose their trailers, on both legs. The body
    ///   keeps its type: see [`Rewrap`](crate::Rewrap) for whose can. What came of it is in the
    ///   ledger once the body is over. A call is no longer in flight by then (`limits.in_flight`,
    ///   halt conditions): that ends with the reply's head.
    /// * A lost reply runs to the end of its body (or to its 1,048,576th frame), as does a reply
    ///   that is refused after the work and that of a copy; without this, to its head.
    /// * Faults that are [`requested`](crate::Fault::requested) by a header.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use axum_core::body::Body;
    /// use http::{Request, Response};
    /// use murphy_core::Seed;
    /// use murphy_fault::Chaos;
    /// use std::convert::Infallible;
    /// use tower::{ServiceBuilder, service_fn};
    ///
    /// let layer = Chaos::new(Seed::new(42)).site("api->bank").layer().http();
    /// let stack = ServiceBuilder::new().layer(layer).service(service_fn(
    ///     |request: Request<Body>| async move { Ok::<_, Infallible>(Response::new(request.into_body())) },
    /// ));
    /// # let _ = tower::ServiceExt::oneshot(stack, Request::new(Body::empty()));
    /// # }
    /// ```
    #[must_use]
    pub fn http(self) -> FaultLayer<Abilities<K, M, C, R, Q, P, J, X, Http, Z>> {
        self.wired(Http::default())
    }

    /// As [`http`](Self::http), where the bodies of requests cannot be faulted: a client that sends
    /// `Full` ones.
    #[must_use]
    pub fn http_replies(
        self,
    ) -> FaultLayer<Abilities<K, M, C, R, Q, P, J, X, Http<Cannot, Own>, Z>> {
        self.wired(Http::default())
    }

    /// As [`http`](Self::http), for a body of another kind: `rewrap` puts one around a
    /// [`FaultedBody`], as `reqwest::Body::wrap` does.
    #[must_use]
    pub fn http_with<B, F>(
        self,
        rewrap: F,
    ) -> FaultLayer<Abilities<K, M, C, R, Q, P, J, X, Http<Can<F>, Can<F>>, Z>>
    where
        F: Fn(FaultedBody<B>) -> B,
    {
        let requests = Can::new(rewrap);
        self.wired(Http {
            replies: requests.clone(),
            requests,
            answers: Statuses,
        })
    }

    /// Lets the layer speak gRPC: above or beneath it is HTTP, between the requests and responses
    /// of generated clients and servers.
    ///
    /// All that [`http`](Self::http) gives, and refusals with the [`code`](crate::Fault::code) that
    /// a fault names; else with what a `refusing` setter says, else with `unavailable`. Their
    /// headers are metadata. Such a refusal travels in a response, and of the marker only its text
    /// does, as the status' message; [`refuse::grpc`](crate::refuse::grpc), above a generated
    /// client, keeps all of it, and so does a body that was reset.
    #[cfg(feature = "grpc")]
    #[must_use]
    pub fn grpc(
        self,
    ) -> FaultLayer<Abilities<K, M, C, R, Q, P, J, X, Http<Own, Own, super::answer::Codes>, Z>>
    {
        self.wired(Http::default())
    }
}

impl<Q: Given, P: Given, T: Answering> Wired for Http<Q, P, T> {
    const OFFERED: u32 = T::OFFERED
        | ability::MATCH
        | ability::HTTP_WORDS
        | ability::REFUSE
        | (Q::ABLE * ability::REQUEST_BODIES)
        | (P::ABLE * ability::REPLY_BODIES);
}

impl<B, D, E, Q, P, T> Wiring<Request<B>, Response<D>, E> for Http<Q, P, T>
where
    D: Default,
    Q: Rewrapping<B>,
    P: Rewrapping<D>,
    T: Answering,
{
    fn is(&self, request: &Request<B>, word: &str) -> bool {
        match Word::parse(word) {
            Some(Word::Target { method, path }) => {
                let of = |text: Option<&str>, is: &str| {
                    text.is_none_or(|t| matches(t.as_bytes(), is.as_bytes()))
                };
                method.is_none_or(|m| request.method() == m) && of(path, request.uri().path())
            }
            Some(Word::Header { name, value }) => {
                let mut values = request.headers().get_all(name).iter();
                values.any(|is| matches(value.as_bytes(), is.as_bytes()))
            }
            None => false,
        }
    }

    fn asking(&self, request: &Request<B>, fault: &str) -> Asking {
        let values = request.headers().get_all(REQUESTED_BY);
        Asking::read(values.iter().map(http::HeaderValue::as_bytes), fault)
    }

    fn refuse(
        &self,
        marker: &Marker,
        fault: &Fault,
        own: impl Fn() -> Option<Result<Response<D>, E>>,
    ) -> Option<Result<Response<D>, E>> {
        let named = self.answers.answer(marker, fault, false).map(Ok);
        let usual = || self.answers.answer(marker, fault, true).map(Ok);
        let mut refusal = named.or_else(own).or_else(usual)?;
        if let Ok(response) = &mut refusal {
            complete(response.headers_mut(), &fault.answer);
        }
        Some(refusal)
    }

    fn strike_request(&self, request: Request<B>, bodies: Vec<Struck>) -> Request<B> {
        request.map(|body| self.requests.strike(body, bodies))
    }

    fn strike_reply(&self, reply: Response<D>, bodies: Vec<Struck>) -> Response<D> {
        reply.map(|body| self.replies.strike(body, bodies))
    }

    fn poll_drain(
        &self,
        reply: &mut Response<D>,
        frames: &mut u32,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        self.replies.poll_drain(reply.body_mut(), frames, cx)
    }
}
