//! [`VoteStore`]: where a voter's word is kept.

#[cfg(feature = "file")]
pub(crate) mod file;
pub(crate) mod memory;
mod record;

use std::future::Future;
use std::io;
use std::pin::Pin;

pub(crate) use self::record::{decoded, encoded};

/// What a [`VoteStore`] is about to say.
pub type Kept<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Where a voter's word is kept: small records, by name.
///
/// A record is **on the disk** before [`put`](Self::put) says so: a voter that forgets a vote gives it twice, and then there are two
/// leaders. [`FileVotes`](crate::FileVotes) (feature `file`) does that; [`MemoryVotes`](crate::MemoryVotes) is for tests, and for voters that never come
/// back.
pub trait VoteStore: Send + Sync + 'static {
    /// The record that was put there last.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn get<'a>(&'a self, name: &'a str) -> Kept<'a, Option<Vec<u8>>>;

    /// Puts a record there, at most 1 KiB. Of those of one name the one that was called last stays, whenever the others are
    /// carried out: also one whose future was dropped on its way.
    ///
    /// # Errors
    ///
    /// It may or may not be there. The voter does not answer then, and puts it there again before it does.
    fn put<'a>(&'a self, name: &'a str, record: Vec<u8>) -> Kept<'a, ()>;
}
