//! [`FileVotes`]: a voter's word in a file.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::{Kept, VoteStore};
use crate::FileError;
use crate::store::file::disk::Disk;

/// A voter's word in one file, of this process alone: each record is flushed to the disk before it is said to be there, by a thread
/// that may block. Clones share the file.
#[derive(Clone, Debug)]
pub struct FileVotes(Arc<Disk>);

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
            Ok(disk) => Ok(Self(Arc::new(disk?))),
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
        let (disk, name) = (Arc::clone(&self.0), name.to_owned());
        Box::pin(blocking(move || disk.get(&name)))
    }

    fn put<'a>(&'a self, name: &'a str, record: Vec<u8>) -> Kept<'a, ()> {
        let (disk, name) = (Arc::clone(&self.0), name.to_owned());
        Box::pin(blocking(move || disk.put(&name, &record)))
    }
}
