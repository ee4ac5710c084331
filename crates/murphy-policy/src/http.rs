//! What a retry can read from HTTP: methods, status codes, `Retry-After`, bodies.
//!
//! * [`HttpClassify`] judges replies and errors, and knows which requests may be repeated.
//! * [`retry_after`] reads how long a peer wants to be left alone.
//! * [`ReplayBodyLayer`] makes bodies repeatable up to a bound, for [`ReplayBody`] to repeat.
//! * [`AttemptHeader`] tells the peer which attempt it is.
//!
//! What comes over the wire is hostile: numbers are digits and nothing else, at most nineteen of
//! them; what is no right value is as if it were not there.

mod attempt;
mod body;
mod classify;
mod rate_limit;
mod retry_after;

pub use self::attempt::AttemptHeader;
pub use self::body::{Recorded, ReplayBody, ReplayBodyLayer, ReplayBodyService};
pub(crate) use self::classify::is_idempotent;
pub use self::classify::{HttpClassify, is_repeatable};
pub use self::retry_after::retry_after;

use http::HeaderMap;

/// The request header that names an operation, so that it is done once however often it arrives
/// (draft-ietf-httpapi-idempotency-key-header).
pub const IDEMPOTENCY_KEY: http::HeaderName = http::HeaderName::from_static("idempotency-key");

/// The one value of a header; `None` where there is none, or are several.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}

/// A number of digits, and nothing else: no sign, no point, no blank; at most nineteen.
pub(crate) fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |n: u64, digit: &u8| n * 10 + u64::from(digit - b'0');
    Some(text.iter().fold(0, number))
}

/// [`Repeatable`](crate::hedge::Repeatable) by method and `Idempotency-Key`: see [`is_repeatable`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MayRepeat;

impl<B> crate::hedge::Repeatable<http::Request<B>> for MayRepeat {
    fn may_repeat(&self, request: &http::Request<B>) -> bool {
        is_repeatable(request)
    }
}
