//! What a layer can do beyond delaying and losing: each ability is given in code, by one setter.

mod given;

use std::sync::Arc;
use std::task::{Context, Poll};

use murphy_core::{Draw, Key};

use crate::Fault;
use crate::carry::OnTokio;
use crate::marker::Marker;
use crate::requested::Asking;
use crate::struck::Struck;
use crate::wire::{Wired, Wiring};

pub use given::{
    Altering, ByClone, Copying, Failing, Given, Keying, Matching, Refusing, Sizes, Sizing,
    Sometimes,
};

/// The bits of the abilities that a plan may ask for.
pub(crate) mod ability {
    use crate::effect::Effect;
    use crate::fault::With;
    use crate::network::Rate;
    use crate::{Fault, Leg};

    pub(crate) const MATCH: u32 = 1;
    pub(crate) const COPY: u32 = 1 << 1;
    pub(crate) const REFUSE: u32 = 1 << 2;
    pub(crate) const ALTER_REQUESTS: u32 = 1 << 3;
    pub(crate) const ALTER_REPLIES: u32 = 1 << 4;
    /// Answers, and headers, of HTTP.
    pub(crate) const HTTP: u32 = 1 << 5;
    /// Answers of gRPC.
    pub(crate) const GRPC: u32 = 1 << 6;
    pub(crate) const REQUEST_BODIES: u32 = 1 << 7;
    pub(crate) const REPLY_BODIES: u32 = 1 << 8;
    /// The words are HTTP's and nobody else's. No fault asks for this: words are read more
    /// strictly where it is offered and `OWN_WORDS` are not.
    pub(crate) const HTTP_WORDS: u32 = 1 << 9;
    pub(crate) const OWN_WORDS: u32 = 1 << 10;
    pub(crate) const SIZE: u32 = 1 << 11;

    /// What a fault asks of the layer.
    pub(crate) fn needed_by(fault: &Fault) -> u32 {
        let effect = match fault.effect {
            Effect::Refuse(_) => REFUSE,
            Effect::Duplicate { .. } => COPY,
            Effect::Alter(Leg::Request) => ALTER_REQUESTS,
            Effect::Alter(Leg::Reply) => ALTER_REPLIES,
            Effect::Body { leg, .. } | Effect::LoseTrailers(leg) => match leg {
                Leg::Request => REQUEST_BODIES,
                Leg::Reply => REPLY_BODIES,
            },
            Effect::Queue {
                rate: Rate::Bytes(_),
                ..
            } => SIZE,
            Effect::Delay { .. }
            | Effect::Lose(_)
            | Effect::Reorder { .. }
            | Effect::Queue { .. }
            | Effect::Resend { .. }
            | Effect::Yield { .. } => 0,
        };
        let words = !fault.narrow.only.is_empty() || !fault.narrow.except.is_empty();
        let gives_up = fault.give_up.is_some() && fault.effect.may_refuse();
        let answer = match fault.answer.with {
            Some(With::Code(_)) => GRPC,
            Some(With::Status(_)) => HTTP,
            None if !fault.answer.is_empty() => HTTP,
            None => 0,
        };
        effect
            | answer
            | if words { MATCH } else { 0 }
            | if gives_up { REFUSE } else { 0 }
            | if fault.narrow.requested { HTTP } else { 0 }
    }

    /// The setter that gives the first of the missing abilities; `None` if none is missing.
    pub(crate) fn setter(missing: u32) -> Option<&'static str> {
        [
            (MATCH, ".matching(..)"),
            (COPY, ".duplicating()"),
            (REFUSE, ".refusing(..)"),
            (ALTER_REQUESTS, ".altering_requests(..)"),
            (ALTER_REPLIES, ".altering_replies(..)"),
            (SIZE, ".sizing(..)"),
            (GRPC, ".grpc()"),
            (HTTP | REQUEST_BODIES | REPLY_BODIES, ".http()"),
        ]
        .into_iter()
        .find(|(bit, _)| missing & bit != 0)
        .map(|(_, setter)| setter)
    }
}

/// An ability that was not given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cannot;

/// An ability that was given, as a closure or a function.
#[derive(Debug)]
pub struct Can<F>(pub(crate) Arc<F>);

impl<F> Can<F> {
    pub(crate) fn new(f: F) -> Self {
        Self(Arc::new(f))
    }
}

impl<F> Clone for Can<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The abilities of a layer, one type parameter each. Not to be named: setters of
/// [`FaultLayer`](crate::FaultLayer) swap them one by one.
#[derive(Clone, Debug, Default)]
pub struct Abilities<
    K = Cannot,
    M = Cannot,
    C = Cannot,
    R = Cannot,
    Q = Cannot,
    P = Cannot,
    J = Cannot,
    X = OnTokio,
    W = Cannot,
    Z = Cannot,
> {
    pub(crate) key: K,
    pub(crate) words: M,
    pub(crate) copy: C,
    pub(crate) refuse: R,
    pub(crate) requests: Q,
    pub(crate) replies: P,
    pub(crate) failure: J,
    pub(crate) carry: X,
    pub(crate) wire: W,
    pub(crate) sizes: Z,
}

/// What a layer can do, whatever it carries.
pub trait Offers {
    #[doc(hidden)]
    const OFFERED: u32;
}

impl<K, M: Given, C: Given, R: Given, Q: Given, P: Given, J, X, W: Wired, Z: Given> Offers
    for Abilities<K, M, C, R, Q, P, J, X, W, Z>
{
    const OFFERED: u32 = W::OFFERED
        | (M::ABLE * (ability::MATCH | ability::OWN_WORDS))
        | (C::ABLE * ability::COPY)
        | (R::ABLE * ability::REFUSE)
        | (Q::ABLE * ability::ALTER_REQUESTS)
        | (P::ABLE * ability::ALTER_REPLIES)
        | (Z::ABLE * ability::SIZE);
}

/// Everything that the service asks of its abilities: implemented by [`Abilities`] whose closures
/// fit the service's request, response and error.
pub trait Able<Req, Res, Err>: Offers {
    /// Where work goes that outlives its caller.
    type Carrier;

    #[doc(hidden)]
    fn key(&self, request: &Req) -> Option<Key>;
    #[doc(hidden)]
    fn is(&self, request: &Req, word: &str) -> bool;
    #[doc(hidden)]
    fn copy(&self, request: &Req) -> Option<Req>;
    #[doc(hidden)]
    fn asking(&self, request: &Req, fault: &str) -> Asking;
    #[doc(hidden)]
    fn refuse(&self, marker: &Marker, fault: &Fault) -> Option<Result<Res, Err>>;
    #[doc(hidden)]
    fn alter_request(&self, request: &mut Req, draw: Draw);
    #[doc(hidden)]
    fn alter_reply(&self, reply: &mut Res, draw: Draw);
    #[doc(hidden)]
    fn strike_request(&self, request: Req, bodies: Vec<Struck>) -> Req;
    #[doc(hidden)]
    fn strike_reply(&self, reply: Res, bodies: Vec<Struck>) -> Res;
    #[doc(hidden)]
    fn poll_drain(&self, reply: &mut Res, frames: &mut u32, cx: &mut Context<'_>) -> Poll<bool>;
    #[doc(hidden)]
    fn failed(&self, response: &Res) -> bool;
    #[doc(hidden)]
    fn request_size(&self, request: &Req) -> u64;
    #[doc(hidden)]
    fn reply_size(&self, reply: &Res) -> u64;
}

impl<Req, Res, Err, K, M, C, R, Q, P, J, X, W, Z> Able<Req, Res, Err>
    for Abilities<K, M, C, R, Q, P, J, X, W, Z>
where
    K: Keying<Req>,
    M: Matching<Req>,
    C: Copying<Req>,
    R: Refusing<Res, Err>,
    Q: Altering<Req>,
    P: Altering<Res>,
    J: Failing<Res>,
    W: Wiring<Req, Res, Err>,
    Z: Sizing<Req, Res>,
{
    type Carrier = X;

    #[inline]
    fn key(&self, request: &Req) -> Option<Key> {
        self.key.key(request)
    }

    fn is(&self, request: &Req, word: &str) -> bool {
        self.words.is(request, word) || self.wire.is(request, word)
    }

    fn asking(&self, request: &Req, fault: &str) -> Asking {
        self.wire.asking(request, fault)
    }

    fn copy(&self, request: &Req) -> Option<Req> {
        self.copy.copy(request)
    }

    fn refuse(&self, marker: &Marker, fault: &Fault) -> Option<Result<Res, Err>> {
        let own = || self.refuse.refuse(marker);
        self.wire.refuse(marker, fault, own)
    }

    fn strike_request(&self, request: Req, bodies: Vec<Struck>) -> Req {
        self.wire.strike_request(request, bodies)
    }

    fn strike_reply(&self, reply: Res, bodies: Vec<Struck>) -> Res {
        self.wire.strike_reply(reply, bodies)
    }

    fn poll_drain(&self, reply: &mut Res, frames: &mut u32, cx: &mut Context<'_>) -> Poll<bool> {
        self.wire.poll_drain(reply, frames, cx)
    }

    fn alter_request(&self, request: &mut Req, draw: Draw) {
        self.requests.alter(request, draw);
    }

    fn alter_reply(&self, reply: &mut Res, draw: Draw) {
        self.replies.alter(reply, draw);
    }

    fn failed(&self, response: &Res) -> bool {
        self.failure.failed(response)
    }

    fn request_size(&self, request: &Req) -> u64 {
        self.sizes.request(request)
    }

    fn reply_size(&self, reply: &Res) -> u64 {
        self.sizes.reply(reply)
    }
}
