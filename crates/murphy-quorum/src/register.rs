//! [`Register`]: one value on many replicas, read and written by majorities.
//!
//! ```text
//! read:   ask all ── a majority ──▶ the newest ── all alike ──▶ done
//!                                        └── else: write it back ── a majority ──▶ done
//! write:  ask all ── a majority ──▶ the newest version ──▶ write under the next ── a majority ──▶ done
//! ```
//!
//! Attiya, Bar-Noy and Dolev, *Sharing memory robustly in message-passing systems*, Journal of the ACM 42(1),
//! 1995; with many writers, Lynch and Shvartsman, 1997. Reads and writes are linearizable while a
//! majority of the replicas answers and none forgets; there is no compare-and-set in it, which takes consensus.
//!
//! A write that ends with an error may have taken effect, now or later: a read that finds it anywhere brings it to a
//! majority.

mod read;
mod versioned;

use std::fmt;
use std::future::poll_fn;
use std::time::Duration;

use tower_service::Service;

pub use self::read::{Read, Repair};
use self::versioned::Issued;
pub use self::versioned::{Ask, Stored, Version, Versioned};
use crate::service::{Answer, Detach, Judge, Quorum, QuorumError};
use crate::{BadQuorum, Cause, Eventual, Newest, Outcome, ReadWrite, System, Threshold};

/// How many that are late go on at a time, and for how long.
const LATE: (usize, Duration) = (1024, Duration::from_secs(10));

/// One value on many replicas. See the [module](self).
///
/// Replicas are services of [`Ask`]; at each, [`Stored`] is what they keep. Each client has a
/// number of its own, and each life of a client another one: two that share one may write two values under one
/// version, of which some replicas keep the one and some the other. Clones of a register share a number and never
/// a version, and neither does a write that failed with the next one.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_quorum::register::{Ask, Register, Stored};
/// use std::{convert::Infallible, sync::{Arc, Mutex}};
/// use tower::service_fn;
///
/// let replica = || {
///     let stored = Arc::new(Mutex::new(Stored::default()));
///     service_fn(move |ask: Ask<u32>| {
///         let told = stored.lock().unwrap().on(ask);
///         async move { Ok::<_, Infallible>(told) }
///     })
/// };
/// let replicas = [("a", replica()), ("b", replica()), ("c", replica())];
/// let mut one = Register::try_new(replicas.clone(), 1)?;
/// let mut other = Register::try_new(replicas, 2)?;
/// one.write(17).await?;
/// assert_eq!(other.read().await?.into_value(), Some(17));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[doc(alias = "ABD")]
#[derive(Clone)]
pub struct Register<N, S, R = Threshold, W = R> {
    read: Quorum<N, S, Newest<R, fn(&Version) -> Version>, Heard, Detach>,
    write: Quorum<N, S, W, Heard, Detach>,
    /// Which is enough for a write.
    quorum: W,
    issued: Issued,
    repair: Repair,
}

/// Each reply says which version it has.
#[derive(Clone, Copy, Debug)]
struct Heard;

impl<V, E> Judge<Versioned<V>, E> for Heard {
    type Vote = Version;

    fn judge(&self, result: Result<&Versioned<V>, &E>) -> Outcome<Version> {
        result.map_or(Outcome::Unknown, |told| Outcome::Yes(told.version))
    }
}

impl<N: PartialEq + fmt::Debug, S: Clone> Register<N, S> {
    /// These replicas, for the client of this number.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: nobody, more than 64, or a name twice.
    pub fn try_new(
        replicas: impl IntoIterator<Item = (N, S)>,
        writer: u64,
    ) -> Result<Self, BadQuorum>
    where
        N: Clone,
    {
        let most = crate::Set::MOST + 1;
        let replicas: Vec<(N, S)> = replicas.into_iter().take(most).collect();
        let majority = Threshold::majority(replicas.len())?;
        Self::of(replicas, writer, majority, majority)
    }

    /// One that promises nothing: a read may miss a write that was confirmed, and go back to an older value. For those
    /// who mean it.
    ///
    /// # Errors
    ///
    /// As [`try_new`](Self::try_new).
    pub fn eventual(
        replicas: impl IntoIterator<Item = (N, S)>,
        writer: u64,
        quorums: Eventual,
    ) -> Result<Self, BadQuorum>
    where
        N: Clone,
    {
        let most = crate::Set::MOST + 1;
        let replicas = replicas.into_iter().take(most).collect();
        Self::of(replicas, writer, *quorums.read(), *quorums.write())
    }
}

impl<N: PartialEq + fmt::Debug, S: Clone, R: System + Clone, W: System + Clone>
    Register<N, S, R, W>
{
    /// By other quorums than majorities, which meet: by weights, or, while members are exchanged, by both
    /// configurations ([`Joint`](crate::Joint)).
    ///
    /// # Errors
    ///
    /// As [`try_new`](Self::try_new), or there are not as many replicas as the quorums have positions.
    pub fn over(
        replicas: impl IntoIterator<Item = (N, S)>,
        writer: u64,
        quorums: &ReadWrite<R, W>,
    ) -> Result<Self, BadQuorum>
    where
        N: Clone,
    {
        let most = crate::Set::MOST + 1;
        let replicas = replicas.into_iter().take(most).collect();
        let (read, write) = (quorums.read().clone(), quorums.write().clone());
        Self::of(replicas, writer, read, write)
    }

    fn of(replicas: Vec<(N, S)>, writer: u64, read: R, write: W) -> Result<Self, BadQuorum>
    where
        N: Clone,
    {
        let newest: fn(&Version) -> Version = |version| *version;
        let late = Detach::new(LATE.0, LATE.1);
        let read = Quorum::try_new(replicas.clone(), Newest::new(read, newest))?;
        let quorum = write.clone();
        let write = Quorum::try_new(replicas, write)?;
        Ok(Self {
            read: read
                .judge(Heard)
                .stragglers(late.clone())
                .named("register.read"),
            write: write.judge(Heard).stragglers(late).named("register.write"),
            quorum,
            issued: Issued::new(writer),
            repair: Repair::Blocking,
        })
    }
}

impl<N, S, R, W> Register<N, S, R, W> {
    /// How long each round may take: a read has up to two, a write two. Unless set, the replicas' own stacks decide.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.read = self.read.patience(patience);
        self.write = self.write.patience(patience);
        self
    }

    /// What a read does when replicas do not agree.
    #[must_use]
    pub const fn repair(mut self, repair: Repair) -> Self {
        self.repair = repair;
        self
    }
}

/// A round of a register's.
type Rounded<N, V, E> = Result<Answer<N, Versioned<V>, E>, QuorumError<N, E>>;

impl<N: Clone, S, R: System + Clone, W: System + Clone> Register<N, S, R, W> {
    /// Reads.
    ///
    /// # Errors
    ///
    /// [`QuorumError`]: no majority was heard, or none took the value that was to be written back.
    ///
    /// # Cancel safety
    ///
    /// Safe. What was on its way to be written back may arrive.
    pub async fn read<V, E>(&mut self) -> Result<Read<N, V>, QuorumError<N, E>>
    where
        V: Clone + Send + 'static,
        E: Send + 'static,
        N: Send + Sync + 'static,
        S: Service<Ask<V>, Response = Versioned<V>, Error = E> + Clone + Send + 'static,
        S::Future: Send,
        W: Send + 'static,
    {
        let answer = self.ask().await?;
        let newest = answer.value().clone();
        let behind = |at: &usize| {
            let told = answer.outcomes().result(*at);
            matches!(told, Some(Ok(told)) if told.version < newest.version)
        };
        let laggards: Vec<N> = answer
            .outcomes()
            .iter()
            .enumerate()
            .filter(|(at, _)| behind(at))
            .map(|(_, (name, _))| name.clone())
            .collect();
        if !laggards.is_empty() {
            let mut write = self.write.clone();
            let ask = Ask::Write(newest.clone());
            let back = async move {
                poll_fn(|cx| write.poll_ready(cx)).await?;
                write.call(ask).await.map(drop)
            };
            match self.repair {
                Repair::Blocking => back.await?,
                // It is bounded by what bounds its replicas' calls.
                Repair::Background => drop(tokio::spawn(back)),
            }
        }
        Ok(Read::new(newest, laggards))
    }

    /// Writes, under a version above any that a majority has seen, and gives that.
    ///
    /// # Errors
    ///
    /// [`QuorumError`]: no majority was heard, and nothing was written; or none confirmed the write, which
    /// may have taken effect, or may yet. [`Cause::NoVersion`]: a replica claims the highest version that there is,
    /// and nothing was written.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may have taken effect, or may yet.
    pub async fn write<V, E>(&mut self, value: V) -> Result<Version, QuorumError<N, E>>
    where
        V: Clone + Send + 'static,
        E: Send + 'static,
        S: Service<Ask<V>, Response = Versioned<V>, Error = E> + Clone + Send + 'static,
        S::Future: Send,
    {
        let answer = self.ask().await?;
        let Some(version) = self.issued.above(answer.value().version) else {
            return Err(answer.fails(Cause::NoVersion, System::need(&self.quorum)));
        };
        let value = Some(value);
        let ask = Ask::Write(Versioned { version, value });
        poll_fn(|cx| self.write.poll_ready(cx)).await?;
        self.write.call(ask).await?;
        Ok(version)
    }

    async fn ask<V, E>(&mut self) -> Rounded<N, V, E>
    where
        V: Clone + Send + 'static,
        E: Send + 'static,
        S: Service<Ask<V>, Response = Versioned<V>, Error = E> + Clone + Send + 'static,
        S::Future: Send,
    {
        poll_fn(|cx| self.read.poll_ready(cx)).await?;
        self.read.call(Ask::Read).await
    }
}

impl<N: fmt::Debug, S, R: fmt::Debug, W: fmt::Debug> fmt::Debug for Register<N, S, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Register")
            .field("read", &self.read)
            .field("issued", &self.issued)
            .field("repair", &self.repair)
            .finish_non_exhaustive()
    }
}
