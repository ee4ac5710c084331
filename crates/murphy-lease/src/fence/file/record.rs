//! How a fenced value lies in the file.
//!
//! ```text
//! era, 4 | number, 8 | nonce, 16 | has an operation, 1 | its number, 8 | length, 1 | lock | has a value, 1 | value
//! ```
//!
//! Numbers are big-endian. What is not of this form admits nobody.

use crate::LockName;
use crate::fence::{Fence, SqlFence, sql};

/// A fence and the value behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) fence: Fence,
    pub(super) value: Option<Vec<u8>>,
}

const TOKEN: usize = 28;

impl Record {
    pub(super) fn write(&self) -> Vec<u8> {
        let Some(token) = self.fence.token() else {
            unreachable!("it is written once somebody was admitted");
        };
        let (lock, op) = (token.lock().as_str(), self.fence.op());
        let value = self.value.as_deref();
        let mut out = Vec::with_capacity(TOKEN + 11 + lock.len() + value.map_or(0, <[u8]>::len));
        out.extend(SqlFence::of(token).whole());
        out.push(u8::from(op.is_some()));
        out.extend(op.unwrap_or(0).to_be_bytes());
        let Ok(length) = u8::try_from(lock.len()) else {
            unreachable!("a lock's name has at most 255 bytes");
        };
        out.push(length);
        out.extend(lock.as_bytes());
        out.push(u8::from(value.is_some()));
        out.extend(value.unwrap_or_default());
        out
    }

    /// `None` if it is none of ours.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (token, rest) = bytes.split_at_checked(TOKEN)?;
        let (has_op, rest) = rest.split_first()?;
        let (op, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first()?;
        let (lock, rest) = rest.split_at_checked(usize::from(*length))?;
        let (has_value, value) = rest.split_first()?;
        let lock = LockName::try_new(std::str::from_utf8(lock).ok()?).ok()?;
        let op = flag(*has_op)?.then_some(u64::from_be_bytes(*op));
        let value = flag(*has_value)?.then(|| value.to_vec());
        let fence = Fence::kept(sql::token(lock, token)?, op);
        Some(Self { fence, value })
    }
}

fn flag(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{FencingToken, Nonce, Rank};

    proptest! {
        #[test]
        fn what_is_written_is_read(
            lock in "[^\\p{Cc}]{1,60}", era: u32, seq: u64, nonce: u128,
            op: Option<u64>, value: Option<Vec<u8>>,
        ) {
            let lock = LockName::try_new(&lock).unwrap();
            let token = FencingToken::of(lock, Rank::new(era, seq), Nonce::from_bits(nonce));
            let record = Record { fence: Fence::kept(token, op), value };
            prop_assert_eq!(Record::read(&record.write()), Some(record));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Record::read(&bytes);
        }
    }

    #[test]
    fn what_is_torn_is_none_of_ours() {
        let token: FencingToken = "orders;era=0;seq=34;nonce=b".parse().unwrap();
        let fence = Fence::kept(token, Some(3));
        let whole = Record { fence, value: None }.write();
        for length in 0..whole.len() {
            assert_eq!(Record::read(&whole[..length]), None);
        }
    }
}
