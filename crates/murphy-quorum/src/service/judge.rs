//! [`Judge`]: what a reply means.

use crate::Outcome;

/// What a reply, or an error, of a member means to the rule.
///
/// Implemented by closures `Fn(Result<&Res, &E>) -> Outcome<R>`.
pub trait Judge<Res, E> {
    /// What the rule looks at: a version, a digest, nothing.
    type Vote: PartialEq;

    /// Yes, no, or unknown. An error that does not say that nothing was done is unknown, and so is a yes
    /// to one.
    fn judge(&self, result: Result<&Res, &E>) -> Outcome<Self::Vote>;
}

/// A reply is a yes, an error unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard;

impl<Res, E> Judge<Res, E> for Heard {
    type Vote = ();

    fn judge(&self, result: Result<&Res, &E>) -> Outcome<()> {
        match result {
            Ok(_) => Outcome::Yes(()),
            Err(_) => Outcome::Unknown,
        }
    }
}

impl<Res, E, R: PartialEq, F: Fn(Result<&Res, &E>) -> Outcome<R>> Judge<Res, E> for F {
    type Vote = R;

    fn judge(&self, result: Result<&Res, &E>) -> Outcome<R> {
        self(result)
    }
}
