//! Refusals in the words of the protocol.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::Fault;
use crate::abilities::ability;
use crate::fault::{Answer, With};
use crate::marker::Marker;

/// What a protocol answers by.
pub trait Answering {
    #[doc(hidden)]
    const OFFERED: u32;
    /// The answer that the fault names, if it names one; the usual one where `or_usual`.
    #[doc(hidden)]
    fn answer<B: Default>(
        &self,
        marker: &Marker,
        fault: &Fault,
        or_usual: bool,
    ) -> Option<Response<B>>;
}

/// Answers by status: 503, where the fault names none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statuses;

impl Answering for Statuses {
    const OFFERED: u32 = ability::HTTP;

    fn answer<B: Default>(
        &self,
        marker: &Marker,
        fault: &Fault,
        or_usual: bool,
    ) -> Option<Response<B>> {
        match fault.answer.with {
            Some(With::Status(status)) => {
                let status = StatusCode::from_u16(status.get()).ok()?;
                Some(by_status(status, marker))
            }
            _ => or_usual.then(|| by_status(StatusCode::SERVICE_UNAVAILABLE, marker)),
        }
    }
}

/// Answers by gRPC's status: `unavailable`, where the fault names none.
#[cfg(feature = "grpc")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Codes;

#[cfg(feature = "grpc")]
impl Answering for Codes {
    const OFFERED: u32 = ability::HTTP | ability::GRPC;

    fn answer<B: Default>(
        &self,
        marker: &Marker,
        fault: &Fault,
        or_usual: bool,
    ) -> Option<Response<B>> {
        let by_code = |code| {
            let mut response = crate::refuse::status(code, marker).into_http();
            response.extensions_mut().insert(marker.clone());
            response
        };
        match fault.answer.with {
            Some(With::Code(code)) => Some(by_code(code.into())),
            // As a proxy answers that does not speak gRPC.
            Some(With::Status(_)) => Statuses.answer(marker, fault, or_usual),
            None => or_usual.then(|| by_code(tonic::Code::Unavailable)),
        }
    }
}

fn by_status<B: Default>(status: StatusCode, marker: &Marker) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = status;
    response.extensions_mut().insert(marker.clone());
    response
}

/// Adds what a fault says beside its status.
pub(super) fn complete(headers: &mut HeaderMap, answer: &Answer) {
    for (name, value) in &answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    if let Some(after) = answer.retry_after {
        match headers.contains_key("grpc-status") {
            true => headers.insert("grpc-retry-pushback-ms", whole_millis(after).into()),
            false => headers.insert(RETRY_AFTER, whole_seconds(after).into()),
        };
    }
}

/// Rounded up: who comes back sooner comes back too soon.
fn whole_seconds(after: Duration) -> u64 {
    after
        .as_secs()
        .saturating_add(u64::from(after.subsec_nanos() > 0))
}

/// Rounded up, and no more than the 32 bits that gRPC has for it.
fn whole_millis(after: Duration) -> u64 {
    after.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_to_wait_is_told_enough() {
        for (nanos, seconds, millis) in [
            (0, 0, 0),
            (1, 1, 1),
            (1_000_000_000, 1, 1000),
            (1_000_000_001, 2, 1001),
        ] {
            let after = Duration::from_nanos(nanos);
            assert_eq!(
                (whole_seconds(after), whole_millis(after)),
                (seconds, millis)
            );
        }
        let longest = Duration::MAX;
        assert_eq!(
            (whole_seconds(longest), whole_millis(longest)),
            (u64::MAX, i32::MAX as u64)
        );
    }
}
