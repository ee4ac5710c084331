//! [`SqlFence`]: a conditional write in a table of yours.

use std::fmt;

use murphy_core::BadKnob;

use super::{Fence, Refused};
use crate::{FencingToken, LockName, Nonce, Rank};

/// Era and number.
const RANK: usize = 12;
/// Those, and the nonce.
const WHOLE: usize = RANK + 16;

/// A token as a column of a table, and the predicate that admits it: one `UPDATE` checks and writes.
///
/// The table has a column `bytea not null default ''` (any name): era, number and nonce in 28 bytes, big-endian, so that
/// bytes are ordered as ranks are; the empty string is below all. The statement sets it, and asks of the old one that
/// its first 12 bytes are below, or that it is the same altogether:
///
/// ```sql
/// UPDATE accounts SET balance = $3, fence = $1
///  WHERE id = $4 AND (substr(fence, 1, 12) < $2 OR fence = $1)
/// ```
///
/// *No row was changed* means that the token is stale, or that there is no such row: read the column and have
/// [`judge`](Self::judge) say which. It has to be one statement (or one transaction at `REPEATABLE READ` or above): a
/// `SELECT` first and an `UPDATE` without the predicate afterwards is the textbook's check-then-write.
///
/// A new holder seals the row by the same statement with nothing but `SET fence = $1`, `RETURNING` what it reads.
/// The name of the lock is not in the column: that one lock guards a row is up to you.
///
/// # Examples
///
/// ```
/// use murphy_lease::FencingToken;
/// use murphy_lease::fence::SqlFence;
///
/// let token: FencingToken = "orders;era=0;seq=34;nonce=b".parse()?;
/// let fence = SqlFence::of(&token);
/// let admits = SqlFence::predicate("fence", 1)?;
/// assert_eq!(admits, "(substr(fence, 1, 12) < $2 OR fence = $1)");
/// let sql = format!("UPDATE accounts SET balance = $3, fence = $1 WHERE id = $4 AND {admits}");
/// // client.execute(&sql, &[&fence.whole(), &fence.rank(), &balance, &id]).await? == 1
/// # assert_eq!((fence.whole().len(), fence.rank().len()), (28, 12));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SqlFence {
    lock: LockName,
    whole: [u8; WHOLE],
}

impl SqlFence {
    /// The token as a column.
    #[must_use]
    pub fn of(token: &FencingToken) -> Self {
        let mut whole = [0; WHOLE];
        whole[..4].copy_from_slice(&token.rank().era.to_be_bytes());
        whole[4..RANK].copy_from_slice(&token.rank().seq.to_be_bytes());
        whole[RANK..].copy_from_slice(&token.nonce().bits().to_be_bytes());
        let lock = token.lock().clone();
        Self { lock, whole }
    }

    /// The first parameter: what the column is set to.
    #[must_use]
    pub const fn whole(&self) -> &[u8] {
        &self.whole
    }

    /// The second parameter: what the column's first 12 bytes have to be below.
    #[must_use]
    pub fn rank(&self) -> &[u8] {
        &self.whole[..RANK]
    }

    /// The text of the predicate: over `column`, with [`whole`](Self::whole) as parameter `$first` and
    /// [`rank`](Self::rank) as the one after it.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if `column` is not a plain name, or one after the name of its table: letters, digits, `_`, and not a
    /// digit first. It goes into the statement as it is.
    pub fn predicate(column: &str, first: u16) -> Result<String, BadKnob> {
        if !column.split('.').all(is_plain) {
            let remedy = "use letters, digits and `_`, as in `fence` or `accounts.fence`";
            return Err(BadKnob::new("column", column, remedy));
        }
        let second = u32::from(first) + 1;
        Ok(format!(
            "(substr({column}, 1, {RANK}) < ${second} OR {column} = ${first})"
        ))
    }

    /// Why the predicate did not hold where the column is this; `Ok` if it would have held, so that what was missing is
    /// the row.
    ///
    /// # Errors
    ///
    /// [`Refused::Stale`] or [`Refused::Conflict`]. A column that is none of ours is above everything.
    pub fn judge(&self, column: &[u8]) -> Result<(), Refused> {
        if column.is_empty() {
            return Ok(());
        }
        let Some(seen) = token(self.lock.clone(), column) else {
            let current = Rank::MAX;
            return Err(Refused::Stale { current });
        };
        let Some(own) = token(self.lock.clone(), &self.whole) else {
            unreachable!("ours has 28 bytes");
        };
        Fence::kept(seen, None).check(&own, None).map(|_| ())
    }
}

/// The token whose column this is.
pub(super) fn token(lock: LockName, column: &[u8]) -> Option<FencingToken> {
    let (era, rest) = column.split_first_chunk()?;
    let (seq, nonce) = rest.split_first_chunk()?;
    let rank = Rank::new(u32::from_be_bytes(*era), u64::from_be_bytes(*seq));
    let nonce = u128::from_be_bytes(nonce.try_into().ok()?);
    Some(FencingToken::of(lock, rank, Nonce::from_bits(nonce)))
}

fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    bytes.next().is_some_and(first) && bytes.all(|byte| first(byte) || byte.is_ascii_digit())
}

/// Without the nonce.
impl fmt::Debug for SqlFence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match token(self.lock.clone(), &self.whole) {
            Some(token) => write!(f, "SqlFence({token:?})"),
            None => f.write_str("SqlFence"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(era: u32, seq: u64, nonce: u128) -> FencingToken {
        let lock = "orders".parse().unwrap();
        FencingToken::of(lock, Rank::new(era, seq), Nonce::from_bits(nonce))
    }

    /// What the predicate says, as a database compares bytes.
    fn holds(column: &[u8], fence: &SqlFence) -> bool {
        column[..column.len().min(RANK)] < *fence.rank() || column == fence.whole()
    }

    fn small_or_any() -> impl Strategy<Value = FencingToken> {
        let small = (0..3_u32, 0..3_u64, 0..3_u128);
        let any = (any::<u32>(), any::<u64>(), any::<u128>());
        prop_oneof![small, any].prop_map(|(era, seq, nonce)| of(era, seq, nonce))
    }

    proptest! {
        #[test]
        fn the_predicate_admits_whom_the_fence_does(seen in small_or_any(), asks in small_or_any()) {
            let mut fence = Fence::new();
            fence.admit(&seen, None).unwrap();
            let (column, asked) = (SqlFence::of(&seen), SqlFence::of(&asks));
            prop_assert_eq!(holds(column.whole(), &asked), fence.check(&asks, None).is_ok());
            prop_assert_eq!(asked.judge(column.whole()).err(), fence.check(&asks, None).err());
            prop_assert_eq!(token(seen.lock().clone(), column.whole()), Some(seen));
        }
    }

    #[test]
    fn an_empty_column_admits_everybody() {
        let lowest = SqlFence::of(&of(0, 0, 0));
        assert!(holds(b"", &lowest));
        assert_eq!(lowest.judge(b""), Ok(()));
    }

    #[test]
    fn a_column_of_somebody_elses_is_refused() {
        let highest = SqlFence::of(&of(u32::MAX, u64::MAX, 0));
        for column in [&[0; 11][..], &[0; 27], &[0; 29]] {
            assert!(highest.judge(column).is_err());
        }
    }

    #[test]
    fn a_name_that_is_no_name_does_not_get_into_a_statement() {
        for column in ["", "a b", "1a", "a;--", "a.", ".a", "\"a\"", "fe\u{301}nce"] {
            assert!(SqlFence::predicate(column, 1).is_err(), "{column}");
        }
        assert_eq!(
            SqlFence::predicate("accounts.fence", 9).unwrap(),
            "(substr(accounts.fence, 1, 12) < $10 OR accounts.fence = $9)"
        );
    }
}
