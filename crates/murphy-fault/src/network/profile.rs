//! [`Profile`]: what a link is like when nothing is wrong with it.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Distribution, Probability};

use super::queue::Rate;
use super::shape::NodeId;
use crate::effect::{Effect, Place};
use crate::{Fault, Leg};

/// What one direction of a link is like: one-way latency, loss, rate. The default is a perfect
/// wire.
///
/// A call over `a->b` feels the profile of a→b on its request leg and that of b→a on its reply leg.
/// Profiles are read when a run is armed; they are the ground on which the plan's faults happen, and
/// their delays are not written into the ledger (losses and overflows are, as `link.loss` and
/// `link.rate`).
///
/// # Examples
///
/// ```
/// use murphy_core::Distribution;
/// use murphy_fault::{Profile, Rate};
/// use std::time::Duration;
///
/// let dsl = Profile::new()
///     .latency(Distribution::fixed(Duration::from_millis(12)))
///     .rate(Rate::messages(200.0)?, 64.try_into()?);
/// assert_eq!(dsl.to_string(), "fixed(12ms) one way, 200/s through a queue of 64");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    latency: Option<Distribution>,
    /// What few links have lies apart: a network has a million of them.
    rest: Option<Arc<Rest>>,
}

/// What a link is like besides slow.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rest {
    loss: Option<Loss>,
    rate: Option<(Rate, NonZeroU32)>,
    source: Option<Source>,
}

/// What a link loses, and what its transport makes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Loss {
    share: Probability,
    /// Resent by a transport with this round trip; else gone.
    resent: Option<Duration>,
}

/// Where the numbers of a preset come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Source {
    /// The name of the preset.
    pub preset: &'static str,
    /// Who published the numbers, and where.
    pub publisher: &'static str,
    /// When, as precisely as they said.
    pub date: &'static str,
    /// Whether the published time is of one way or of a round trip.
    pub basis: Basis,
    /// Whether it was measured, or somebody's judgement.
    pub measured: bool,
}

/// What a published latency is the latency of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// Of one way: used as it is, each way.
    OneWay,
    /// Of there and back: halved.
    RoundTrip,
}

impl Profile {
    /// A perfect wire.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with this latency, one way. Half of what `ping` says.
    #[must_use]
    pub fn latency(mut self, one_way: Distribution) -> Self {
        self.latency = Some(one_way);
        self
    }

    /// The same with this share of its messages lost, silently: a datagram, or a connection that is
    /// gone with its message.
    #[must_use]
    pub fn losing(self, share: Probability) -> Self {
        let loss = (share != Probability::NEVER).then_some(Loss {
            share,
            resent: None,
        });
        self.change(|rest| rest.loss = loss)
    }

    /// The same with this share of its messages lost beneath TCP, which sends them again: to a
    /// request that is a delay ([`Fault::resent`]). `rtt` is the round trip of the connection.
    #[must_use]
    pub fn resending(self, share: Probability, rtt: Duration) -> Self {
        let loss = (share != Probability::NEVER).then_some(Loss {
            share,
            resent: Some(rtt),
        });
        self.change(|rest| rest.loss = loss)
    }

    /// The same with this rate, through a queue of `capacity` messages, the one that is being sent
    /// included. A message that finds it full is dropped, silently.
    #[must_use]
    #[doc(alias = "NetworkSwitch")]
    pub fn rate(self, rate: Rate, capacity: NonZeroU32) -> Self {
        self.change(|rest| rest.rate = Some((rate, capacity)))
    }

    /// Where its numbers come from, if it is a preset.
    #[must_use]
    pub fn source(&self) -> Option<&Source> {
        self.rest.as_ref()?.source.as_ref()
    }

    pub(super) fn from(self, source: Source) -> Self {
        self.change(|rest| rest.source = Some(source))
    }

    fn change(mut self, change: impl FnOnce(&mut Rest)) -> Self {
        let mut rest = self.rest.take().unwrap_or_default();
        change(Arc::make_mut(&mut rest));
        self.rest = (*rest != Rest::default()).then_some(rest);
        self
    }

    fn loss(&self) -> Option<Loss> {
        self.rest.as_ref()?.loss
    }

    fn queue(&self) -> Option<(Rate, NonZeroU32)> {
        self.rest.as_ref()?.rate
    }

    /// The faults that make a wire feel like this on one leg of its calls.
    pub(crate) fn faults(&self, leg: Leg) -> Vec<Fault> {
        let mut faults = Vec::new();
        let name = |what: &str| -> Arc<str> {
            match leg {
                Leg::Request => format!("link.{what}").into(),
                Leg::Reply => format!("link.{what}.reply").into(),
            }
        };
        let place = match leg {
            Leg::Request => Place::Wire,
            Leg::Reply => Place::Reply,
        };
        if let Some(by) = &self.latency {
            let by = by.clone();
            let delay = Effect::Delay { place, by };
            faults.push(Fault::new(delay, Probability::ALWAYS).named(name("latency")));
        }
        if let Some(Loss { share, resent }) = self.loss() {
            let effect = match resent {
                None => Effect::Lose(leg),
                Some(rtt) => Effect::Resend {
                    leg,
                    rtt,
                    again: share,
                },
            };
            faults.push(Fault::new(effect, share).named(name("loss")));
        }
        if let Some((rate, capacity)) = self.queue() {
            let queue = Effect::Queue {
                leg,
                rate,
                capacity,
            };
            faults.push(Fault::new(queue, Probability::ALWAYS).named(name("rate")));
        }
        faults
    }
}

/// What was said of links: of all, and of single ones, a row a sender in the order of the receivers.
/// Sixteen bytes a link, and what it is like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profiles {
    rows: Vec<Vec<(NodeId, Arc<Profile>)>>,
    pub(super) everywhere: Option<Arc<Profile>>,
}

impl Profiles {
    /// The last word on a link counts.
    pub(super) fn say(&mut self, (from, to): (NodeId, NodeId), profile: Arc<Profile>) {
        let from = from as usize;
        if self.rows.len() <= from {
            self.rows.resize_with(from + 1, Vec::new);
        }
        let row = &mut self.rows[from];
        match row.binary_search_by_key(&to, |(to, _)| *to) {
            Ok(place) => row[place].1 = profile,
            Err(place) => row.insert(place, (to, profile)),
        }
    }

    /// What a link is like, one way.
    pub(crate) fn of(&self, (from, to): (NodeId, NodeId)) -> Option<&Profile> {
        // The way from a node to itself is no link.
        let everywhere = self.everywhere.as_deref().filter(|_| from != to);
        let said = self.rows.get(from as usize).and_then(|row| {
            let place = row.binary_search_by_key(&to, |(to, _)| *to).ok()?;
            Some(&*row[place].1)
        });
        said.or(everywhere)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.latency.as_ref().map(|by| format!("{by} one way")));
        parts.extend(self.loss().map(|loss| {
            let share = loss.share;
            match loss.resent {
                None => format!("{share} lost"),
                Some(_) => format!("{share} lost and sent again"),
            }
        }));
        parts.extend(
            self.queue()
                .map(|(rate, capacity)| format!("{rate} through a queue of {capacity}")),
        );
        if parts.is_empty() {
            parts.push("a perfect wire".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let basis = match self.basis {
            Basis::OneWay => "one way",
            Basis::RoundTrip => "round trip",
        };
        let measured = if self.measured {
            "measured"
        } else {
            "judgement"
        };
        let Self {
            preset,
            publisher,
            date,
            ..
        } = self;
        write!(f, "{preset}: {publisher}, {date}; {basis}, {measured}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(ms: u64) -> Arc<Profile> {
        let by = Distribution::fixed(Duration::from_millis(ms));
        Arc::new(Profile::new().latency(by))
    }

    #[test]
    fn the_last_word_on_a_link_counts_in_whatever_order_links_are_named() {
        let mut profiles = Profiles::default();
        for (link, ms) in [
            ((3, 1), 1),
            ((3, 0), 2),
            ((0, 3), 3),
            ((3, 2), 4),
            ((3, 1), 5),
        ] {
            profiles.say(link, slow(ms));
        }
        for (link, want) in [
            ((3, 0), Some(2)),
            ((3, 1), Some(5)),
            ((3, 2), Some(4)),
            ((0, 3), Some(3)),
            ((1, 3), None),
            ((9, 0), None),
        ] {
            assert_eq!(profiles.of(link), want.map(slow).as_deref(), "{link:?}");
        }
    }

    #[test]
    fn what_is_taken_back_was_never_said() {
        let whole = Probability::try_new(0.5).unwrap();
        let taken_back = Profile::new().losing(whole).losing(Probability::NEVER);
        assert_eq!(taken_back, Profile::new());
    }
}
