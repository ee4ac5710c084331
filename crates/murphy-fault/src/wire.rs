//! What a layer can do because it knows the protocol: words, answers, bodies.

#[cfg(feature = "http")]
mod answer;
#[cfg(feature = "http")]
mod body;
#[cfg(feature = "http")]
mod cut;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod rewrap;
pub(crate) mod words;

use std::task::{Context, Poll};

use crate::Fault;
use crate::abilities::Cannot;
use crate::marker::Marker;
use crate::requested::Asking;
use crate::struck::Struck;

#[cfg(feature = "http")]
pub use self::{
    answer::{Answering, Statuses},
    body::{BodyError, FaultedBody},
    http::Http,
    rewrap::{Own, Rewrap, Rewrapping},
};

#[cfg(feature = "grpc")]
pub use self::answer::Codes;

/// What a protocol adds to the abilities of a layer.
pub trait Wired {
    #[doc(hidden)]
    const OFFERED: u32;
}

/// The protocol that a layer speaks, for requests, responses and errors of these types.
pub trait Wiring<Req, Res, Err>: Wired {
    #[doc(hidden)]
    fn is(&self, request: &Req, word: &str) -> bool;
    #[doc(hidden)]
    fn asking(&self, request: &Req, fault: &str) -> Asking;
    #[doc(hidden)]
    fn refuse(
        &self,
        marker: &Marker,
        fault: &Fault,
        own: impl Fn() -> Option<Result<Res, Err>>,
    ) -> Option<Result<Res, Err>>;
    #[doc(hidden)]
    fn strike_request(&self, request: Req, bodies: Vec<Struck>) -> Req;
    #[doc(hidden)]
    fn strike_reply(&self, reply: Res, bodies: Vec<Struck>) -> Res;
    /// Ready when the body came to its end (true), or had too many frames (false).
    #[doc(hidden)]
    fn poll_drain(&self, reply: &mut Res, frames: &mut u32, cx: &mut Context<'_>) -> Poll<bool>;
}

impl Wired for Cannot {
    const OFFERED: u32 = 0;
}

/// Without a protocol there are no words, no answers and no bodies: who asks for them is refused
/// when the plan is armed.
impl<Req, Res, Err> Wiring<Req, Res, Err> for Cannot {
    fn is(&self, _: &Req, _: &str) -> bool {
        false
    }

    fn asking(&self, _: &Req, _: &str) -> Asking {
        Asking::default()
    }

    fn refuse(
        &self,
        _: &Marker,
        _: &Fault,
        own: impl Fn() -> Option<Result<Res, Err>>,
    ) -> Option<Result<Res, Err>> {
        own()
    }

    fn strike_request(&self, request: Req, _: Vec<Struck>) -> Req {
        request
    }

    fn strike_reply(&self, reply: Res, _: Vec<Struck>) -> Res {
        reply
    }

    fn poll_drain(&self, _: &mut Res, _: &mut u32, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(true)
    }
}
