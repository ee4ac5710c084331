//! [`FileVotes`]: a voter's word in a file.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;

use super::{Kept, VoteStore};
use crate::FileError;
use crate::store::file::disk::Disk;

/// A voter's word in one file, of this process alone: each record is flushed to the disk before it is said to be there, by a thread
/// that may block. Clones share the file.
#[derive(Clone, Debug)]
pub struct FileVotes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    disk: Disk,
    /// How many records were to be put.
    puts: AtomicU64,
    /// Which of these is on the disk, by name: one a record.
    last: Mutex<BTreeMap<String, u64>>,
}

impl Shared {
    /// Threads come in any order, and may carry out a put that nobody waits for any more: it does not undo a later one.
    fn put(&self, name: &str, record: &[u8], put: u64) -> Result<(), FileError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(name).is_some_and(|last| *last > put) {
            return Ok(());
        }
        self.disk.put(name, record)?;
        last.insert(name.to_owned(), put);
        Ok(())
    }
}

impl FileVotes {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// [`FileError`]: it is in use, damaged, something else, or cannot be written.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the file may be there, and be open for a moment longer.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, FileError> {
        let path = path.into();
        let open = spawn_blocking(move || Disk::open(&path));
        match open.await {
            Ok(disk) => Ok(Self(Arc::new(Shared {
                disk: disk?,
                puts: AtomicU64::new(0),
                last: Mutex::default(),
            }))),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

/// On a thread that may block. Goes on if nobody waits for it.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> io::Result<T> {
    let done = spawn_blocking(act).await.map_err(io::Error::other)?;
    done.map_err(io::Error::other)
}

impl VoteStore for FileVotes {
    fn get<'a>(&'a self, name: &'a str) -> Kept<'a, Option<Vec<u8>>> {
        let (shared, name) = (Arc::clone(&self.0), name.to_owned());
        Box::pin(blocking(move || shared.disk.get(&name)))
    }

    fn put<'a>(&'a self, name: &'a str, record: Vec<u8>) -> Kept<'a, ()> {
        let (shared, name) = (Arc::clone(&self.0), name.to_owned());
        let put = shared.puts.fetch_add(1, Ordering::Relaxed);
        Box::pin(blocking(move || shared.put(&name, &record, put)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voter that forgets a vote gives it twice.
    #[tokio::test]
    async fn a_put_that_is_carried_out_late_does_not_undo_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let votes = FileVotes::open(folder.path().join("votes")).await.unwrap();
        let late = votes.put("votes/a", b"term 5".to_vec());
        votes.put("votes/a", b"term 6".to_vec()).await.unwrap();
        late.await.unwrap();
        let kept = votes.get("votes/a").await.unwrap();
        assert_eq!(kept.as_deref(), Some(&b"term 6"[..]));
        votes.put("votes/a", b"term 7".to_vec()).await.unwrap();
        let kept = votes.get("votes/a").await.unwrap();
        assert_eq!(kept.as_deref(), Some(&b"term 7"[..]));
    }
}
