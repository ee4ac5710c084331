//! [`tokens_rise`] and [`tokens_never_fall`]: fencing tokens are monotonic.

use std::fmt::Debug;

/// A token that is not above the one before it, or is below.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("token {token:?} at {at} comes after {before:?}")]
pub struct Fell<T: Debug> {
    /// The token.
    pub token: T,
    /// Where it is, from 0.
    pub at: usize,
    /// The highest before it.
    pub before: T,
}

/// Whether each token is above all before: of *grants*, in the order in which they were made.
///
/// # Errors
///
/// [`Fell`], of the first that is not.
///
/// # Examples
///
/// ```
/// use murphy_check::invariant::{tokens_never_fall, tokens_rise};
///
/// assert!(tokens_rise([1, 2, 5]).is_ok());
/// assert!(tokens_rise([1, 2, 2]).is_err());
/// assert!(tokens_never_fall([1, 2, 2]).is_ok());
/// assert_eq!(tokens_never_fall([3, 2]).unwrap_err().to_string(), "token 2 at 1 comes after 3");
/// ```
pub fn tokens_rise<T: PartialOrd + Debug>(
    grants: impl IntoIterator<Item = T>,
) -> Result<(), Fell<T>> {
    rise(grants, |token, before| token > before)
}

/// Whether no token is below one before: of what a resource *admitted*, in the order in which it did.
///
/// # Errors
///
/// [`Fell`], of the first that is.
pub fn tokens_never_fall<T: PartialOrd + Debug>(
    admitted: impl IntoIterator<Item = T>,
) -> Result<(), Fell<T>> {
    rise(admitted, |token, before| token >= before)
}

fn rise<T: PartialOrd + Debug>(
    tokens: impl IntoIterator<Item = T>,
    is_well: impl Fn(&T, &T) -> bool,
) -> Result<(), Fell<T>> {
    let mut highest: Option<T> = None;
    for (at, token) in tokens.into_iter().enumerate() {
        match highest {
            // What cannot be compared is no rise either.
            Some(before) if !is_well(&token, &before) => return Err(Fell { token, at, before }),
            _ => highest = Some(token),
        }
    }
    Ok(())
}
