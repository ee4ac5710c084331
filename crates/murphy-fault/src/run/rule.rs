//! A fault in a run: its streams, premixed, and what it counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use murphy_core::{Distribution, Draw, Lane, Point, Probability, Seed, Stream};

use crate::abilities::ability;
use crate::book::Why;
use crate::effect::{Effect, resend};
use crate::fault::Narrow;
use crate::network::Queue;
use crate::requested::Wanted;
use crate::run::{Asked, Passage};
use crate::select::{ScriptPoint, Select};
use crate::{Fault, Leg};

/// The longest magnitude: 584 years, which is what a ledger can write down.
const LONGEST: Duration = Duration::from_nanos(u64::MAX);

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) fault: Fault,
    pub(crate) fires: Stream,
    magnitude: Stream,
    alter: Stream,
    burst: Stream,
    active: bool,
    /// What the layer must be able to do.
    pub(crate) needs: u32,
    /// The calls that reached the selector, for those that count.
    seen: AtomicU64,
    /// The calls that it struck, where a limit counts them.
    struck: AtomicU64,
    reached: Box<[AtomicBool]>,
    /// What a slow link has on it.
    pub(crate) queue: Option<(Leg, Arc<Queue>)>,
    /// Not of the plan, but of what the link is like: nothing is counted, and of delays nothing
    /// is written down.
    pub(crate) derived: bool,
}

impl Rule {
    pub(crate) fn new(seed: Seed, site: &str, fault: &Fault) -> Self {
        let stream = |lane| Stream::new(seed, site, &fault.name, lane);
        let points = match &fault.select {
            Select::Script(script) => script.points().len(),
            _ => 0,
        };
        Self {
            fires: stream(Lane::Fires),
            magnitude: stream(Lane::Magnitude),
            alter: stream(Lane::Alter),
            burst: stream(Lane::Burst),
            active: fault
                .narrow
                .active
                .is_none_or(|p| stream(Lane::Active).at(Point::positional(0)).hits(p)),
            needs: ability::needed_by(fault),
            seen: AtomicU64::new(0),
            struck: AtomicU64::new(0),
            reached: (0..points).map(|_| AtomicBool::new(false)).collect(),
            queue: match &fault.effect {
                Effect::Queue {
                    leg,
                    rate,
                    capacity,
                } => Some((*leg, Arc::new(Queue::new(rate, *capacity)))),
                _ => None,
            },
            derived: false,
            fault: fault.clone(),
        }
    }

    /// As [`new`](Self::new), of what a link is like. Its queue is that of the directed link.
    pub(crate) fn derived(
        seed: Seed,
        site: &str,
        fault: &Fault,
        shared: impl FnOnce(Arc<Queue>) -> Arc<Queue>,
    ) -> Self {
        let rule = Self::new(seed, site, fault);
        Self {
            queue: rule.queue.map(|(leg, queue)| (leg, shared(queue))),
            derived: true,
            ..rule
        }
    }

    /// Whether a strike of it is written down as soon as it is decided. What a slow link does to a
    /// message is known when that departs.
    pub(crate) fn is_written(&self, on_hold: bool) -> bool {
        match self.fault.effect {
            Effect::Queue { leg, .. } => leg == Leg::Request && !on_hold && !self.derived,
            Effect::Delay { .. } => !self.derived,
            _ => true,
        }
    }

    /// What a draw must stay below for the rule to be worth a look.
    pub(crate) fn threshold(&self) -> u64 {
        match (&self.fault.select, self.active) {
            (_, false) => 0,
            (Select::Chance(p), true) => p.threshold(),
            (_, true) => Probability::ALWAYS.threshold(),
        }
    }

    /// Whether something else than key and occurrence decides: a count, or the time.
    pub(crate) fn looks_beyond_the_key(&self) -> bool {
        let Narrow {
            window,
            calls,
            at_most,
            ..
        } = &self.fault.narrow;
        let select = &self.fault.select;
        select.counts()
            || select.times()
            || window.is_some()
            || calls.is_some()
            || at_most.is_some()
            || matches!(self.fault.effect, Effect::Queue { .. })
    }

    pub(crate) fn reorders(&self, this: Leg) -> bool {
        matches!(self.fault.effect, Effect::Reorder { leg, .. } if leg == this)
    }

    pub(crate) fn unreached(&self) -> Vec<ScriptPoint> {
        match &self.fault.select {
            Select::Script(script) => {
                let points = script.points().iter().zip(&self.reached);
                points
                    .filter(|(_, reached)| !reached.load(Relaxed))
                    .map(|(p, _)| *p)
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether it strikes this call, and with which magnitude, or why not.
    ///
    /// `asked` tells of the request; `elapsed` reads a clock.
    pub(crate) fn strikes(
        &self,
        passage: &Passage,
        asked: &Asked<'_>,
        elapsed: impl FnOnce() -> Duration,
    ) -> Result<Duration, Why> {
        let Narrow {
            only,
            except,
            window,
            calls,
            requested,
            ..
        } = &self.fault.narrow;
        let is = asked.is;
        if !self.active {
            return Err(Why::Inactive);
        }
        if calls
            .as_ref()
            .is_some_and(|c| !c.contains(&passage.ordinal))
        {
            return Err(Why::OutsideCalls);
        }
        if (!only.is_empty() && !only.iter().any(|w| is(w))) || except.iter().any(|w| is(w)) {
            return Err(Why::Spared);
        }
        let wanted = match requested.then(|| (asked.wants)(self.fault.name())) {
            None => Wanted::default(),
            Some(wanted) => wanted.ok_or(Why::NotRequested)?,
        };
        let elapsed = if window.is_some() || self.fault.select.times() {
            elapsed()
        } else {
            Duration::ZERO
        };
        if window.is_some_and(|(from, until)| !(from..until).contains(&elapsed)) {
            return Err(Why::OutsideWindow);
        }
        let magnitude = self.selects(passage, elapsed).ok_or(Why::NotSelected)?;
        // The draw that the fault itself fires by: asked for more rarely, it strikes fewer of the
        // same calls.
        let rarer = |p| !self.fires.at(passage.point()).hits(p);
        if wanted.chance.is_some_and(rarer) {
            return Err(Why::NotSelected);
        }
        let magnitude = magnitude.unwrap_or_else(|| self.draw_magnitude(passage.point()));
        Ok(wanted.delay.map_or(magnitude, |most| magnitude.min(most)))
    }

    /// `Some` if the selector chooses the call, with the magnitude that a script prescribes.
    fn selects(&self, passage: &Passage, elapsed: Duration) -> Option<Option<Duration>> {
        let chance = |p: Probability| self.fires.at(passage.point()).hits(p).then_some(None);
        match &self.fault.select {
            Select::Chance(p) => chance(*p),
            Select::Ramp { from, to, over } => chance(Select::ramp_at(*from, *to, *over, elapsed)),
            Select::Script(script) => {
                let index = script.find(passage.key, passage.occurrence)?;
                self.reached[index].store(true, Relaxed);
                let magnitude = script.points()[index].magnitude;
                Some(magnitude.map(|m| m.min(LONGEST)))
            }
            counting => {
                let nth = self.seen.fetch_add(1, Relaxed);
                counting
                    .by_count(nth, |i| self.burst.at(Point::positional(i)))
                    .then_some(None)
            }
        }
    }

    fn draw_magnitude(&self, point: Point) -> Duration {
        let draw = |d: &Distribution| d.sample(self.magnitude.at(point)).min(LONGEST);
        match &self.fault.effect {
            Effect::Delay { by, .. } => draw(by),
            Effect::Duplicate { after, .. } => draw(after),
            Effect::Resend { rtt, again, .. } => {
                resend(*rtt, *again, self.magnitude.at(point)).min(LONGEST)
            }
            _ => Duration::ZERO,
        }
    }

    /// Whether the ledger should say how much.
    pub(crate) fn has_magnitude(&self) -> bool {
        matches!(
            self.fault.effect,
            Effect::Delay { .. }
                | Effect::Duplicate { .. }
                | Effect::Resend { .. }
                | Effect::Queue { .. }
        )
    }

    /// What an altering hook draws from.
    pub(crate) fn alter_draw(&self, point: Point) -> Draw {
        self.alter.at(point)
    }

    /// Takes one of the strikes that the rule has left.
    pub(crate) fn take_turn(&self) -> bool {
        let Some(most) = self.fault.narrow.at_most else {
            return true;
        };
        let take = |n| (n < most).then_some(n + 1);
        self.struck.fetch_update(Relaxed, Relaxed, take).is_ok()
    }

    /// It did not strike after all.
    pub(crate) fn give_turn_back(&self) {
        if self.fault.narrow.at_most.is_some() {
            self.struck.fetch_sub(1, Relaxed);
        }
    }
}
