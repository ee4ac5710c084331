//! [`one_leader_a_term`]: no term has two leaders.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// A term with two leaders.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("term {term:?} has two leaders: {one:?}, and {other:?} at {at}")]
pub struct TwoLeaders<T: Debug, N: Debug> {
    /// The term.
    pub term: T,
    /// Who was seen to lead it first.
    pub one: N,
    /// Who was seen then.
    pub other: N,
    /// Where, from 0.
    pub at: usize,
}

/// Whether no term has two leaders. (Two leaders at one *time* are no violation: the older has not heard of it
/// yet, and its token is refused.)
///
/// # Errors
///
/// [`TwoLeaders`], of the first that is seen.
///
/// # Examples
///
/// ```
/// use murphy_check::invariant::one_leader_a_term;
///
/// assert!(one_leader_a_term([(1, "a"), (2, "b"), (1, "a")]).is_ok());
/// assert!(one_leader_a_term([(1, "a"), (2, "b"), (2, "a")]).is_err());
/// ```
#[doc(alias = "split brain")]
pub fn one_leader_a_term<T: Ord + Debug, N: PartialEq + Debug>(
    seen: impl IntoIterator<Item = (T, N)>,
) -> Result<(), TwoLeaders<T, N>> {
    let mut leaders: BTreeMap<T, N> = BTreeMap::new();
    for (at, (term, leader)) in seen.into_iter().enumerate() {
        match leaders.remove_entry(&term) {
            Some((term, one)) if one != leader => {
                let other = leader;
                return Err(TwoLeaders {
                    term,
                    one,
                    other,
                    at,
                });
            }
            _ => _ = leaders.insert(term, leader),
        }
    }
    Ok(())
}
