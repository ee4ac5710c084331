//! [`IoClassify`], and what an error of any kind says of an attempt.

use std::any::Any;
use std::error::Error;
use std::io::{self, ErrorKind};

use super::{Attempt, Classify, Kind, Verdict};
use crate::surface::{as_boxed, find};
use crate::{Elapsed, Expired, Limited, Open, Shed, Throttled};

/// Judges errors by the `io::Error` in them: every `Ok` is a success.
///
/// | error | verdict |
/// |---|---|
/// | connection refused, address not available | not sent |
/// | reset, aborted, broken pipe, not connected, unexpected end, interrupted, host or network unreachable | transient |
/// | timed out; [`Elapsed`] | timeout |
/// | [`Expired`], [`Open`], [`Throttled`]: nobody was asked, and waiting longer is for others; invalid input or data, permission denied, unsupported, not found, out of memory | terminal |
/// | [`Shed`], [`Limited`]: too much is under way here | throttled |
/// | anything else | transient |
///
/// Errors are looked for in a [`BoxError`](crate::BoxError) and all its sources.
#[derive(Clone, Copy, Debug, Default)]
pub struct IoClassify;

impl<Req, Res, E: 'static> Classify<Req, Res, E> for IoClassify {
    type Seen = ();

    fn see(&self, _: &Req) {}

    fn classify(&self, (): &(), _: &Attempt, outcome: Result<&Res, &E>) -> Verdict {
        match outcome {
            Ok(_) => Verdict::Success,
            Err(error) => kind_of(error).map_or(Verdict::Terminal, Verdict::Retry),
        }
    }
}

/// How an attempt failed, by its error: nothing if another would fail as well.
pub(crate) fn kind_of<E: 'static>(error: &E) -> Option<Kind> {
    let Some(error) = cause(error) else {
        return Some(Kind::Transient);
    };
    let hopeless = find::<Expired>(error).is_some()
        || find::<Open>(error).is_some()
        || find::<Throttled>(error).is_some();
    if hopeless {
        return None;
    }
    if find::<Elapsed>(error).is_some() {
        return Some(Kind::Timeout);
    }
    if find::<Shed>(error).is_some() || find::<Limited>(error).is_some() {
        return Some(Kind::Throttled);
    }
    let mut io = find::<io::Error>(error);
    // One that only wraps another says nothing itself.
    while let Some(inner) = io
        .filter(|e| e.kind() == ErrorKind::Other)
        .and_then(wrapped)
    {
        io = Some(inner);
    }
    io.map_or(Some(Kind::Transient), |io| kind_of_io(io.kind()))
}

fn wrapped(error: &io::Error) -> Option<&io::Error> {
    find::<io::Error>(error.get_ref()?)
}

/// An error that is a [`BoxError`](crate::BoxError), an `io::Error`, or one of ours.
pub(crate) fn cause<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    let any: &dyn Any = error;
    as_boxed(error)
        .or_else(|| any.downcast_ref::<io::Error>().map(|e| e as _))
        .or_else(|| any.downcast_ref::<Elapsed>().map(|e| e as _))
        .or_else(|| any.downcast_ref::<Expired>().map(|e| e as _))
}

fn kind_of_io(kind: ErrorKind) -> Option<Kind> {
    match kind {
        ErrorKind::ConnectionRefused | ErrorKind::AddrNotAvailable => Some(Kind::NotSent),
        ErrorKind::TimedOut => Some(Kind::Timeout),
        ErrorKind::InvalidInput
        | ErrorKind::InvalidData
        | ErrorKind::PermissionDenied
        | ErrorKind::Unsupported
        | ErrorKind::NotFound
        | ErrorKind::OutOfMemory => None,
        _ => Some(Kind::Transient),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BoxError;

    #[test]
    fn errors_are_found_wherever_they_are() {
        let io = |kind| io::Error::from(kind);
        let boxed = |e: io::Error| -> BoxError { e.into() };
        assert_eq!(
            kind_of(&io(ErrorKind::ConnectionRefused)),
            Some(Kind::NotSent)
        );
        assert_eq!(
            kind_of(&boxed(io(ErrorKind::ConnectionReset))),
            Some(Kind::Transient)
        );
        assert_eq!(kind_of(&boxed(io(ErrorKind::InvalidInput))), None);
        let wrapped = io::Error::other(boxed(io(ErrorKind::TimedOut)));
        assert_eq!(kind_of(&boxed(wrapped)), Some(Kind::Timeout));
        assert_eq!(
            kind_of(&io::Error::other("no more is known")),
            Some(Kind::Transient)
        );
        let second = std::time::Duration::from_secs(1);
        let elapsed: BoxError = Elapsed::new(second).into();
        assert_eq!(kind_of(&elapsed), Some(Kind::Timeout));
        let expired: BoxError = Expired::new(second).into();
        assert_eq!(kind_of(&expired), None);
        assert_eq!(kind_of(&"a text"), Some(Kind::Transient));
    }
}
