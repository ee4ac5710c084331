//! [`Fate`]: what will happen to one call; the sum of what its faults ask for.

use std::time::Duration;

use murphy_core::Draw;

use crate::Leg;
use crate::effect::{Effect, Keep, Place};

/// What will happen to one call. The default is nothing.
///
/// Fates add up: delays add, loss wins over refusal, and refusal over delivery; copies collect.
/// What a fault asks for in vain, because another one already decided, is *masked*.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fate {
    /// Spent on the request leg, the service being free.
    pub(crate) wire: Duration,
    /// Spent before the work, the service being busy.
    pub(crate) server: Duration,
    /// Spent on the reply leg.
    pub(crate) back: Duration,
    pub(crate) request: End,
    pub(crate) reply: End,
    /// How much later each copy arrives.
    pub(crate) copies: Vec<Duration>,
    pub(crate) keep: Keep,
    /// How often others go first, on each leg.
    pub(crate) turns: [u32; 2],
    pub(crate) hold_request: Option<Hold>,
    pub(crate) hold_reply: Option<Hold>,
    pub(crate) alter_request: Option<Draw>,
    pub(crate) alter_reply: Option<Draw>,
    /// What bounds the silence of each leg, if it is lost.
    pub(crate) give_up: [Option<GiveUp>; 2],
    /// The rule whose refusal the caller gets at the end of a leg.
    pub(crate) refused_by: [Option<u8>; 2],
    /// The rules whose queues a message enters that departs later than its call: those of a leg, in
    /// order.
    pub(crate) queues: [Vec<u8>; 2],
    /// What the queues that the request has entered cost it; its copies enter on their own.
    pub(crate) queued: Duration,
}

/// After this long the caller is refused by this rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GiveUp {
    pub(crate) after: Duration,
    pub(crate) rule: u8,
}

/// How a leg ends. Later wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    #[default]
    Carried,
    Refused,
    Lost,
}

/// Held until so many later calls passed, or for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) passes: u32,
    pub(crate) bound: Duration,
}

/// What one fault contributes at one call, fully drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strike {
    /// The index of its rule.
    pub(crate) rule: u8,
    /// The magnitude of a delay or of a copy.
    pub(crate) magnitude: Duration,
    /// What an altering hook gets to draw from.
    pub(crate) draw: Draw,
    pub(crate) give_up: Option<Duration>,
}

impl Fate {
    /// Adds what one more fault asks for.
    pub(crate) fn add(&mut self, effect: &Effect, strike: &Strike) {
        match effect {
            Effect::Delay { place, .. } => {
                let total = match place {
                    Place::Wire => &mut self.wire,
                    Place::Server => &mut self.server,
                    Place::Reply => &mut self.back,
                };
                *total = total.saturating_add(strike.magnitude);
            }
            Effect::Lose(leg) => {
                *self.end(*leg) = End::Lost;
                let bound = &mut self.give_up[*leg as usize];
                if let Some(after) = strike.give_up {
                    if bound.is_none_or(|b| after < b.after) {
                        *bound = Some(GiveUp {
                            after,
                            rule: strike.rule,
                        });
                    }
                }
            }
            Effect::Refuse(leg) => {
                let end = self.end(*leg);
                *end = (*end).max(End::Refused);
                self.refused_by[*leg as usize].get_or_insert(strike.rule);
            }
            Effect::Duplicate { keep, .. } => {
                self.copies.push(strike.magnitude);
                if *keep == Keep::Last {
                    self.keep = Keep::Last;
                }
            }
            Effect::Reorder { leg, passes, bound } => {
                let hold = match leg {
                    Leg::Request => &mut self.hold_request,
                    Leg::Reply => &mut self.hold_reply,
                };
                let longer = hold.map_or(0, |h| h.passes).max(*passes);
                let bound = hold.map_or(Duration::ZERO, |h| h.bound).max(*bound);
                *hold = Some(Hold {
                    passes: longer,
                    bound,
                });
            }
            // A queue is entered when all else is known.
            Effect::Queue { .. } => {}
            Effect::Resend { leg, .. } => {
                let total = match leg {
                    Leg::Request => &mut self.wire,
                    Leg::Reply => &mut self.back,
                };
                *total = total.saturating_add(strike.magnitude);
            }
            Effect::Yield { leg, turns } => {
                let all = &mut self.turns[*leg as usize];
                *all = all.saturating_add(*turns);
            }
            Effect::Alter(Leg::Request) => self.alter_request = Some(strike.draw),
            Effect::Alter(Leg::Reply) => self.alter_reply = Some(strike.draw),
            // A body is struck after its message was: see `Struck`.
            Effect::Body { .. } | Effect::LoseTrailers(_) => {}
        }
    }

    /// Whether this fault, which is part of the sum, changes nothing in it.
    pub(crate) fn masks(&self, effect: &Effect) -> bool {
        if self.request == End::Lost {
            return !matches!(effect, Effect::Lose(Leg::Request));
        }
        let before_the_end_of_the_request = matches!(
            effect,
            Effect::Delay {
                place: Place::Wire,
                ..
            } | Effect::Refuse(Leg::Request)
                | Effect::Queue {
                    leg: Leg::Request,
                    ..
                }
                | Effect::Resend {
                    leg: Leg::Request,
                    ..
                }
                | Effect::Yield {
                    leg: Leg::Request,
                    ..
                }
                | Effect::Reorder {
                    leg: Leg::Request,
                    ..
                }
        );
        if self.request == End::Refused {
            return !before_the_end_of_the_request;
        }
        match self.reply {
            End::Carried => false,
            End::Refused => matches!(
                effect,
                Effect::Alter(Leg::Reply)
                    | Effect::Body {
                        leg: Leg::Reply,
                        ..
                    }
                    | Effect::LoseTrailers(Leg::Reply)
            ),
            End::Lost => effect.leg() == Leg::Reply && !matches!(effect, Effect::Lose(Leg::Reply)),
        }
    }

    /// What ends the silence, if something is lost and something does.
    pub(crate) fn give_up(&self) -> Option<GiveUp> {
        match (self.request, self.reply) {
            (End::Lost, _) => self.give_up[Leg::Request as usize],
            (End::Carried, End::Lost) => self.give_up[Leg::Reply as usize],
            _ => None,
        }
    }

    /// The rule that refuses the caller, where a message ends in a refusal.
    pub(crate) fn refused_by(&self) -> Option<u8> {
        let leg = match self.request {
            End::Refused => Leg::Request,
            _ => Leg::Reply,
        };
        self.refused_by[leg as usize]
    }

    /// Whether the work must be done to its end although the caller left.
    pub(crate) fn outlives_the_caller(&self) -> bool {
        self.request == End::Carried && self.reply != End::Carried
    }

    /// Whether the request leaves at once, with the instance that was readied for it.
    pub(crate) fn departs_at_once(&self) -> bool {
        self.request == End::Carried
            && self.wire.is_zero()
            && self.server.is_zero()
            && self.hold_request.is_none()
            && self.turns[Leg::Request as usize] == 0
    }

    fn end(&mut self, leg: Leg) -> &mut End {
        match leg {
            Leg::Request => &mut self.request,
            Leg::Reply => &mut self.reply,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{After, BodyFault};
    use murphy_core::Distribution;

    const MS: Duration = Duration::from_millis(1);

    fn sum(effects: &[Effect]) -> Fate {
        let mut fate = Fate::default();
        for (rule, effect) in effects.iter().enumerate() {
            let strike = Strike {
                rule: rule as u8,
                magnitude: MS,
                draw: Draw::from_bits(7),
                give_up: None,
            };
            fate.add(effect, &strike);
        }
        fate
    }

    fn delay(place: Place) -> Effect {
        Effect::Delay {
            place,
            by: Distribution::fixed(MS),
        }
    }

    fn body(leg: Leg) -> Effect {
        Effect::Body {
            leg,
            what: BodyFault::Truncate,
            after: After::Bytes(0),
        }
    }

    #[test]
    fn delays_add_and_copies_collect() {
        let copy = Effect::Duplicate {
            after: Distribution::fixed(MS),
            keep: Keep::First,
        };
        let fate = sum(&[
            delay(Place::Wire),
            delay(Place::Wire),
            delay(Place::Reply),
            copy.clone(),
            copy,
        ]);
        assert_eq!((fate.wire, fate.back, fate.copies.len()), (2 * MS, MS, 2));
    }

    #[test]
    fn loss_wins_in_any_order() {
        for leg in [Leg::Request, Leg::Reply] {
            for effects in [
                [Effect::Lose(leg), Effect::Refuse(leg)],
                [Effect::Refuse(leg), Effect::Lose(leg)],
            ] {
                assert_eq!(*sum(&effects).end(leg), End::Lost);
            }
        }
    }

    #[test]
    fn what_changes_nothing_is_masked() {
        let all = [
            delay(Place::Wire),
            delay(Place::Server),
            delay(Place::Reply),
            Effect::Refuse(Leg::Request),
            Effect::Refuse(Leg::Reply),
            Effect::Alter(Leg::Request),
            Effect::Alter(Leg::Reply),
            Effect::Lose(Leg::Reply),
            Effect::Duplicate {
                after: Distribution::fixed(MS),
                keep: Keep::First,
            },
            Effect::Reorder {
                leg: Leg::Request,
                passes: 1,
                bound: MS,
            },
            Effect::Reorder {
                leg: Leg::Reply,
                passes: 1,
                bound: MS,
            },
            body(Leg::Request),
            body(Leg::Reply),
            Effect::LoseTrailers(Leg::Request),
            Effect::LoseTrailers(Leg::Reply),
            Effect::Yield {
                leg: Leg::Request,
                turns: 1,
            },
            Effect::Yield {
                leg: Leg::Reply,
                turns: 1,
            },
        ];
        // One letter an effect above: masked or acting.
        for (name, decider, want) in [
            (
                "a lost request masks all else",
                Effect::Lose(Leg::Request),
                "mmmmmmmmmmm mmmmmm",
            ),
            (
                "a refusal masks what comes after the wire",
                Effect::Refuse(Leg::Request),
                "ammammmmmam mmmmam",
            ),
            (
                "a lost reply masks the reply leg",
                Effect::Lose(Leg::Reply),
                "aamamamaaam amamam",
            ),
            (
                "a late refusal masks only the lie",
                Effect::Refuse(Leg::Reply),
                "aaaaaama aaa amamaa",
            ),
        ] {
            // Effects that would themselves decide are looked at alone, beside the decider.
            let got: String = all
                .iter()
                .map(|e| {
                    let fate = match e {
                        Effect::Lose(_) | Effect::Refuse(_) => sum(std::slice::from_ref(&decider)),
                        _ => sum(&[decider.clone(), e.clone()]),
                    };
                    if fate.masks(e) { 'm' } else { 'a' }
                })
                .collect();
            assert_eq!(got, want.replace(' ', ""), "{name}");
        }
    }
}
