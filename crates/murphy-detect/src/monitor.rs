//! [`Monitor`]: who is alive, as far as their beats tell.
//!
//! ```text
//!                       deadline                 suspect_for later
//! (unknown) ─ beat ─▶ Alive ─────────▶ Suspect ───────────────▶ Dead ─ forget_after ─▶ (unknown)
//!                       ▲ ◀── a beat ────┘                        │
//!                       └───────────── recover_after beats ───────┘
//! ```

mod event;
mod ghosts;
mod guard;
mod judge;
mod node;
mod query;
mod record;
mod refused;
mod roll;
mod safe;
mod wheel;

use std::collections::VecDeque;
use std::hash::Hash;
use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use murphy_core::order::NodeId;

pub use self::event::{Event, Liveness};
use self::ghosts::Ghosts;
pub use self::guard::Guard;
use self::guard::Watch;
use self::node::Node;
pub use self::node::Slot;
pub use self::refused::{Counts, Refused};
use self::roll::Roll;
use self::safe::Safe;
pub use self::safe::SafeMode;
use self::wheel::Wheel;
use crate::heartbeat::LONGEST_INTERVAL;
use crate::{Adaptive, Detector, Moment};

/// Told of beats and of time, it knows who is alive.
///
/// It reads no clock and starts nothing: whoever owns it tells it the time, on one monotonic clock.
/// [`poll`](Self::poll) it at [`next_deadline`](Self::next_deadline) to hear of what happens; questions are
/// answered for the moment that they ask about, whether or not it was polled.
///
/// * A node that was never heard of is neither alive nor dead. At its deadline, exactly, a node is not alive any more.
/// * A beat costs one look-up (none with a [`Slot`]) and what the detector costs, whatever the number of nodes.
/// * It takes 64 bytes a node beside the detector's state and the name, and about 25 for finding it again.
///
/// What beats that are not as they should be do is told in [`odd`](crate::odd), with a test for each.
///
/// # Examples
///
/// ```
/// use murphy_detect::detector::Fixed;
/// use murphy_detect::{Event, Heartbeat, Moment, Monitor};
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let mut monitor = Monitor::new(Fixed::try_new(3 * second)?);
/// let beat = Heartbeat { node: "a", incarnation: 1, seq: 0, sent: Moment::ZERO, interval: second };
/// monitor.record_heartbeat(Moment::ZERO, &beat)?;
///
/// let deadline = Moment::after(3 * second);
/// assert_eq!(monitor.next_deadline(), Some(Moment::ZERO), "there is something to tell");
/// assert_eq!(monitor.poll(Moment::ZERO), Some(Event::Up { node: "a", incarnation: 1 }));
/// assert_eq!(monitor.poll(Moment::ZERO), None);
/// assert_eq!(monitor.next_deadline(), Some(deadline));
/// assert_eq!(monitor.dead_nodes(deadline), [&"a"]);
/// assert!(!monitor.is_alive(&"b", deadline) && !monitor.liveness(&"b", deadline).is_dead());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "FailureDetector")]
#[doc(alias = "failure detector")]
#[derive(Clone, Debug)]
pub struct Monitor<N = NodeId, D: Detector = Adaptive> {
    detector: D,
    rules: Rules,
    roll: Roll<N>,
    nodes: Vec<Node<D::State>>,
    wheel: Wheel,
    watch: Watch,
    safe: Safe,
    ghosts: Ghosts<N>,
    events: VecDeque<Event<N>>,
    counts: Counts,
    tally: Tally,
    /// The latest moment that it was told.
    latest: Moment,
    /// There is something to tell, or sooner than was said.
    stirred: bool,
    /// Kept for its place in memory.
    fired: Vec<u32>,
}

/// How many nodes are in which phase, as of the last beat or poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Alive.
    pub alive: u32,
    /// Suspected.
    pub suspect: u32,
    /// Down.
    pub dead: u32,
}

#[derive(Clone, Copy, Debug)]
struct Rules {
    suspect_for: Duration,
    recover_after: u8,
    calm_after: Duration,
    forget_after: Duration,
    longest_interval: Duration,
    max_nodes: u32,
    incarnation_ahead: u64,
}

/// Above this nobody's incarnation goes, so that there is always a next one.
pub(crate) const HIGHEST_INCARNATION: u64 = i64::MAX as u64;

impl<N: Clone + Eq + Hash, D: Detector> Monitor<N, D> {
    /// A monitor without nodes, [guard](Self::guard) or [safe mode](Self::safe_mode).
    #[must_use]
    pub fn new(detector: D) -> Self {
        Self {
            detector,
            rules: Rules {
                suspect_for: Duration::ZERO,
                recover_after: 2,
                calm_after: Duration::from_secs(600),
                forget_after: Duration::from_secs(86_400),
                longest_interval: LONGEST_INTERVAL,
                max_nodes: 1 << 16,
                incarnation_ahead: HIGHEST_INCARNATION,
            },
            roll: Roll::new(),
            nodes: Vec::new(),
            wheel: Wheel::new(),
            watch: Watch::new(None),
            safe: Safe::new(None),
            ghosts: Ghosts::new(4096),
            events: VecDeque::new(),
            counts: Counts::default(),
            tally: Tally::default(),
            latest: Moment::ZERO,
            stirred: false,
            fired: Vec::new(),
        }
    }

    /// How long a node is suspected before it is taken for dead. Not at all by default: it is dead at its deadline.
    #[must_use]
    pub const fn suspect_for(mut self, dwell: Duration) -> Self {
        self.rules.suspect_for = dwell;
        self
    }

    /// How many beats bring a dead node back, each before the deadline that the one before it set: 2 by default.
    ///
    /// A node that returned before needs twice as many at each further return, up to sixteen times as many (127 at
    /// most), until it has been alive for `calm`: 10 min by default.
    #[must_use]
    pub const fn recover_after(mut self, beats: NonZeroU8, calm: Duration) -> Self {
        self.rules.recover_after = beats.get();
        self.rules.calm_after = calm;
        self
    }

    /// How long a dead node is remembered: a day by default.
    ///
    /// Then its place is free, and beats of the life that it had are refused, so that one that was late does
    /// not bring it back: for as long as it is among the last `ghosts` that were forgotten, 4096 by default.
    #[must_use]
    pub fn forget_after(mut self, dead: Duration, ghosts: u32) -> Self {
        self.rules.forget_after = dead;
        self.ghosts = Ghosts::new(ghosts);
        self
    }

    /// How many nodes are watched: 65,536 by default. At the limit new ones are [refused](Refused::Full).
    #[must_use]
    pub const fn max_nodes(mut self, limit: NonZeroU32) -> Self {
        // One number is nobody's slot.
        self.rules.max_nodes = if limit.get() == u32::MAX {
            u32::MAX - 1
        } else {
            limit.get()
        };
        self
    }

    /// The longest interval that a node may claim: an hour by default, as long as a [`Heartbeater`](crate::Heartbeater) can
    /// have. It bounds how late a claim can make us: a beat that claims more is refused, and its node never comes up.
    #[must_use]
    pub const fn longest_interval(mut self, interval: Duration) -> Self {
        self.rules.longest_interval = interval;
        self
    }

    /// How far above the last one a new incarnation may be. Beyond, a beat is [from the future](Refused::FromTheFuture).
    ///
    /// By default any is believed below 2^63: a sender whose clock was ahead when it started must
    /// not be silenced, and one that is told of a higher life begins another above that. Give a bound where senders
    /// cannot hear the answer, in the unit of their incarnations.
    #[must_use]
    pub const fn incarnation_ahead(mut self, bound: u64) -> Self {
        self.rules.incarnation_ahead = bound;
        self
    }

    /// Guards against the observer's own pauses.
    ///
    /// It must then be polled at [`next_deadline`](Self::next_deadline), which is never further than a tick: a monitor that
    /// nobody polls takes that for a pause, and judges nobody.
    #[must_use]
    pub const fn guard(mut self, guard: Guard) -> Self {
        self.watch = Watch::new(Some(guard));
        self
    }

    /// Holds nodes at suspect when too many are silent at once. Only a poll then says that a node is dead.
    #[must_use]
    pub const fn safe_mode(mut self, rule: SafeMode) -> Self {
        self.safe = Safe::new(Some(rule));
        self
    }

    /// Makes room for so many nodes, and no more.
    #[must_use]
    pub fn with_room_for(mut self, nodes: u32) -> Self {
        let room = nodes.min(self.rules.max_nodes) as usize;
        self.nodes.reserve_exact(room);
        self.roll.reserve(room);
        self.wheel.reserve(room);
        self
    }

    /// The detector.
    pub const fn detector(&self) -> &D {
        &self.detector
    }

    /// What it has seen since it began.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How many nodes are in which phase, as of the last beat or poll.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether [`next_deadline`](Self::next_deadline) may be sooner than when this was last asked.
    pub(crate) const fn take_stirred(&mut self) -> bool {
        std::mem::replace(&mut self.stirred, false)
    }

    fn push(&mut self, event: Event<N>) {
        let bound = (self.rules.max_nodes as usize).saturating_mul(4);
        if self.events.len() >= bound.max(64) {
            self.events.pop_front();
            self.counts.lost_events += 1;
        }
        self.events.push_back(event);
        self.stirred = true;
    }
}

impl<N: Clone + Eq + Hash> Default for Monitor<N> {
    /// With an [`Adaptive`] detector.
    fn default() -> Self {
        Self::new(Adaptive::default())
    }
}

#[cfg(test)]
mod tests;
