//! [`Reserved`]: numbers that are on the disk as used before they are.

use std::sync::Arc;
use std::time::Duration;

use super::disk::Disk;
use super::error::FileError;
use super::mark::{Mark, step};
use crate::store::desk::{Desk, Supply};
use crate::store::event;
use crate::store::table::{Drawn, Ranks, claimed};
use crate::{Claim, Rank};

/// Numbers in blocks. One block serves all locks.
///
///    ── more than half is used ──▶ the next is written ── written ──▶ both are used
pub(super) struct Reserved {
    disk: Arc<Disk>,
    block: u64,
    /// The last that was granted, in whichever lock, or is not to be.
    last: Rank,
    /// What is on the disk.
    mark: Mark,
    /// What somebody waits for.
    wanted: Option<Mark>,
    has_granted: bool,
    is_writing: bool,
    failed: Option<FileError>,
}

/// A write that is due. It is done when this is dropped, so that a runtime that stops does not leave it undone, with
/// everybody waiting for it.
struct Write {
    desk: Arc<Desk<Reserved>>,
    disk: Arc<Disk>,
    mark: Mark,
}

impl Reserved {
    /// Numbers above `last`; `mark` is what is on the disk.
    pub(super) const fn new(disk: Arc<Disk>, block: u64, last: Rank, mark: Mark) -> Self {
        Self {
            disk,
            block,
            last,
            mark,
            wanted: None,
            has_granted: false,
            is_writing: false,
            failed: None,
        }
    }

    pub(super) const fn mark(&self) -> Mark {
        self.mark
    }

    fn want(&mut self, rank: Rank, ttl: Duration) {
        let Mark { high, longest } = self.wanted.unwrap_or_default();
        let (high, longest) = (high.max(rank), longest.max(ttl));
        self.wanted = Some(Mark { high, longest });
    }

    /// What to write next: what is wanted, and a block more.
    fn next_mark(&self) -> Mark {
        let wanted = self.wanted.unwrap_or_default();
        let high = wanted.high.max(self.mark.high).max(self.last);
        Mark {
            high: Rank::new(high.era, high.seq.saturating_add(self.block)),
            longest: step(wanted.longest).max(self.mark.longest),
        }
    }

    /// Whether half a block is left, or there is none to be had: at the end of an era the next begins when it is wanted.
    const fn has_half(&self) -> bool {
        let (last, high) = (self.last, self.mark.high);
        high.era > last.era
            || high.seq == u64::MAX
            || high.seq.saturating_sub(last.seq) >= self.block / 2
    }
}

impl Ranks for Reserved {
    fn draw(&mut self, high: Rank, claim: Claim, ttl: Duration) -> Drawn {
        let claim = match claim {
            Claim::Above(floor) => Claim::Above(floor.max(self.last)),
            exact => exact,
        };
        let Some(rank) = claimed(high, claim, 0) else {
            return Drawn::Passed;
        };
        if rank > self.mark.high || ttl > self.mark.longest {
            self.want(rank, ttl);
            return Drawn::Later;
        }
        (self.last, self.has_granted) = (self.last.max(rank), true);
        Drawn::Rank(rank)
    }

    /// No longer than what is on the disk; the longer time is written for the next renewal.
    fn renewed(&mut self, ttl: Duration) -> Duration {
        if ttl > self.mark.longest {
            self.want(Rank::ZERO, ttl);
        }
        ttl.min(self.mark.longest)
    }

    fn reach(&mut self) -> Rank {
        self.last
    }
}

impl Supply for Reserved {
    type Error = FileError;

    fn is_low(&self) -> bool {
        // Before the first grant nothing is written, so that a store that is only looked at has granted nothing.
        let runs_out = self.has_granted && self.failed.is_none() && !self.has_half();
        !self.is_writing && (self.wanted.is_some() || runs_out)
    }

    fn fetch(desk: &Arc<Desk<Self>>) {
        let write = {
            let mut table = desk.table();
            let ranks = table.ranks();
            if !ranks.is_low() {
                return;
            }
            ranks.is_writing = true;
            Write {
                desk: Arc::clone(desk),
                disk: Arc::clone(&ranks.disk),
                mark: ranks.next_mark(),
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(write))),
            Err(_) => drop(write),
        }
    }

    fn lacking(&self) -> FileError {
        let stopped = || FileError::io(self.disk.path(), std::io::Error::other("not written"));
        self.failed.clone().unwrap_or_else(stopped)
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        let written = self.mark.write(&self.disk);
        self.desk.tell(|table, now, words| {
            let ranks = table.ranks();
            (ranks.is_writing, ranks.wanted) = (false, None);
            match written {
                Ok(()) => {
                    (ranks.mark, ranks.failed) = (self.mark, None);
                    table.numbered(now, words);
                }
                Err(error) => {
                    if !self.disk.is_closed() {
                        event::not_reserved(&error);
                    }
                    ranks.failed = Some(error);
                    table.unnumbered(words);
                }
            }
        });
    }
}
