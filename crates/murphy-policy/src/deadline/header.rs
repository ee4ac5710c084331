//! [`Header`]: how a deadline is written on a request, and read from it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::millis::{self, Hostile};

/// What is left of a deadline, in milliseconds: the header in which Envoy tells an upstream how
/// long it will wait.
pub const HEADER: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

#[cfg(feature = "grpc")]
static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Which header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Millis(HeaderName),
    #[cfg(feature = "grpc")]
    Grpc,
}

impl Header {
    pub(super) fn name(&self) -> &HeaderName {
        match self {
            Self::Millis(name) => name,
            #[cfg(feature = "grpc")]
            Self::Grpc => &GRPC_TIMEOUT,
        }
    }

    /// What the sender says is left; none where it says nothing.
    pub(super) fn read(&self, headers: &HeaderMap) -> Result<Option<Duration>, Hostile> {
        match self {
            Self::Millis(name) => millis::read(headers, name),
            #[cfg(feature = "grpc")]
            Self::Grpc => {
                let mut values = headers.get_all(&GRPC_TIMEOUT).iter();
                match (values.next(), values.next()) {
                    (None, _) => Ok(None),
                    (Some(value), None) => super::grpc::parse(value.as_bytes())
                        .map(Some)
                        .ok_or(Hostile),
                    (Some(_), Some(_)) => Err(Hostile),
                }
            }
        }
    }

    /// Says that so much is left, rounded down, unless it says already that there is less.
    pub(super) fn write(&self, headers: &mut HeaderMap, left: Duration) {
        if matches!(self.read(headers), Ok(Some(said)) if said <= left) {
            return;
        }
        let text = match self {
            // As many digits as are read.
            Self::Millis(_) => left.as_millis().min(99_999_999).to_string(),
            #[cfg(feature = "grpc")]
            Self::Grpc => super::grpc::format(left),
        };
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(self.name().clone(), value);
        }
    }
}
