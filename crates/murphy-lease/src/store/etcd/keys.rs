//! Where a lock is in etcd, and what its keys hold.
//!
//! | key | holds | lasts |
//! |---|---|---|
//! | `{prefix}q/{lock}/{nonce}` | who holds the lock, or waits for it: the first that was made holds | as its lease |
//! | `{prefix}b/{lock}` | the highest ballot, where ranks are given from outside | for ever |
//! | `{prefix}era` | the era of all grants | for ever |
//!
//! The first two hold a rank: `7` is era 7 and the revision at which the key was made, `7.42` is that rank.

use std::borrow::Cow;

use etcd_client::KeyValue;

use crate::{LockName, Nonce, Rank};

/// Where one lock is.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) queue: String,
    pub(super) ballot: String,
    pub(super) era: String,
}

impl Keys {
    pub(super) fn of(prefix: &str, lock: &LockName) -> Self {
        // A name may hold what parts the names from the nonces.
        let (lock, escaped) = (lock.as_str(), ['%', '/']);
        let lock = if lock.contains(escaped) {
            Cow::Owned(lock.replace('%', "%25").replace('/', "%2F"))
        } else {
            Cow::Borrowed(lock)
        };
        Self {
            queue: [prefix, "q/", &lock, "/"].concat(),
            ballot: [prefix, "b/", &lock].concat(),
            era: [prefix, "era"].concat(),
        }
    }

    pub(super) fn own(&self, nonce: Nonce) -> String {
        format!("{}{nonce}", self.queue)
    }
}

/// Of a rank that was given from outside.
pub(super) fn text(rank: Rank) -> String {
    rank.to_string()
}

/// The rank that a key holds; `revision` is where it was made, or put last.
pub(super) fn rank_of(value: &[u8], revision: i64) -> Option<Rank> {
    let value = std::str::from_utf8(value).ok()?;
    let (era, seq) = match value.split_once('.') {
        Some((era, seq)) => (era, seq.parse().ok()?),
        None => (value, u64::try_from(revision).ok()?),
    };
    Some(Rank::new(era.parse().ok()?, seq))
}

/// The rank of who made this key of a queue.
pub(super) fn rank_of_key(key: &KeyValue) -> Option<Rank> {
    rank_of(key.value(), key.create_revision())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_rank_or_an_era() {
        for (value, want) in [
            ("7", Some(Rank::new(7, 99))),
            ("7.42", Some(Rank::new(7, 42))),
            ("4294967295.18446744073709551615", Some(Rank::MAX)),
            ("", None),
            ("7.", None),
            ("-1", None),
            ("4294967296", None),
            ("a", None),
        ] {
            assert_eq!(rank_of(value.as_bytes(), 99), want, "{value}");
        }
        assert_eq!(rank_of(b"7", -1), None);
        assert_eq!(rank_of(b"\xff", 1), None);
        let rank = Rank::new(3, 4);
        assert_eq!(rank_of(text(rank).as_bytes(), 99), Some(rank));
    }

    #[test]
    fn no_queue_is_within_another() {
        let queue = |name| Keys::of("p/", &LockName::try_new(name).unwrap()).queue;
        let names = ["a", "a/", "a/b", "a%", "a%2F", "a%2Fb", "b"].map(queue);
        for (i, one) in names.iter().enumerate() {
            for other in &names[i + 1..] {
                assert!(!one.starts_with(other.as_str()) && !other.starts_with(one.as_str()));
            }
        }
    }
}
