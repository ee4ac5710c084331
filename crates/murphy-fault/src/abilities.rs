//! What a layer can do beyond delaying and losing: each ability is given in code, by one setter.

mod given;

use std::sync::Arc;

use murphy_core::{Draw, Key};

use crate::carry::OnTokio;
use crate::marker::Marker;

pub use given::{
    Altering, ByClone, Copying, Failing, Given, Keying, Matching, Refusing, Sizes, Sizing,
    Sometimes,
};

/// The bits of the abilities that a plan may ask for.
pub(crate) mod ability {
    use crate::effect::Effect;
    use crate::network::Rate;
    use crate::{Fault, Leg};

    pub(crate) const MATCH: u32 = 1;
    pub(crate) const COPY: u32 = 1 << 1;
    pub(crate) const REFUSE: u32 = 1 << 2;
    pub(crate) const ALTER_REQUESTS: u32 = 1 << 3;
    pub(crate) const ALTER_REPLIES: u32 = 1 << 4;
    pub(crate) const SIZE: u32 = 1 << 5;

    /// What a fault asks of the layer.
    pub(crate) fn needed_by(fault: &Fault) -> u32 {
        let effect = match fault.effect {
            Effect::Refuse(_) => REFUSE,
            Effect::Duplicate { .. } => COPY,
            Effect::Alter(Leg::Request) => ALTER_REQUESTS,
            Effect::Alter(Leg::Reply) => ALTER_REPLIES,
            Effect::Queue {
                rate: Rate::Bytes(_),
                ..
            } => SIZE,
            Effect::Delay { .. }
            | Effect::Lose(_)
            | Effect::Reorder { .. }
            | Effect::Queue { .. }
            | Effect::Resend { .. } => 0,
        };
        let words = !fault.narrow.only.is_empty() || !fault.narrow.except.is_empty();
        effect | if words { MATCH } else { 0 } | if fault.give_up.is_some() { REFUSE } else { 0 }
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
    pub(crate) sizes: Z,
}

/// What a layer can do, whatever it carries.
pub trait Offers {
    #[doc(hidden)]
    const OFFERED: u32;
}

impl<K, M: Given, C: Given, R: Given, Q: Given, P: Given, J, X, Z: Given> Offers
    for Abilities<K, M, C, R, Q, P, J, X, Z>
{
    const OFFERED: u32 = (M::ABLE * ability::MATCH)
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
    fn refuse(&self, marker: &Marker) -> Option<Result<Res, Err>>;
    #[doc(hidden)]
    fn alter_request(&self, request: &mut Req, draw: Draw);
    #[doc(hidden)]
    fn alter_reply(&self, reply: &mut Res, draw: Draw);
    #[doc(hidden)]
    fn failed(&self, response: &Res) -> bool;
    #[doc(hidden)]
    fn request_size(&self, request: &Req) -> u64;
    #[doc(hidden)]
    fn reply_size(&self, reply: &Res) -> u64;
}

impl<Req, Res, Err, K, M, C, R, Q, P, J, X, Z> Able<Req, Res, Err>
    for Abilities<K, M, C, R, Q, P, J, X, Z>
where
    K: Keying<Req>,
    M: Matching<Req>,
    C: Copying<Req>,
    R: Refusing<Res, Err>,
    Q: Altering<Req>,
    P: Altering<Res>,
    J: Failing<Res>,
    Z: Sizing<Req, Res>,
{
    type Carrier = X;

    #[inline]
    fn key(&self, request: &Req) -> Option<Key> {
        self.key.key(request)
    }

    fn is(&self, request: &Req, word: &str) -> bool {
        self.words.is(request, word)
    }

    fn copy(&self, request: &Req) -> Option<Req> {
        self.copy.copy(request)
    }

    fn refuse(&self, marker: &Marker) -> Option<Result<Res, Err>> {
        self.refuse.refuse(marker)
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
