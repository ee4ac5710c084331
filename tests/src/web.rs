//! Calls over HTTP: the number that is asked for is in the path, the one that is charged in a
//! header, so that hooks can change both whatever the body is.

use http::{HeaderValue, Request, Response, StatusCode, Uri};
use murphy_core::Draw;
use murphy_fault::Marker;

use crate::Saw;

/// The header of the charge.
pub const CHARGED: &str = "charged";

/// Asks to charge `order`.
#[must_use]
pub fn ask<B: Default>(authority: &str, order: u64) -> Request<B> {
    let mut request = Request::new(B::default());
    *request.uri_mut() = uri(authority, order);
    request
}

/// The same request once more, with an empty body.
#[must_use]
pub fn copy<B: Default>(request: &Request<B>) -> Option<Request<B>> {
    let mut copy = Request::new(B::default());
    *copy.uri_mut() = request.uri().clone();
    Some(copy)
}

/// The order that a path asks for.
///
/// # Panics
///
/// If it is none of ours.
#[must_use]
pub fn order(uri: &Uri) -> u64 {
    let last = uri.path().rsplit('/').next();
    last.and_then(|n| n.parse().ok()).expect("/charge/7")
}

/// The reply: so much was charged.
#[must_use]
pub fn reply<B: Default>(charged: u64) -> Response<B> {
    let mut response = Response::new(B::default());
    response
        .headers_mut()
        .insert(CHARGED, HeaderValue::from(charged));
    response
}

/// Corrupts a request: a hundred more.
pub fn alter_request<B>(request: &mut Request<B>, _: Draw) {
    let authority = request.uri().authority().map(ToString::to_string);
    let order = order(request.uri()) + 100;
    *request.uri_mut() = uri(&authority.unwrap_or_default(), order);
}

/// Lies: a thousand more.
pub fn alter_reply<B>(response: &mut Response<B>, _: Draw) {
    let charged = charged(response) + 1000;
    response
        .headers_mut()
        .insert(CHARGED, HeaderValue::from(charged));
}

/// What a caller saw: a charge, or a refusal with its marker.
#[must_use]
pub fn saw<B>(response: &Response<B>) -> Saw {
    if response.extensions().get::<Marker>().is_some() {
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        return Saw::Refusal;
    }
    Saw::Reply(charged(response))
}

fn charged<B>(response: &Response<B>) -> u64 {
    let header = response.headers().get(CHARGED).map(HeaderValue::to_str);
    let number = header.and_then(|text| text.ok()?.parse().ok());
    number.unwrap_or_else(|| panic!("no charge in a {}", response.status()))
}

fn uri(authority: &str, order: u64) -> Uri {
    let text = if authority.is_empty() {
        format!("/charge/{order}")
    } else {
        format!("http://{authority}/charge/{order}")
    };
    text.parse().expect("a URI")
}
