//! [`FileFenced`]: fenced values in a file of this host.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use murphy_core::{Clock, TokioClock};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use self::record::Record;
use super::store::check_name;
use super::{Admitted, FencedStore, FencedStoreError, Horizon, Refused, Sealed};
use crate::FencingToken;

mod record;

const ROWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("fenced");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("fenced-meta");
const VERSION: u64 = 1;

type BoxError = Box<dyn Error + Send + Sync>;
type Outcome<T> = Result<T, FencedStoreError<FencedFileError>>;

/// Fenced bytes in a file of this host, with the `file` feature: each write is one transaction, and on the disk before it is
/// answered. All clones are one store.
///
/// One process has the file at a time (redb locks it). A seal of a holder that has sealed already, and a refusal, write nothing.
/// It belongs on a disk of its own host: locks and flushes of network file systems cannot be trusted with it. Whoever copies an
/// older file back brings older fences back: raise the era of the leases then.
///
/// # Cancel safety
///
/// The disk is written on a thread of its own: what was begun ends, also if its future is dropped.
#[derive(Clone)]
pub struct FileFenced {
    file: Arc<File>,
    most: u64,
    horizon: Option<Horizon>,
    clock: Arc<dyn Clock>,
}

struct File {
    database: Database,
    path: PathBuf,
}

/// What can go wrong with the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FencedFileError {
    /// It cannot be opened: another process has it, it may not be read and written, its directory is missing, or it is no
    /// such file.
    #[error("{} cannot be opened as a fenced store; one process has it at a time", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// It is there, and has no bytes: what it knew is gone.
    #[error(
        "{} is empty, and an empty store admits anybody: bring the file back, or delete it and raise the era of the leases",
        path.display()
    )]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// It was written by a later version of this crate.
    #[error("{} is of version {version}, and this program knows version {VERSION}", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// It cannot be read or written: the disk is full, or broken.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// What it says of a resource cannot be read. Nobody is admitted there.
    #[error("{} has no readable record of {resource:?}", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Of what.
        resource: String,
    },
    /// The thread that wrote is gone: the runtime shuts down.
    #[error("the runtime shut down while the file was written")]
    Stopped,
}

impl FileFenced {
    /// Opens the file, or makes it. Reads and writes the disk while it does, which takes a few milliseconds.
    ///
    /// # Errors
    ///
    /// [`FencedFileError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FencedFileError> {
        let path = path.as_ref().to_path_buf();
        if std::fs::metadata(&path).is_ok_and(|meta| meta.len() == 0) {
            return Err(FencedFileError::Empty { path });
        }
        let opened = Database::create(&path).map_err(redb::Error::from);
        let opened = opened.and_then(|database| Ok((version(&database)?, database)));
        match opened {
            Ok((VERSION, database)) => Ok(Self {
                file: Arc::new(File { database, path }),
                most: 1 << 20,
                horizon: None,
                clock: Arc::new(TokioClock),
            }),
            Ok((version, _)) => Err(FencedFileError::Version { path, version }),
            Err(source) => Err(FencedFileError::Open {
                path,
                source: source.into(),
            }),
        }
    }

    /// Room for so many resources; 1,048,576 by default. One more is refused with [`FencedStoreError::Full`].
    #[must_use]
    pub const fn resources(mut self, most: u64) -> Self {
        self.most = most;
        self
    }

    /// No token from beyond this. Off by default.
    #[must_use]
    pub const fn horizon(mut self, horizon: Horizon) -> Self {
        self.horizon = Some(horizon);
        self
    }

    /// The clock of the [`horizon`](Self::horizon); tokio's by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks what needs no disk, and has the rest done on a thread that may block.
    async fn on_disk<T: Send + 'static>(
        &self,
        resource: &str,
        token: &FencingToken,
        work: impl FnOnce(&File, &str, &FencingToken, u64) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        check_name(resource)?;
        if let Some(horizon) = &self.horizon {
            horizon.check(token, self.clock.wall())?;
        }
        let (file, most) = (Arc::clone(&self.file), self.most);
        let (resource, token) = (resource.to_owned(), token.clone());
        let done = tokio::task::spawn_blocking(move || work(&file, &resource, &token, most));
        match done.await {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(FencedStoreError::Store(FencedFileError::Stopped)),
        }
    }
}

/// The version of the file, which is ours if it is new.
fn version(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let version = {
        let mut meta = transaction.open_table(META)?;
        let known = meta.get("version")?.map(|version| version.value());
        if let Some(known) = known {
            known
        } else {
            meta.insert("version", VERSION)?;
            VERSION
        }
    };
    transaction.open_table(ROWS)?;
    transaction.commit()?;
    Ok(version)
}

impl File {
    fn failed(&self, error: impl Into<redb::Error>) -> FencedStoreError<FencedFileError> {
        FencedStoreError::Store(FencedFileError::Io {
            path: self.path.clone(),
            source: Box::new(error.into()),
        })
    }

    fn parsed(&self, resource: &str, bytes: &[u8]) -> Outcome<Record> {
        Record::read(bytes).ok_or_else(|| {
            FencedStoreError::Store(FencedFileError::Corrupt {
                path: self.path.clone(),
                resource: resource.to_owned(),
            })
        })
    }

    /// Admits, and writes what `then` makes of the record: in one transaction, and durably.
    fn admit<T>(
        &self,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
        most: u64,
        then: impl FnOnce(&mut Record, Admitted) -> T,
    ) -> Outcome<T> {
        let failed = |error: redb::Error| self.failed(error);
        let transaction = self.database.begin_write().map_err(|e| failed(e.into()))?;
        let answer = {
            let mut rows = transaction.open_table(ROWS).map_err(|e| failed(e.into()))?;
            let known = rows.get(resource).map_err(|e| failed(e.into()))?;
            let known = known.map(|bytes| self.parsed(resource, bytes.value()));
            let before = known.transpose()?;
            if before.is_none() && rows.len().map_err(|e| failed(e.into()))? >= most {
                let limit = usize::try_from(most).unwrap_or(usize::MAX);
                return Err(FencedStoreError::Full { limit });
            }
            let mut record = before.clone().unwrap_or_default();
            let admitted = record.fence.admit(token, op)?;
            let answer = then(&mut record, admitted);
            if before.as_ref() == Some(&record) {
                // Nothing moved: there is nothing to flush.
                return Ok(answer);
            }
            rows.insert(resource, record.write().as_slice())
                .map_err(|e| failed(e.into()))?;
            answer
        };
        // redb's default is to be on the disk by then.
        transaction.commit().map_err(|e| failed(e.into()))?;
        Ok(answer)
    }

    fn read(&self, resource: &str, token: &FencingToken) -> Outcome<Option<Vec<u8>>> {
        let failed = |error: redb::Error| self.failed(error);
        let transaction = self.database.begin_read().map_err(|e| failed(e.into()))?;
        let rows = transaction.open_table(ROWS).map_err(|e| failed(e.into()))?;
        let Some(bytes) = rows.get(resource).map_err(|e| failed(e.into()))? else {
            return Err(Refused::NotSealed.into());
        };
        let record = self.parsed(resource, bytes.value())?;
        record.fence.check_sealed(token)?;
        Ok(record.value)
    }
}

impl FencedStore for FileFenced {
    type Value = Vec<u8>;
    type Error = FencedFileError;

    async fn seal(&self, resource: &str, token: &FencingToken) -> Outcome<Sealed<Vec<u8>>> {
        self.on_disk(resource, token, |file, resource, token, most| {
            file.admit(resource, token, None, most, |record, admitted| Sealed {
                value: record.value.clone(),
                op: record.fence.op(),
                admitted,
            })
        })
        .await
    }

    async fn put(
        &self,
        resource: &str,
        token: &FencingToken,
        op: Option<u64>,
        value: Vec<u8>,
    ) -> Outcome<Admitted> {
        self.on_disk(resource, token, move |file, resource, token, most| {
            file.admit(resource, token, op, most, |record, admitted| {
                record.value = Some(value);
                admitted
            })
        })
        .await
    }

    async fn read_fenced(&self, resource: &str, token: &FencingToken) -> Outcome<Option<Vec<u8>>> {
        self.on_disk(resource, token, |file, resource, token, _| {
            file.read(resource, token)
        })
        .await
    }
}

impl fmt::Debug for FileFenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileFenced")
            .field("path", &self.file.path)
            .field("most", &self.most)
            .field("horizon", &self.horizon)
            .finish_non_exhaustive()
    }
}
