//! [`Disk`]: small records in one file, on the disk before they are said to be.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use murphy_core::Seed;
use redb::{Builder, Database, Durability, ReadableDatabase, TableDefinition};

use super::error::{FileError, folder};

/// What is written into a new file, and the latest that is read.
const FORMAT: u32 = 1;
const FORMAT_KEY: &str = "format";
/// The records are few, and small.
const CACHE_BYTES: usize = 256 * 1024;

const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("murphy-lease");

/// Small records in one file, each of which is on the disk when [`put`](Self::put) returns. One process at a time has it
/// open, until it is [closed](Self::close_with) or dropped. All calls block.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    database: Mutex<Option<Database>>,
}

impl Disk {
    /// Opens the file, or makes it. It appears whole, or not at all; a process that is killed meanwhile may leave one
    /// named `<file>.new-<digits>` behind.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let foreign = |what: &str| FileError::Foreign {
            path: path.to_owned(),
            what: what.into(),
        };
        let found = match fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(FileError::io(path, error)),
            Ok(found) => Some(found),
        };
        match found {
            Some(found) if !found.is_file() => Err(foreign("not a regular file")),
            Some(found) if found.len() == 0 => Err(foreign("it is empty: something cut it off")),
            Some(_) => Self::open_existing(path),
            None => Self::create(path),
        }
    }

    /// What was put there last.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, FileError> {
        self.with(|database| {
            let records = database.begin_read()?.open_table(RECORDS)?;
            let record = records.get(key)?;
            Ok(record.map(|record| record.value().to_vec()))
        })
    }

    /// Puts it there; it is on the disk when this returns, or the error may or may not have left it there.
    pub(crate) fn put(&self, key: &str, value: &[u8]) -> Result<(), FileError> {
        self.with(|database| put(database, key, value))
    }

    /// Puts it there as the last that is written, and lets the file go. Whatever is asked later is an error.
    pub(crate) fn close_with(&self, last: Option<(&str, &[u8])>) -> Result<(), FileError> {
        let database = self.database().take();
        let written = match (&database, last) {
            (Some(database), Some((key, value))) => put(database, key, value),
            _ => Ok(()),
        };
        written.map_err(|error| self.failed(error))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.database().is_none()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn open_existing(path: &Path) -> Result<Self, FileError> {
        // A damaged file makes redb panic here and there: what is wrong is the file.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let disk = Self::of(path, builder().open(path))?;
            disk.check_format()?;
            Ok(disk)
        }));
        opened.unwrap_or_else(|_| {
            Err(FileError::Corrupt {
                path: path.to_owned(),
                what: "its pages contradict each other".into(),
            })
        })
    }

    fn check_format(&self) -> Result<(), FileError> {
        let path = || self.path.to_owned();
        let foreign = |what: &str| FileError::Foreign {
            path: path(),
            what: what.into(),
        };
        let format = self
            .get(FORMAT_KEY)?
            .ok_or_else(|| foreign("its format is not said"))?;
        let format: [u8; 4] = format
            .try_into()
            .map_err(|_| foreign("its format is no number"))?;
        match u32::from_be_bytes(format) {
            FORMAT => Ok(()),
            found => Err(FileError::Future {
                path: path(),
                found,
                known: FORMAT,
            }),
        }
    }

    fn create(path: &Path) -> Result<Self, FileError> {
        let io = |error| FileError::io(path, error);
        let mut fresh = path.to_owned().into_os_string();
        fresh.push(format!(".new-{:016x}", Seed::fresh().bits()));
        let fresh = PathBuf::from(fresh);
        let made = Self::of(path, builder().create(&fresh)).and_then(|disk| {
            disk.put(FORMAT_KEY, &FORMAT.to_be_bytes())?;
            Ok(disk)
        });
        // Unlike a rename, a link does not replace what another process made meanwhile.
        let linked = made.and_then(|disk| match fs::hard_link(&fresh, path) {
            Ok(()) => Ok(Some(disk)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(io(error)),
        });
        _ = fs::remove_file(&fresh);
        match linked? {
            Some(disk) => {
                File::open(folder(path))
                    .and_then(|folder| folder.sync_all())
                    .map_err(io)?;
                Ok(disk)
            }
            None => Self::open_existing(path),
        }
    }

    fn database(&self) -> MutexGuard<'_, Option<Database>> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        act: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, FileError> {
        let database = self.database();
        let database = database.as_ref().ok_or(redb::Error::DatabaseClosed);
        database.and_then(act).map_err(|error| self.failed(error))
    }

    fn of(path: &Path, opened: Result<Database, redb::DatabaseError>) -> Result<Self, FileError> {
        let database = opened.map_err(|error| FileError::opening(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            database: Mutex::new(Some(database)),
        })
    }

    fn failed(&self, error: redb::Error) -> FileError {
        let path = &self.path;
        match error {
            redb::Error::Io(error) => FileError::io(path, error),
            redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. } => {
                FileError::Foreign {
                    path: path.clone(),
                    what: "a database of something else".into(),
                }
            }
            redb::Error::Corrupted(what) => FileError::Corrupt {
                path: path.clone(),
                what,
            },
            other => FileError::io(path, std::io::Error::other(other.to_string())),
        }
    }
}

/// A disk that the tests bring along.
#[cfg(test)]
impl Disk {
    pub(crate) fn on(backend: impl redb::StorageBackend) -> Self {
        let path = Path::new("/in/memory");
        let disk = Self::of(path, builder().create_with_backend(backend)).unwrap();
        disk.put(FORMAT_KEY, &FORMAT.to_be_bytes()).unwrap();
        disk
    }
}

fn put(database: &Database, key: &str, value: &[u8]) -> Result<(), redb::Error> {
    let mut write = database.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    write.open_table(RECORDS)?.insert(key, value)?;
    Ok(write.commit()?)
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true);
    builder
}
