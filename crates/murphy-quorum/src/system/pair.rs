//! Pairs of systems that have to meet: reads and writes, the two phases of Flexible Paxos; and those that need
//! not.

use super::{System, Threshold, counted};
use crate::BadQuorum;

/// Quorums for reading and for writing: what was written is read, and of two writes one sees the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadWrite<R = Threshold, W = R> {
    read: R,
    write: W,
}

impl ReadWrite {
    /// R and W of N members.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`] says by how much: R + W > N and 2 W > N are needed. What does without is
    /// [`Eventual`].
    pub fn try_new(members: usize, read: usize, write: usize) -> Result<Self, BadQuorum> {
        counted(members)?;
        let pair = Self {
            read: Threshold::of_first(read, members)?,
            write: Threshold::of_first(write, members)?,
        };
        if read + write <= members {
            let by = members + 1 - read - write;
            return Err(BadQuorum::ReadsMissWrites {
                read,
                write,
                members,
                by,
            });
        }
        if 2 * write <= members {
            let least = members / 2 + 1;
            return Err(BadQuorum::WritesMissWrites {
                write,
                members,
                least,
            });
        }
        Ok(pair)
    }
}

impl<R: System, W: System> ReadWrite<R, W> {
    /// Any two systems, looked through.
    ///
    /// # Errors
    ///
    /// [`BadQuorum::Disjoint`] has two quorums that do not meet.
    pub fn of(read: R, write: W) -> Result<Self, BadQuorum> {
        read.intersects(&write)?;
        write.intersects(&write)?;
        Ok(Self { read, write })
    }

    /// Enough for a read.
    pub const fn read(&self) -> &R {
        &self.read
    }

    /// Enough for a write.
    pub const fn write(&self) -> &W {
        &self.write
    }
}

/// The quorums of Flexible Paxos (Howard, Malkhi and Spiegelman, 2016): those that elect meet those
/// that replicate; the latter need not meet each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flexible<A = Threshold, B = A> {
    elect: A,
    replicate: B,
}

impl<A: System, B: System> Flexible<A, B> {
    /// Phase one and phase two.
    ///
    /// # Errors
    ///
    /// [`BadQuorum::Disjoint`] has two quorums that do not meet.
    pub fn of(elect: A, replicate: B) -> Result<Self, BadQuorum> {
        elect.intersects(&replicate)?;
        Ok(Self { elect, replicate })
    }

    /// Phase one: enough to be elected.
    pub const fn elect(&self) -> &A {
        &self.elect
    }

    /// Phase two: enough to have replicated.
    pub const fn replicate(&self) -> &B {
        &self.replicate
    }
}

/// R and W that promise nothing: a read may miss a write, and two writes each other. For those who
/// mean it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eventual {
    read: Threshold,
    write: Threshold,
}

impl Eventual {
    /// R and W of N members.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: no members, more than 64, or an R or W that is not 1 to N.
    pub fn try_new(members: usize, read: usize, write: usize) -> Result<Self, BadQuorum> {
        Ok(Self {
            read: Threshold::of_first(read, members)?,
            write: Threshold::of_first(write, members)?,
        })
    }

    /// Enough for a read.
    #[must_use]
    pub const fn read(&self) -> &Threshold {
        &self.read
    }

    /// Enough for a write.
    #[must_use]
    pub const fn write(&self) -> &Threshold {
        &self.write
    }
}
