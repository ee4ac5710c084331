//! [`FileError`]: what a store in a file cannot do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{DatabaseError, StorageError};

use crate::StoreFull;

/// A store in a file cannot be opened, or cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A process has it open already.
    #[error(
        "{} is open in another process (or twice in this one): stop that, or have it `serve` a socket and use a `FileClient` here",
        path.display()
    )]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The folder that it is to be in does not exist.
    #[error("{} has no folder: make {} first", path.display(), folder.display())]
    NoFolder {
        /// Which file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// It cannot be written.
    #[error("{} cannot be written: give this process the right to write it, on a file system that is not read-only", path.display())]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// It is no store of leases.
    #[error("{} is no store of leases ({what}): give it another path, or remove that file if it is of no use", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// It was one, and is damaged.
    #[error("{} is damaged ({what}): restore it and raise `era`, or remove it; a new one begins above the old one if the time of day is right", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A later version wrote it.
    #[error("{} has format {found}, and this version knows {known}: use a later one", path.display())]
    Future {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest that is known.
        known: u32,
    },
    /// The disk did not do as it was told. Numbers that were reserved before are still granted; then nothing is, until
    /// the store is opened again.
    #[error("{}: {source}; see to the disk, then open the store again", path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: Arc<std::io::Error>,
    },
    /// No room in the store itself.
    #[error(transparent)]
    Full(#[from] StoreFull),
}

impl FileError {
    /// What redb said when it was to open the file.
    pub(crate) fn opening(path: &Path, error: DatabaseError) -> Self {
        let path = path.to_owned();
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                Self::InUse { path }
            }
            DatabaseError::UpgradeRequired(version) => Self::Foreign {
                path,
                what: format!("version {version} of redb's file format, which is too old"),
            },
            DatabaseError::Storage(error) => Self::storage(&path, error),
            other => Self::Corrupt {
                path,
                what: other.to_string(),
            },
        }
    }

    /// What redb said of what it stores.
    pub(crate) fn storage(path: &Path, error: StorageError) -> Self {
        match error {
            StorageError::Io(error) => Self::io(path, error),
            StorageError::Corrupted(what) => {
                let path = path.to_owned();
                Self::Corrupt { path, what }
            }
            other => Self::io(path, std::io::Error::other(other.to_string())),
        }
    }

    /// What the file system said.
    pub(crate) fn io(path: &Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind::{
            InvalidData, NotFound, PermissionDenied, ReadOnlyFilesystem, UnexpectedEof,
        };
        let owned = path.to_owned();
        match error.kind() {
            PermissionDenied | ReadOnlyFilesystem => Self::ReadOnly { path: owned },
            InvalidData => Self::Foreign {
                path: owned,
                what: error.to_string(),
            },
            UnexpectedEof => Self::Corrupt {
                path: owned,
                what: "it ends too early".into(),
            },
            NotFound => Self::NoFolder {
                folder: folder(path).to_owned(),
                path: owned,
            },
            _ => Self::Disk {
                path: owned,
                source: Arc::new(error),
            },
        }
    }
}

/// The folder that a file is in.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}
