//! Beats over HTTP: a `POST` of the same bytes that a datagram has, and the acknowledgement as its reply.

mod client;
mod server;

use http::HeaderValue;

pub use self::client::{BeatError, HttpClient};
pub use self::server::HttpServer;

/// The type of the content of both.
pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.murphy.heartbeat");
