//! [`Fault`]: what goes wrong, to which calls.

mod answer;
mod body;

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Distribution, Probability};

use crate::effect::{Effect, Keep, Place};
use crate::network::Rate;
use crate::{Leg, Select};

pub(crate) use answer::{Answer, With};
pub use answer::{BadHeader, BadStatus, GrpcCode, HttpStatus};

/// The most turns that a call yields for.
pub(crate) const MOST_TURNS: u32 = 1024;

/// One fault at one site: an [`Effect`], a [`Select`] that says which calls it strikes, and what
/// narrows that down further.
///
/// No fault fires by default: every constructor takes its selection. A [`Probability`] is one.
///
/// # Examples
///
/// ```
/// use murphy_core::{Distribution, Probability};
/// use murphy_fault::{Fault, Select};
/// use std::time::Duration;
///
/// let slow = Fault::latency(
///     Distribution::fixed(Duration::from_millis(40)),
///     Probability::try_new(0.05)?,
/// );
/// let outage = Fault::lost_reply(Probability::ALWAYS)
///     .named("outage")
///     .during(Duration::from_secs(2), Duration::from_secs(5));
/// assert_eq!((slow.name(), outage.name()), ("latency", "outage"));
/// # Ok::<(), murphy_core::BadProbability>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub(crate) name: Arc<str>,
    pub(crate) effect: Effect,
    pub(crate) select: Select,
    pub(crate) narrow: Narrow,
    pub(crate) give_up: Option<Duration>,
    pub(crate) answer: Answer,
}

/// What narrows a selection down. Empty by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Narrow {
    pub(crate) only: Vec<Arc<str>>,
    pub(crate) except: Vec<Arc<str>>,
    pub(crate) window: Option<(Duration, Duration)>,
    pub(crate) calls: Option<Range<u64>>,
    pub(crate) active: Option<Probability>,
    pub(crate) at_most: Option<u64>,
    pub(crate) requested: bool,
}

impl Fault {
    /// A fault with the name of its effect. [`named`](Self::named) gives it one of its own.
    #[must_use]
    pub fn new(effect: Effect, select: impl Into<Select>) -> Self {
        Self {
            name: effect.default_name().into(),
            effect,
            select: select.into(),
            narrow: Narrow::default(),
            give_up: None,
            answer: Answer::default(),
        }
    }

    /// A slow wire: the request is delayed, and the service is free meanwhile.
    #[must_use]
    pub fn latency(by: Distribution, select: impl Into<Select>) -> Self {
        Self::new(
            Effect::Delay {
                place: Place::Wire,
                by,
            },
            select,
        )
    }

    /// A slow server: the request arrives at once, and occupies the service while it waits.
    #[must_use]
    pub fn slow_server(by: Distribution, select: impl Into<Select>) -> Self {
        Self::new(
            Effect::Delay {
                place: Place::Server,
                by,
            },
            select,
        )
    }

    /// A slow wire on the way back: the work is done, its reply is late.
    #[must_use]
    pub fn slow_reply(by: Distribution, select: impl Into<Select>) -> Self {
        Self::new(
            Effect::Delay {
                place: Place::Reply,
                by,
            },
            select,
        )
    }

    /// The request never arrives; the caller hears nothing.
    #[must_use]
    pub fn lost_request(select: impl Into<Select>) -> Self {
        Self::new(Effect::Lose(Leg::Request), select)
    }

    /// The work is done once, to its end, even if the caller gives up; the caller hears nothing.
    #[must_use]
    pub fn lost_reply(select: impl Into<Select>) -> Self {
        Self::new(Effect::Lose(Leg::Reply), select)
    }

    /// A refusal before the work. Needs [`refusing`](crate::FaultLayer::refusing).
    #[must_use]
    pub fn refused(select: impl Into<Select>) -> Self {
        Self::new(Effect::Refuse(Leg::Request), select)
    }

    /// A refusal in place of the reply, after the work was done: its outcome is unknown to the
    /// caller. Needs [`refusing`](crate::FaultLayer::refusing).
    #[must_use]
    pub fn refused_after_work(select: impl Into<Select>) -> Self {
        Self::new(Effect::Refuse(Leg::Reply), select)
    }

    /// A copy of the request arrives `after` the original; the caller sees the original's reply.
    /// Needs [`duplicating`](crate::FaultLayer::duplicating).
    #[must_use]
    pub fn duplicate(after: Distribution, select: impl Into<Select>) -> Self {
        Self::new(
            Effect::Duplicate {
                after,
                keep: Keep::First,
            },
            select,
        )
    }

    /// The message is held until `passes` later calls of the site have passed it, or for `bound`.
    #[must_use]
    pub fn reorder(leg: Leg, passes: u32, bound: Duration, select: impl Into<Select>) -> Self {
        Self::new(Effect::Reorder { leg, passes, bound }, select)
    }

    /// The request is changed by the site's hook: corruption.
    /// Needs [`altering_requests`](crate::FaultLayer::altering_requests).
    #[must_use]
    pub fn altered_request(select: impl Into<Select>) -> Self {
        Self::new(Effect::Alter(Leg::Request), select)
    }

    /// The reply is changed by the site's hook: a lie.
    /// Needs [`altering_replies`](crate::FaultLayer::altering_replies).
    #[must_use]
    pub fn altered_reply(select: impl Into<Select>) -> Self {
        Self::new(Effect::Alter(Leg::Reply), select)
    }

    /// The message waits its turn on a slow link: a queue of `capacity` messages (the one that is
    /// being sent included), drained at a rate and shared by all callers of the site. What finds it
    /// full is lost, and `overflow` in the ledger. A rate of bytes needs
    /// [`sizing`](crate::FaultLayer::sizing).
    ///
    /// A message that was let in occupies the link for its time, whether or not its caller still
    /// waits; a caller that leaves takes the call along, as from any delay.
    #[must_use]
    #[doc(alias = "NetworkSwitch")]
    #[doc(alias = "bandwidth")]
    pub fn slow_link(
        leg: Leg,
        rate: Rate,
        capacity: NonZeroU32,
        select: impl Into<Select>,
    ) -> Self {
        Self::new(
            Effect::Queue {
                leg,
                rate,
                capacity,
            },
            select,
        )
    }

    /// The last packet of the message is lost, and TCP sends it again: to a request that is a
    /// delay. The first wait is `rtt` and 200 ms (the least that Linux waits), and doubles with each
    /// further loss (RFC 6298), whose chance is `again`.
    ///
    /// Packets in the middle cost a round trip and no timer; for those use a latency.
    #[must_use]
    #[doc(alias = "packet loss")]
    pub fn resent(leg: Leg, rtt: Duration, again: Probability, select: impl Into<Select>) -> Self {
        Self::new(Effect::Resend { leg, rtt, again }, select)
    }

    /// Whoever else is ready goes first: the call's task goes to the end of the line, `turns` times (1 at least, 1,024 at most).
    /// No time passes. On one thread that is another order of the same things, and nothing else; on several it is
    /// hardly anything.
    ///
    /// A request that yields leaves the instance that was readied for it, as one does that is delayed.
    #[must_use]
    #[doc(alias = "schedule perturbation")]
    pub fn yielding(leg: Leg, turns: u32, select: impl Into<Select>) -> Self {
        let turns = turns.clamp(1, MOST_TURNS);
        Self::new(Effect::Yield { leg, turns }, select)
    }

    /// Gives the fault a name. Names are part of the draw: two faults of one kind at one site
    /// must have two, and a renamed fault strikes other calls.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// A duplicate whose *last* reply is the one that the caller sees. No effect on other faults.
    #[must_use]
    pub fn keeping_last(mut self) -> Self {
        if let Effect::Duplicate { keep, .. } = &mut self.effect {
            *keep = Keep::Last;
        }
        self
    }

    /// Bounds a silence: `after` this long since the call, the caller of a lost one is refused
    /// (needs [`refusing`](crate::FaultLayer::refusing)); this long after a body stalled, it fails
    /// as a reset one does. No effect on other faults.
    #[must_use]
    pub fn giving_up(mut self, after: Duration) -> Self {
        if self.effect.is_silent() {
            self.give_up = Some(after);
        }
        self
    }

    /// Strikes only from `from` (inclusive) to `until` (exclusive) after arming. Makes the site
    /// read a clock. An empty or inverted window strikes never.
    #[must_use]
    pub fn during(mut self, from: Duration, until: Duration) -> Self {
        self.narrow.window = Some((from, until));
        self
    }

    /// Strikes only the calls with these ordinals (0 is the site's first after arming): a window
    /// that repeats under any clock, though not under any schedule.
    #[must_use]
    pub fn calls(mut self, ordinals: Range<u64>) -> Self {
        self.narrow.calls = Some(ordinals);
        self
    }

    /// Strikes only requests that the site's predicate recognises as `what`; several are *or*.
    /// Needs [`matching`](crate::FaultLayer::matching).
    #[must_use]
    #[doc(alias = "predicate")]
    pub fn only(mut self, what: impl Into<Arc<str>>) -> Self {
        self.narrow.only.push(what.into());
        self
    }

    /// Spares requests that the site's predicate recognises as `what`; several are *or*.
    /// Needs [`matching`](crate::FaultLayer::matching).
    #[must_use]
    pub fn except(mut self, what: impl Into<Arc<str>>) -> Self {
        self.narrow.except.push(what.into());
        self
    }

    /// Two-level activation (FoundationDB's `BUGGIFY`): the fault takes part in a run with this
    /// chance, drawn once from the seed; if not, it strikes nobody in that run.
    #[must_use]
    pub fn active_in(mut self, share_of_runs: Probability) -> Self {
        self.narrow.active = Some(share_of_runs);
        self
    }

    /// Strikes at most `n` calls in a run. What it would have struck beyond is in the ledger, as
    /// withheld.
    #[must_use]
    pub fn at_most(mut self, n: u64) -> Self {
        self.narrow.at_most = Some(n);
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does.
    #[must_use]
    pub fn effect(&self) -> &Effect {
        &self.effect
    }

    /// Its time window after arming, if it has one: from (inclusive) to (exclusive).
    #[must_use]
    pub fn window(&self) -> Option<(Duration, Duration)> {
        self.narrow.window
    }

    /// Which calls it strikes.
    #[must_use]
    pub fn select(&self) -> &Select {
        &self.select
    }
}
