//! [`at_most_once`]: no effect happened twice.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// An effect that happened twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key:?} took effect at {first} and again at {again}")]
pub struct Twice<K: Debug> {
    /// The key of the effect.
    pub key: K,
    /// Where it was first, from 0.
    pub first: usize,
    /// Where it was again.
    pub again: usize,
}

/// Whether each key is there once: of charges by idempotency key, say, as the ledger of the *service* has them.
/// It remembers each key.
///
/// # Errors
///
/// [`Twice`], of the earliest repetition.
///
/// # Examples
///
/// ```
/// use murphy_check::invariant::at_most_once;
///
/// assert!(at_most_once(["a", "b"]).is_ok());
/// let twice = at_most_once(["a", "b", "a"]).unwrap_err();
/// assert_eq!(twice.to_string(), r#""a" took effect at 0 and again at 2"#);
/// ```
pub fn at_most_once<K: Ord + Debug>(effects: impl IntoIterator<Item = K>) -> Result<(), Twice<K>> {
    let mut seen = BTreeMap::new();
    for (again, key) in effects.into_iter().enumerate() {
        if let Some(&first) = seen.get(&key) {
            return Err(Twice { key, first, again });
        }
        seen.insert(key, again);
    }
    Ok(())
}
