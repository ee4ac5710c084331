//! [`sum_is_kept`]: transfers move money, and make none.

/// A look at the accounts that finds another sum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the accounts hold {found} at {at}, and there is {wanted}")]
pub struct BadSum {
    /// Which look, from 0.
    pub at: usize,
    /// What it found, all accounts together.
    pub found: i128,
    /// What there is.
    pub wanted: i128,
}

/// Whether every look at all accounts finds the same sum: Jepsen's bank test. Balances may be negative.
///
/// # Errors
///
/// [`BadSum`], of the first look that does not.
///
/// # Examples
///
/// ```
/// use murphy_check::invariant::sum_is_kept;
///
/// assert!(sum_is_kept(100, [vec![60, 40], vec![100, 0], vec![-10, 110]]).is_ok());
/// let torn = sum_is_kept(100, [vec![60, 40], vec![60, 60]]).unwrap_err();
/// assert_eq!(torn.to_string(), "the accounts hold 120 at 1, and there is 100");
/// ```
pub fn sum_is_kept<L: IntoIterator<Item = i64>>(
    wanted: i128,
    looks: impl IntoIterator<Item = L>,
) -> Result<(), BadSum> {
    for (at, look) in looks.into_iter().enumerate() {
        let found = look.into_iter().map(i128::from).sum();
        if found != wanted {
            return Err(BadSum { at, found, wanted });
        }
    }
    Ok(())
}
