//! Which error type a policy shows: [`Boxed`] (the default) or [`Typed`].
//!
//! A layer that can fail by itself needs an error that is either its own or the inner service's.
//! Two answers, one setter apart:
//!
//! * **[`Boxed`]**: `Error = BoxError`, as in tower. Whatever the inner error is (hyper's, a
//!   `Status`, `Infallible`, a `BoxError` already), the stack infers, layers can be reordered, and
//!   nothing nests: an inner error passes through as itself, a box is never boxed again, and our
//!   own errors are found with [`find`]. It asks `S::Error: Into<BoxError>`.
//! * **[`Typed`]** (`.typed()`): `Error = TimeoutError<E>`, `DeadlineError<E>` or `RetryError<E>`.
//!   It asks nothing of `E`, neither `Error` nor `Send`, and a `match` sees every case; stacked
//!   layers nest.
//!
//! An enum alone would make `Deadline<Retry<Timeout<S>>>` an onion that changes with the order of
//! layers; a box alone would shut out errors that are not `Error`, or not `Send`.

use std::error::Error;

/// Any error: what [`Boxed`] layers answer with. The same type as `tower::BoxError`.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The layer's error is a [`BoxError`]; the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boxed;

/// The layer's error is an enum over the inner one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Typed;

/// How a layer with failures of type `Own` over a service with errors of type `E` shows either.
/// Sealed: [`Boxed`] and [`Typed`].
pub trait Surface<Own, E>: sealed::Sealed {
    /// What callers see.
    type Error;

    /// Shows a failure of the layer.
    fn own(own: Own) -> Self::Error;

    /// Shows a failure of the inner service.
    fn inner(error: E) -> Self::Error;
}

impl<Own, E> Surface<Own, E> for Boxed
where
    Own: Failure<E>,
    E: Into<BoxError>,
{
    type Error = BoxError;

    #[inline]
    fn own(own: Own) -> BoxError {
        own.boxed()
    }

    #[inline]
    fn inner(error: E) -> BoxError {
        error.into()
    }
}

impl<Own: Failure<E>, E> Surface<Own, E> for Typed {
    type Error = Own::Typed;

    #[inline]
    fn own(own: Own) -> Own::Typed {
        own.typed()
    }

    #[inline]
    fn inner(error: E) -> Own::Typed {
        Own::pass(error)
    }
}

/// A failure that a layer adds to those of type `E` beneath it: [`Elapsed`](crate::Elapsed),
/// [`Expired`](crate::Expired), [`RetryError`](crate::RetryError).
pub trait Failure<E>: Sized {
    /// The enum of both.
    type Typed;

    /// As a variant of the enum.
    fn typed(self) -> Self::Typed;

    /// The other variant: an error from beneath.
    fn pass(error: E) -> Self::Typed;

    /// As itself, in a box.
    fn boxed(self) -> BoxError
    where
        E: Into<BoxError>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Boxed {}
    impl Sealed for super::Typed {}
}

/// The first `T` in `error` or among its sources: one of ours beneath other people's wrappers.
///
/// Looks into `io::Error` too, whose `source` skips the error that it wraps. Gives up after 64
/// errors: a chain can be a ring.
///
/// # Examples
///
/// ```
/// use murphy_policy::{BoxError, Elapsed, RetryError, find};
///
/// fn was_it_time(error: &BoxError) -> bool {
///     find::<Elapsed>(error.as_ref()).is_some()
/// }
///
/// let slow: BoxError = Elapsed::new(std::time::Duration::from_secs(1)).into();
/// let gave_up: BoxError = RetryError::Exhausted { last: slow, attempts: 3 }.into();
/// assert!(was_it_time(&gave_up));
/// ```
#[must_use]
pub fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// `error` and its sources, 64 at most.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    fn within<'a>(error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        let error = *error;
        match error.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as _),
            None => error.source(),
        }
    }
    std::iter::successors(Some(error), within).take(64)
}

/// `error` as an [`Error`], where it is a [`BoxError`].
///
/// `BoxError` is not an `Error` itself, and one bound cannot mean "an `Error`, or a box of one".
/// So our enums are an `Error` over anything printable, and give a source where they can.
pub(crate) fn as_boxed<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    let any: &dyn std::any::Any = error;
    any.downcast_ref::<BoxError>()
        .map(|boxed| &**boxed as &(dyn Error + 'static))
}
