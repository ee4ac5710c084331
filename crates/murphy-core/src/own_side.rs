//! [`OwnSide`]: a call that the caller's own side ended, or withheld.

/// The caller's own side ended this call, or did not send it: it says nothing of the peer.
///
/// An error of a layer that does so has one of these among its [sources](std::error::Error::source), so that policies
/// above, which do not know the layer, judge the call rightly: no failure of the peer, and no attempt that is in vain.
/// `murphy-policy` looks for it in a `BoxError` and all its sources; `murphy-lease` puts it into its lost leases.
///
/// Only for what *this* side did. A service in the same process that hands out such an error as its own answer would pass
/// for its caller.
///
/// # Examples
///
/// ```
/// use std::error::Error;
/// use murphy_core::OwnSide;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("logged out")]
/// struct LoggedOut(#[source] OwnSide);
///
/// let error = LoggedOut(OwnSide::Ended);
/// assert_eq!(error.source().unwrap().downcast_ref(), Some(&OwnSide::Ended));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum OwnSide {
    /// For good: no attempt of this call can succeed any more. What was sent before may have been done.
    #[error("the caller's own side ended the call: it says nothing of the peer")]
    Ended,
    /// For now: nothing was sent, and a later attempt may be.
    #[error("the caller's own side withheld the call: nothing was sent")]
    Withheld,
}
