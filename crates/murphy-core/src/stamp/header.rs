//! [`Header`]: stamps in HTTP headers.

use std::fmt::Display;
use std::str::FromStr;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};

use super::Carrier;
use crate::order::BadStamp;

/// A header of HTTP requests and responses, which is also metadata of gRPC calls.
///
/// `murphy-stamp` by default. Its value is the stamp's text; more than one value is none that can be
/// read.
///
/// A [`VersionVector`](crate::order::VersionVector) can have 7 423 bytes, where many servers take no more
/// than 8 KiB of headers in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    name: HeaderName,
}

impl Header {
    /// A header of this name. One that ends in `-bin` is not text in gRPC: do not use it there.
    #[must_use]
    pub const fn new(name: HeaderName) -> Self {
        Self { name }
    }

    fn read<T: FromStr<Err = BadStamp>>(&self, headers: &HeaderMap) -> Option<Result<T, BadStamp>> {
        let mut values = headers.get_all(&self.name).iter();
        let text = values.next()?.to_str();
        let only = values.next().is_none();
        Some(match text {
            Ok(text) if only => text.parse(),
            _ => Err(BadStamp {
                kind: "header with a stamp",
                value: String::new(),
                remedy: "send it once, in visible ASCII".into(),
            }),
        })
    }

    fn write(&self, headers: &mut HeaderMap, stamp: &impl Display) {
        // All our stamps are visible ASCII; one that is not stays at home.
        if let Ok(value) = HeaderValue::try_from(stamp.to_string()) {
            headers.insert(&self.name, value);
        }
    }
}

impl Default for Header {
    fn default() -> Self {
        Self::new(HeaderName::from_static("murphy-stamp"))
    }
}

impl<B, T: Display + FromStr<Err = BadStamp>> Carrier<Request<B>, T> for Header {
    fn get(&self, request: &Request<B>) -> Option<Result<T, BadStamp>> {
        self.read(request.headers())
    }

    fn set(&self, request: &mut Request<B>, stamp: T) {
        self.write(request.headers_mut(), &stamp);
    }
}

impl<B, T: Display + FromStr<Err = BadStamp>> Carrier<Response<B>, T> for Header {
    fn get(&self, response: &Response<B>) -> Option<Result<T, BadStamp>> {
        self.read(response.headers())
    }

    fn set(&self, response: &mut Response<B>, stamp: T) {
        self.write(response.headers_mut(), &stamp);
    }
}
