//! [`FileOptions`]: how a [`FileStore`] is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Clock, TokioClock};

use super::disk::Disk;
use super::error::FileError;
use super::mark::Mark;
use super::reserve::Reserved;
use super::{FileStore, Life};
use crate::Rank;
use crate::store::desk::Desk;
use crate::store::table::{LONGEST_WAIT, Table};

/// How a [`FileStore`] is opened.
#[derive(Clone)]
#[must_use = "it does nothing until `open`"]
pub struct FileOptions {
    clock: Arc<dyn Clock>,
    restart: Restart,
    era: u32,
    block: u32,
    locks: usize,
    waiters: usize,
}

/// What a store does whose former life may have left leases running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// It grants nothing until the longest lease that it ever granted must be over: what that was, is in the file, an
    /// eighth too long at most.
    #[default]
    WaitOut,
    /// It grants nothing for so long, or until the longest must be over if that is sooner: for who knows that the long
    /// ones are not running. A day at most.
    WaitFor(Duration),
    /// It grants at once. Two may hold a lock for a while, and only the resource's fence tells them apart.
    FenceOnly,
}

impl FileOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            clock: Arc::new(TokioClock),
            restart: Restart::default(),
            era: 0,
            block: 1024,
            locks: 65_536,
            waiters: 1024,
        }
    }

    /// Whose time leases run by. tokio's by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What it does about leases of its former life. Waits until they must be over, by default.
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Grants are of this era, or of the one in the file if that is higher. 0 by default.
    pub const fn era(mut self, era: u32) -> Self {
        self.era = era;
        self
    }

    /// How many numbers are reserved by one write, at least two. 1,024 by default.
    pub const fn block(mut self, numbers: u32) -> Self {
        self.block = if numbers < 2 { 2 } else { numbers };
        self
    }

    /// How many locks it knows at most, at least one. 65,536 by default; beyond that, one that is free is forgotten.
    pub const fn locks(mut self, locks: usize) -> Self {
        self.locks = if locks < 1 { 1 } else { locks };
        self
    }

    /// How many may wait for one lock. 1,024 by default.
    pub const fn waiters(mut self, waiters: usize) -> Self {
        self.waiters = waiters;
        self
    }

    /// Opens the file, or makes it. Blocks for some milliseconds, on the disk.
    ///
    /// # Errors
    ///
    /// [`FileError`], which names the file and what to do.
    pub fn open(self, path: impl AsRef<Path>) -> Result<FileStore, FileError> {
        self.open_on(Disk::open(path.as_ref())?)
    }

    pub(super) fn open_on(self, disk: Disk) -> Result<FileStore, FileError> {
        let disk = Arc::new(disk);
        let mark = Mark::read(&disk)?;
        let now = self.clock.now();
        let former = now + mark.longest.min(LONGEST_WAIT);
        let shut = match self.restart {
            Restart::WaitOut => former,
            Restart::WaitFor(wait) => former.min(now + wait.min(LONGEST_WAIT)),
            Restart::FenceOnly => now,
        };
        let high = mark.high.max(Rank::new(self.era, 0));
        let micros = u64::try_from(self.clock.wall().nanos() / 1000).unwrap_or_default();
        let last = high.max(Rank::new(high.era, micros));
        let ranks = Reserved::new(Arc::clone(&disk), self.block.into(), last, mark);
        let mut table = Table::new(ranks, high, Some(shut));
        let limits = table.limits();
        (limits.locks, limits.waiters) = (self.locks, self.waiters);
        let desk = Arc::new(Desk::new(self.clock, table));
        let life = Arc::new(Life { desk, disk, former });
        Ok(FileStore { life })
    }
}

impl Default for FileOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for FileOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileOptions")
            .field("restart", &self.restart)
            .field("era", &self.era)
            .field("block", &self.block)
            .field("locks", &self.locks)
            .field("waiters", &self.waiters)
            .finish_non_exhaustive()
    }
}
