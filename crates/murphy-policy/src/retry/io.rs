//! [`IoClassify`], and what an error of any kind says of an attempt.

use std::any::Any;
use std::error::Error;
use std::io::{self, ErrorKind};

use murphy_core::OwnSide;

use super::judge::{is_of_several, is_over_here, is_refusal};
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
/// | [`Shed`], [`Limited`]: too much is under way here | withheld: worth another attempt |
/// | [`OwnSide::Withheld`], such as a lease with too little left: nothing was sent | withheld: worth another attempt |
/// | [`Open`], [`Throttled`]: waiting longer is for others | withheld, and failed |
/// | [`OwnSide::Ended`], such as a lost lease: no attempt can succeed | ended here, and failed |
/// | [`Expired`]; invalid input or data, permission denied, unsupported, not found, out of memory | terminal |
/// | anything else | transient |
///
/// Errors are looked for in a [`BoxError`](crate::BoxError) and all its sources; of an error of any other type, which is
/// neither an `io::Error` nor one of ours, nothing is known but that it is there: transient. Where one is the last of
/// several attempts ([`RetryError`](crate::RetryError)), what never left is transient: the others may have.
#[derive(Clone, Copy, Debug, Default)]
pub struct IoClassify;

impl<Req, Res, E: 'static> Classify<Req, Res, E> for IoClassify {
    type Seen = ();

    fn see(&self, _: &Req) {}

    fn classify(&self, (): &(), _: &Attempt, outcome: Result<&Res, &E>) -> Verdict {
        match outcome {
            Ok(_) => Verdict::Success,
            Err(error) => of_error(error),
        }
    }
}

/// The verdict on an attempt of a request that may be repeated, by its error.
pub(crate) fn of_error<E: 'static>(error: &E) -> Verdict {
    let Some(error) = cause(error) else {
        return Verdict::Retry(Kind::Transient);
    };
    if is_refusal(error) {
        let in_vain = find::<Open>(error).is_some() || find::<Throttled>(error).is_some();
        return match in_vain {
            true => Verdict::Failed(Kind::Withheld),
            false => Verdict::Retry(Kind::Withheld),
        };
    }
    if is_over_here(error) {
        return Verdict::Failed(Kind::Ended);
    }
    if find::<Expired>(error).is_some() {
        return Verdict::Terminal;
    }
    if find::<Elapsed>(error).is_some() {
        return Verdict::Retry(Kind::Timeout);
    }
    let mut io = find::<io::Error>(error);
    // One that only wraps another says nothing itself.
    while let Some(inner) = io
        .filter(|e| e.kind() == ErrorKind::Other)
        .and_then(wrapped)
    {
        io = Some(inner);
    }
    match io.map_or(Some(Kind::Transient), |io| kind_of_io(io.kind())) {
        Some(Kind::NotSent) if is_of_several(error) => Verdict::Retry(Kind::Transient),
        Some(kind) => Verdict::Retry(kind),
        None => Verdict::Terminal,
    }
}

fn wrapped(error: &io::Error) -> Option<&io::Error> {
    find::<io::Error>(error.get_ref()?)
}

/// An error that is a [`BoxError`](crate::BoxError), an `io::Error`, or one of ours: no other can be looked into.
pub(crate) fn cause<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    let any: &dyn Any = error;
    as_boxed(error)
        .or_else(|| any.downcast_ref::<io::Error>().map(|e| e as _))
        .or_else(|| any.downcast_ref::<Elapsed>().map(|e| e as _))
        .or_else(|| any.downcast_ref::<Expired>().map(|e| e as _))
        .or_else(|| any.downcast_ref::<Shed>().map(|e| e as _))
        .or_else(|| any.downcast_ref::<Limited>().map(|e| e as _))
        .or_else(|| any.downcast_ref::<Open>().map(|e| e as _))
        .or_else(|| any.downcast_ref::<Throttled>().map(|e| e as _))
        .or_else(|| any.downcast_ref::<OwnSide>().map(|e| e as _))
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
        let retry = Verdict::Retry;
        let refused = io(ErrorKind::ConnectionRefused);
        assert_eq!(of_error(&refused), retry(Kind::NotSent));
        let reset = boxed(io(ErrorKind::ConnectionReset));
        assert_eq!(of_error(&reset), retry(Kind::Transient));
        let invalid = boxed(io(ErrorKind::InvalidInput));
        assert_eq!(of_error(&invalid), Verdict::Terminal);
        let wrapped = io::Error::other(boxed(io(ErrorKind::TimedOut)));
        assert_eq!(of_error(&boxed(wrapped)), retry(Kind::Timeout));
        let unknown = io::Error::other("no more is known");
        assert_eq!(of_error(&unknown), retry(Kind::Transient));
        let second = std::time::Duration::from_secs(1);
        let elapsed: BoxError = Elapsed::new(second).into();
        assert_eq!(of_error(&elapsed), retry(Kind::Timeout));
        let own = |side: OwnSide| BoxError::from(side);
        let ended = Verdict::Failed(Kind::Ended);
        assert_eq!(of_error(&own(OwnSide::Withheld)), retry(Kind::Withheld));
        assert_eq!(of_error(&own(OwnSide::Ended)), ended);
        assert_eq!(of_error(&OwnSide::Ended), ended);
        let within = io::Error::other(own(OwnSide::Ended));
        assert_eq!(of_error(&boxed(within)), ended);
        let expired: BoxError = Expired::new(second).into();
        assert_eq!(of_error(&expired), Verdict::Terminal);
        assert_eq!(of_error(&"a text"), retry(Kind::Transient));
    }
}
