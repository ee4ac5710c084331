//! [`RealTime`]: suites with real servers, and a clock that nobody pauses.

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::explore::Explore;
use crate::menu::Menu;

/// Runs in real time, with sockets: for suites whose servers are real. See [`Explore::real_time`].
///
/// A run is no repetition of another here: threads, sockets and the machine's load are its own. So a failure counts
/// where its faults, played again, break the same promise [k times of n](Self::confirm).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealTime {
    k: u8,
    n: u8,
    threads: Option<NonZeroUsize>,
}

/// What cannot be confirmed: none of some, or more than there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("confirm: {k} of {n} cannot be: use at least 1 of at most 20 replays, say 2 of 3")]
pub struct BadConfirm {
    k: u8,
    n: u8,
}

/// The most replays that confirm one failure.
const MOST_REPLAYS: u8 = 20;
/// In real time nobody waits for half a minute: how late a message is, and how long a node is away.
const LATE: Duration = Duration::from_secs(1);
/// When faults end, and when a run does.
const STORM: Duration = Duration::from_secs(5);
const HORIZON: Duration = Duration::from_secs(30);

impl RealTime {
    /// On one thread, which the test and what it spawns share; a failure counts if it comes again twice of three times.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            k: 2,
            n: 3,
            threads: None,
        }
    }

    /// A failure counts if it comes again `k` times of `n`. Both are at least 1, `n` at most 20. Default 2 of 3.
    ///
    /// The sighting itself does not count. Replays end as soon as it is decided.
    ///
    /// # Errors
    ///
    /// [`BadConfirm`].
    pub fn confirm(self, k: u8, n: u8) -> Result<Self, BadConfirm> {
        if k == 0 || k > n || n > MOST_REPLAYS {
            return Err(BadConfirm { k, n });
        }
        Ok(Self { k, n, ..self })
    }

    /// What the test spawns with `tokio::spawn` runs on so many threads beside its own; 0 is its own alone, the default.
    ///
    /// What runs on another thread breaks a promise with [`World::always`](crate::World::always), not with `always!`; a panic
    /// there is printed, and no failure by itself.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        let threads = NonZeroUsize::new(threads);
        Self { threads, ..self }
    }

    /// How many times of how many.
    pub(crate) const fn confirmation(self) -> Confirmation {
        Confirmation {
            k: self.k,
            n: self.n,
        }
    }
}

impl Default for RealTime {
    fn default() -> Self {
        Self::new()
    }
}

/// How often a failure has to come again, of how many replays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    pub(crate) k: u8,
    pub(crate) n: u8,
}

impl Confirmation {
    /// Whether so many of so many decide it.
    pub(crate) const fn is_decided(self, came: u8, of: u8) -> bool {
        came >= self.k || came + (self.n - of) < self.k
    }
}

impl Explore {
    /// Runs in real time, with sockets.
    ///
    /// The same plans in the same order, without those that only change the order of things; the most of a wall clock is
    /// the [budget](Self::budget)'s. One run at a time, unless [`jobs`](Self::jobs) says otherwise. Unless they are set: a
    /// [horizon](Self::horizon) of 30 s, a [storm](Self::storm) of 5 s, and a menu whose messages are a second late and whose
    /// nodes are away for a second. All of these are real time.
    ///
    /// A failure that is not confirmed is none: it leaves the exploration undecided, and is in
    /// [`Outcome::unconfirmed`](crate::Outcome::unconfirmed). Confirming and the run that is under way when the budget ends come on
    /// top of it; shrinking does not.
    ///
    /// A fault strikes the same operation in each run if calls have keys: [`Outcome::grade`](crate::Outcome::grade) says so. It does
    /// not check whether runs repeat themselves: they do not.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_chaos::{Budget, Kind, Menu, RealTime, explore};
    /// use std::time::Duration;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// let menu = Menu::only([Kind::LostRequest]).calls_only();
    /// let explored = explore("doc-real").menu(menu).budget(Budget::runs(3).within(Duration::from_secs(20)));
    /// explored.real_time(RealTime::new().confirm(2, 3)?).check(|w| async move {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let address = listener.local_addr()?;
    ///     tokio::spawn(async move {
    ///         while let Ok((mut socket, _)) = listener.accept().await {
    ///             let _ = socket.write_all(b"pong").await;
    ///         }
    ///     });
    ///     let ping = w.site("client->server").run(1u64, async move || {
    ///         let mut answer = String::new();
    ///         TcpStream::connect(address).await?.read_to_string(&mut answer).await?;
    ///         std::io::Result::Ok(answer)
    ///     });
    ///     match tokio::time::timeout(Duration::from_millis(500), ping).await {
    ///         Ok(answer) => assert_eq!(answer?, "pong"),
    ///         Err(_) => {} // lost
    ///     }
    ///     std::io::Result::Ok(())
    /// });
    /// # Ok::<(), murphy_chaos::BadConfirm>(())
    /// ```
    pub fn real_time(mut self, real: RealTime) -> Self {
        self.real = Some(real);
        self
    }

    /// When faults end in a run.
    pub(crate) fn storm_ends(&self) -> Duration {
        let usual = self.real.map_or(Duration::from_secs(60), |_| STORM);
        self.storm.unwrap_or(usual)
    }

    /// When a run ends by itself.
    pub(crate) fn run_ends(&self) -> Duration {
        let usual = self.real.map_or(Duration::from_secs(3600), |_| HORIZON);
        self.horizon.unwrap_or(usual).max(self.storm_ends())
    }

    /// What may go wrong.
    pub(crate) fn chosen_menu(&self) -> Menu {
        let usual = || match self.real {
            None => Menu::default(),
            Some(_) => Menu::default()
                .delays([LATE])
                .copies([Duration::from_millis(1), LATE])
                .outages([LATE]),
        };
        self.menu.clone().unwrap_or_else(usual)
    }

    /// The most real time of a run; in real time its horizon comes first.
    pub(crate) fn most_patience(&self) -> Duration {
        match self.real {
            None => self.patience,
            Some(_) => self.patience.max(self.run_ends().saturating_mul(2)),
        }
    }
}

/// A runtime for one run.
pub(crate) fn runtime(real: Option<RealTime>) -> io::Result<Runtime> {
    let Some(RealTime { threads, .. }) = real else {
        return Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
    };
    match threads {
        None => Builder::new_current_thread().enable_all().build(),
        Some(threads) => Builder::new_multi_thread()
            .worker_threads(threads.get())
            .enable_all()
            .build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_confirmed_is_refused() {
        for (k, n, ok) in [
            (1, 1, true),
            (2, 3, true),
            (20, 20, true),
            (0, 3, false),
            (4, 3, false),
            (1, 21, false),
        ] {
            assert_eq!(RealTime::new().confirm(k, n).is_ok(), ok, "{k} of {n}");
        }
    }

    #[test]
    fn it_is_decided_as_soon_as_it_is_known() {
        let two_of_three = Confirmation { k: 2, n: 3 };
        for (came, of, decided) in [
            (0, 0, false),
            (1, 1, false),
            (2, 2, true),
            (0, 1, false),
            (0, 2, true),
            (1, 2, false),
            (1, 3, true),
        ] {
            assert_eq!(two_of_three.is_decided(came, of), decided, "{came} of {of}");
        }
    }
}
