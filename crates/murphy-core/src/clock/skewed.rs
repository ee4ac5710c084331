//! [`SkewedClock`]: the clocks of a machine of its own.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::bend::{Bend, Due};
use super::{Clock, Drift, Interval, Offset, Sleep, Suspended, TokioClock, Wall};

/// Clocks that run fast or slow, are set, freeze and sleep, over those of a base. Clones share them.
///
/// Both clocks start where the base's are. From then on the time of day runs on its own, as that
/// of a machine does: it is the base's again only by [`sync`](Self::sync).
///
/// | verb | monotonic clock | time of day | sleepers |
/// |---|---|---|---|
/// | [`drift`](Self::set_drift) | faster or slower from now on | the same | earlier or later |
/// | [`jump`](Self::jump), [`set_wall`](Self::set_wall), [`sync`](Self::sync) | – | forward or back, at once | – |
/// | [`slew`](Self::slew) | – | forward or back, bit by bit | – |
/// | [`freeze`](Self::freeze) | stands still; goes on from there | the same: behind until it is set | wait |
/// | [`suspend`](Self::suspend) | stands still, then goes on or catches up | stands still, then is right | wait, then fire if they are due |
///
/// Instants belong to the clock that they were read from: to wait for one, use this clock's
/// [`sleep_until`](Clock::sleep_until), which feels every change. The monotonic clock never goes
/// back, whatever is done to it from whichever thread, even if the base does. A thousand years
/// after it was made it stands still.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_core::clock::{Clock, Offset, SkewedClock, TokioClock};
/// use std::time::Duration;
///
/// let machine = SkewedClock::new();
/// let (began, wall) = (machine.now(), machine.wall());
/// tokio::time::sleep(Duration::from_secs(1)).await;
/// machine.jump(Offset::behind(Duration::from_secs(3)));
///
/// assert_eq!(machine.wall() - wall, Offset::behind(Duration::from_secs(2)));
/// assert_eq!(machine.now() - began, Duration::from_secs(1));
/// # });
/// ```
#[doc(alias = "clock skew")]
#[doc(alias = "NTP")]
#[doc(alias = "GC pause")]
#[doc(alias = "SIGSTOP")]
pub struct SkewedClock<C = TokioClock> {
    shared: Arc<Shared<C>>,
    quiet: bool,
}

struct Shared<C> {
    base: C,
    /// Where both timelines begin.
    origin: Instant,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    bend: Bend,
    error: Duration,
}

impl SkewedClock {
    /// Over tokio's clock, and not yet bent.
    #[must_use]
    pub fn new() -> Self {
        Self::over(TokioClock)
    }
}

impl<C: Clock> SkewedClock<C> {
    /// Over a base that is taken to be right, and not yet bent.
    #[must_use]
    pub fn over(base: C) -> Self {
        let (origin, wall) = (base.now(), base.wall());
        Self {
            shared: Arc::new(Shared {
                base,
                origin,
                state: Mutex::new(State {
                    bend: Bend::new(wall),
                    error: Duration::ZERO,
                }),
                changed: watch::Sender::new(()),
            }),
            quiet: false,
        }
    }

    /// The same clock, by a handle whose changes wake no sleeper: for whoever holds a lock that a
    /// waker may want. [`rouse`](Self::rouse) is owed afterwards.
    #[must_use]
    pub fn quiet(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            quiet: true,
        }
    }

    /// Lets sleepers look again at what was changed by a [`quiet`](Self::quiet) handle.
    pub fn rouse(&self) {
        self.shared.changed.send_replace(());
    }

    /// With its time of day so far ahead or behind: [`jump`](Self::jump).
    #[must_use]
    pub fn offset(self, by: Offset) -> Self {
        self.jump(by);
        self
    }

    /// Fast or slow by so much: [`set_drift`](Self::set_drift).
    #[must_use]
    pub fn drift(self, drift: Drift) -> Self {
        self.set_drift(drift);
        self
    }

    /// Believing in this error: [`set_error`](Self::set_error).
    #[must_use]
    pub fn error(self, error: Duration) -> Self {
        self.set_error(error);
        self
    }

    /// Both clocks are fast or slow by so much from now on. What they show is continuous.
    pub fn set_drift(&self, drift: Drift) {
        self.change(|state| state.bend.set_drift(drift));
    }

    /// Steps the time of day, forward or back, as NTP, an operator or a leap second does.
    #[doc(alias = "step")]
    pub fn jump(&self, by: Offset) {
        self.change(|state| state.bend.jump(by));
    }

    /// Steps the time of day to this. A slew under way is over.
    pub fn set_wall(&self, to: Wall) {
        self.change(|state| state.bend.set_wall(to));
    }

    /// Steps the time of day to the base's, as NTP does when it finds a machine far off. The drift
    /// stays. A slew under way is over.
    pub fn sync(&self) {
        let wall = self.shared.base.wall();
        self.change(|state| state.bend.set_wall(wall));
    }

    /// Moves the time of day by so much, spread evenly over `over` of its own time: a leap smear is
    /// one second behind over a day. It goes back only where `by` is behind by more than `over`.
    /// What is left of a slew under way is added, and spread anew.
    #[doc(alias = "smear")]
    #[doc(alias = "leap second")]
    pub fn slew(&self, by: Offset, over: Duration) {
        self.change(|state| state.bend.slew(by, over));
    }

    /// Both clocks stand still, and timers with them: a virtual machine is paused. Twice is once.
    ///
    /// A process that is merely stopped (garbage collection, `SIGSTOP`) finds its clocks gone on:
    /// that is a pause of the node and not of its clocks.
    #[doc(alias = "VM pause")]
    pub fn freeze(&self) {
        self.change(|state| state.bend.freeze());
    }

    /// Both clocks go on from where they stood. The time of day is now behind, until it is set.
    pub fn thaw(&self) {
        self.change(|state| state.bend.thaw());
    }

    /// The machine sleeps for so much of the base's time; a further sleep is added to one under way.
    ///
    /// When it wakes, its time of day has caught up (from a battery-backed clock), and `mode` says
    /// what its monotonic clock makes of it. Frozen, it does not wake before it thaws.
    pub fn suspend(&self, by: Duration, mode: Suspended) {
        self.change(|state| state.bend.suspend(by, mode));
    }

    /// What the machine takes the error of its time of day to be: [`bound`](Clock::bound) is so
    /// much to both sides. It believes this whether or not it is right; nothing by default.
    pub fn set_error(&self, error: Duration) {
        self.change(|state| state.error = error);
    }

    /// How far its time of day is ahead of the base's now.
    #[must_use]
    pub fn skew(&self) -> Offset {
        let wall = self.shared.read(|state| state.bend.wall());
        wall - self.shared.base.wall()
    }

    /// Whether it is frozen.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.shared.read(|state| state.bend.is_frozen())
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.shared.state());
        // After the change: who subscribed before it is woken, who did after it sees it.
        if !self.quiet {
            self.rouse();
        }
    }
}

impl<C> Clone for SkewedClock<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            quiet: self.quiet,
        }
    }
}

impl Default for SkewedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clock> fmt::Debug for SkewedClock<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bend = self.shared.read(|state| state.bend.clone());
        f.debug_tuple("SkewedClock").field(&bend).finish()
    }
}

impl<C: Clock + 'static> Clock for SkewedClock<C> {
    fn now(&self) -> Instant {
        let mono = self.shared.read(|state| state.bend.mono());
        // Within a thousand years, which every platform's instant can hold.
        self.shared
            .origin
            .checked_add(mono)
            .unwrap_or(self.shared.origin)
    }

    fn wall(&self) -> Wall {
        self.shared.read(|state| state.bend.wall())
    }

    fn bound(&self) -> Interval {
        let read = |state: &State| Interval::around(state.bend.wall(), state.error);
        self.shared.read(read)
    }

    /// Fires when [`now`](Clock::now) is at or past the deadline: as late as the base's timer is,
    /// never early.
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::new(sleep(Arc::clone(&self.shared), deadline))
    }
}

impl<C: Clock> Shared<C> {
    /// The state as of now. The base is read under the lock, so that readings are in order.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = self.base.now().saturating_duration_since(self.origin);
        state.bend.see(elapsed);
        state
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state())
    }

    /// The base's instant at which the local deadline comes, if it comes by itself.
    fn due(&self, deadline: Instant) -> Option<Result<Instant, Passed>> {
        let local = deadline.saturating_duration_since(self.origin);
        match self.read(|state| state.bend.due(local)) {
            Due::Now => Some(Err(Passed)),
            Due::At(elapsed) => self.origin.checked_add(elapsed).map(Ok),
            Due::Never => None,
        }
    }
}

/// The deadline has passed.
struct Passed;

async fn sleep<C: Clock>(shared: Arc<Shared<C>>, deadline: Instant) {
    // Before the first look: a change after it is not missed.
    let mut changes = shared.changed.subscribe();
    loop {
        let base = match shared.due(deadline) {
            Some(Err(Passed)) => return,
            Some(Ok(base)) => Some(shared.base.sleep_until(base)),
            // ## Waiting => Waiting. Frozen, or past the end of time: only a change can help.
            None => None,
        };
        let (mut timer, mut changed) = (base, pin!(changes.changed()));
        // ## Waiting => looking again, when the base's timer fires or the mapping has changed.
        poll_fn(|cx| {
            let fired = timer
                .as_mut()
                .is_some_and(|timer| pin!(timer).poll(cx).is_ready());
            match fired || changed.as_mut().poll(cx).is_ready() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}
