//! What a refused caller is told: an HTTP status or a gRPC code, when to come back, headers.

mod code;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Fault;
use crate::effect::Effect;

pub use code::GrpcCode;

/// The most headers that a refusal carries.
pub(crate) const MOST_HEADERS: usize = 16;

/// The longest header, name and value together.
const LONGEST_HEADER: usize = 4096;

/// Headers that say how a message is framed or ended, which is not a fault's to say.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "grpc-message",
    "grpc-status",
    "retry-after",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a fault asks of its refusal. Empty by default: then the site's own refusal comes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) with: Option<With>,
    pub(crate) retry_after: Option<Duration>,
    /// Sorted by name, each name once.
    pub(crate) headers: Vec<(Arc<str>, Arc<str>)>,
}

/// One or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    Status(HttpStatus),
    Code(GrpcCode),
}

impl Answer {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds a header, if it is one.
    pub(crate) fn header(&mut self, name: &str, value: &str) -> Result<(), BadHeader> {
        let bad = |remedy: &'static str| {
            let name = name.chars().take(64).collect();
            Err(BadHeader { name, remedy })
        };
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return bad("a name is letters, digits and dashes, as `x-reason`");
        }
        if !value.bytes().all(|b| (0x20..0x7F).contains(&b)) {
            return bad("a value is printable ASCII");
        }
        let name = name.to_ascii_lowercase();
        if RESERVED.contains(&&*name) {
            return bad("how a message is framed and answered is not for a header to say");
        }
        let place = self.headers.binary_search_by(|(n, _)| (**n).cmp(&name));
        if name.len() + value.len() > LONGEST_HEADER
            || (place.is_err() && self.headers.len() >= MOST_HEADERS)
        {
            return bad("a refusal has 16 headers of 4096 bytes at most");
        }
        match place {
            Ok(old) => self.headers[old].1 = value.into(),
            Err(gap) => self.headers.insert(gap, (name.into(), value.into())),
        }
        Ok(())
    }
}

impl Fault {
    /// A refusal with this status, where the layer speaks HTTP. Needs
    /// `.http()`. Replaces a [`code`](Self::code). No effect on faults
    /// that refuse nobody.
    #[must_use]
    pub fn status(mut self, status: HttpStatus) -> Self {
        if self.effect.may_refuse() {
            self.answer.with = Some(With::Status(status));
        }
        self
    }

    /// A refusal with this gRPC status. Needs `.grpc()`. Replaces a
    /// [`status`](Self::status). No effect on faults that refuse nobody.
    #[must_use]
    pub fn code(mut self, code: impl Into<GrpcCode>) -> Self {
        if self.effect.may_refuse() {
            self.answer.with = Some(With::Code(code.into()));
        }
        self
    }

    /// A refusal that says when to come back: `Retry-After` in whole seconds, rounded up; beside a
    /// [`code`](Self::code) it is `grpc-retry-pushback-ms`. Needs
    /// `.http()`. No effect on faults that refuse nobody.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        if self.effect.may_refuse() {
            self.answer.retry_after = Some(after);
        }
        self
    }

    /// A refusal with this header; of gRPC, metadata. The last of a name stands. Needs `.http()`.
    /// No effect on faults that refuse nobody.
    ///
    /// # Errors
    ///
    /// [`BadHeader`]: the name is no header's or not for a fault to say, the value is not
    /// printable ASCII, or there are 16 of them already.
    #[doc(alias = "metadata")]
    pub fn try_header(mut self, name: &str, value: &str) -> Result<Self, BadHeader> {
        if self.effect.may_refuse() {
            self.answer.header(name, value)?;
        }
        Ok(self)
    }
}

impl Effect {
    /// Whether a refusal may come of it.
    pub(crate) const fn may_refuse(&self) -> bool {
        matches!(self, Self::Refuse(_) | Self::Lose(_))
    }
}

/// An HTTP status, 200 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HttpStatus(u16);

impl HttpStatus {
    /// 429
    pub const TOO_MANY_REQUESTS: Self = Self(429);
    /// 500
    pub const INTERNAL_SERVER_ERROR: Self = Self(500);
    /// 502
    pub const BAD_GATEWAY: Self = Self(502);
    /// 503
    pub const SERVICE_UNAVAILABLE: Self = Self(503);
    /// 504
    pub const GATEWAY_TIMEOUT: Self = Self(504);

    /// The status with this number.
    ///
    /// # Errors
    ///
    /// [`BadStatus`] outside of 200 to 599: what is less is no answer yet.
    pub const fn try_new(status: u16) -> Result<Self, BadStatus> {
        match status {
            200..=599 => Ok(Self(status)),
            _ => Err(BadStatus { status }),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for HttpStatus {
    type Error = BadStatus;

    fn try_from(status: u16) -> Result<Self, BadStatus> {
        Self::try_new(status)
    }
}

#[cfg(feature = "http")]
impl TryFrom<http::StatusCode> for HttpStatus {
    type Error = BadStatus;

    fn try_from(status: http::StatusCode) -> Result<Self, BadStatus> {
        Self::try_new(status.as_u16())
    }
}

impl fmt::Display for HttpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number that answers no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} is not the status of an answer: {}", BadStatus::REMEDY)]
pub struct BadStatus {
    /// The number.
    pub status: u16,
}

impl BadStatus {
    pub(crate) const REMEDY: &'static str = "write one from 200 to 599, as 503";
}

/// A header that a refusal cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header `{name}`: {remedy}")]
pub struct BadHeader {
    /// Its name, or the first 64 characters of it.
    pub name: String,
    /// What would be right.
    pub remedy: &'static str,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.with {
            Some(With::Status(status)) => write!(f, "; answers {status}")?,
            Some(With::Code(code)) => write!(f, "; answers `{code}`")?,
            None => {}
        }
        if let Some(after) = self.retry_after {
            let after = humantime::format_duration(after);
            write!(f, "; says to come back after {after}")?;
        }
        for (name, value) in &self.headers {
            write!(f, "; with `{name}: {value}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use murphy_core::Probability;

    #[test]
    fn a_status_is_an_answer() {
        for (status, is) in [
            (0, false),
            (199, false),
            (200, true),
            (599, true),
            (600, false),
        ] {
            assert_eq!(HttpStatus::try_new(status).is_ok(), is, "{status}");
        }
        let bad = HttpStatus::try_new(99).unwrap_err().to_string();
        assert_eq!(
            bad,
            "99 is not the status of an answer: write one from 200 to 599, as 503"
        );
    }

    #[test]
    fn a_header_that_breaks_a_message_is_refused() {
        let fault = || Fault::refused(Probability::ALWAYS);
        for (name, value, is) in [
            ("x-reason", "drill", true),
            ("X-Reason", "", true),
            ("", "drill", false),
            ("x reason", "drill", false),
            ("x-reason", "a\r\nb: c", false),
            ("Content-Length", "7", false),
            ("grpc-status", "0", false),
        ] {
            let got = fault().try_header(name, value);
            assert_eq!(got.is_ok(), is, "{name}: {got:?}");
        }
        let full = (0..MOST_HEADERS).try_fold(fault(), |f, n| f.try_header(&format!("x-{n}"), ""));
        assert!(full.unwrap().try_header("x-more", "").is_err());
    }

    #[test]
    fn who_refuses_nobody_answers_nothing() {
        let slow = Fault::altered_reply(Probability::ALWAYS)
            .status(HttpStatus::BAD_GATEWAY)
            .retry_after(Duration::from_secs(1))
            .try_header("x", "y")
            .unwrap();
        assert!(slow.answer.is_empty());
    }
}
