//! Each ability as a trait, for the closure that gives it and for its absence.

use murphy_core::{Draw, Key, Scope};

use super::{Can, Cannot};
use crate::marker::Marker;

/// Whether an ability is there: 1 or 0.
pub trait Given {
    #[doc(hidden)]
    const ABLE: u32;
}

impl Given for Cannot {
    const ABLE: u32 = 0;
}

impl<F> Given for Can<F> {
    const ABLE: u32 = 1;
}

impl Given for ByClone {
    const ABLE: u32 = 1;
}

/// Tells the key of a request.
pub trait Keying<Req> {
    #[doc(hidden)]
    fn key(&self, request: &Req) -> Option<Key>;
}

/// Without a closure, the key is that of the caller's [`Scope`], if there is one.
impl<Req> Keying<Req> for Cannot {
    #[inline]
    fn key(&self, _: &Req) -> Option<Key> {
        Scope::current_key()
    }
}

impl<Req, K: Into<Key>, F: Fn(&Req) -> K> Keying<Req> for Can<F> {
    #[inline]
    fn key(&self, request: &Req) -> Option<Key> {
        Some((self.0)(request).into())
    }
}

/// Keys for those requests that have one.
#[derive(Debug)]
pub struct Sometimes<F>(pub(crate) Can<F>);

impl<F> Clone for Sometimes<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Req, F: Fn(&Req) -> Option<Key>> Keying<Req> for Sometimes<F> {
    #[inline]
    fn key(&self, request: &Req) -> Option<Key> {
        (self.0.0)(request).or_else(Scope::current_key)
    }
}

/// The caller's key, for calls that are made one at a time.
impl<Req> Keying<Req> for Key {
    fn key(&self, _: &Req) -> Option<Key> {
        Some(*self)
    }
}

/// Tells whether a request is what a word of a plan says.
pub trait Matching<Req>: Given {
    #[doc(hidden)]
    fn is(&self, request: &Req, word: &str) -> bool;
}

impl<Req> Matching<Req> for Cannot {
    fn is(&self, _: &Req, _: &str) -> bool {
        false
    }
}

impl<Req, F: Fn(&Req, &str) -> bool> Matching<Req> for Can<F> {
    fn is(&self, request: &Req, word: &str) -> bool {
        (self.0)(request, word)
    }
}

/// Copies a request.
pub trait Copying<Req>: Given {
    #[doc(hidden)]
    fn copy(&self, request: &Req) -> Option<Req>;
}

impl<Req> Copying<Req> for Cannot {
    fn copy(&self, _: &Req) -> Option<Req> {
        None
    }
}

impl<Req, F: Fn(&Req) -> Option<Req>> Copying<Req> for Can<F> {
    fn copy(&self, request: &Req) -> Option<Req> {
        (self.0)(request)
    }
}

/// Copies by `Clone`.
#[derive(Clone, Copy, Debug)]
pub struct ByClone;

impl<Req: Clone> Copying<Req> for ByClone {
    fn copy(&self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }
}

/// Makes the refusal of a marked call.
pub trait Refusing<Res, Err>: Given {
    #[doc(hidden)]
    fn refuse(&self, marker: &Marker) -> Option<Result<Res, Err>>;
}

impl<Res, Err> Refusing<Res, Err> for Cannot {
    fn refuse(&self, _: &Marker) -> Option<Result<Res, Err>> {
        None
    }
}

impl<Res, Err, F: Fn(&Marker) -> Result<Res, Err>> Refusing<Res, Err> for Can<F> {
    fn refuse(&self, marker: &Marker) -> Option<Result<Res, Err>> {
        Some((self.0)(marker))
    }
}

/// Changes a message.
pub trait Altering<M>: Given {
    #[doc(hidden)]
    fn alter(&self, message: &mut M, draw: Draw);
}

impl<M> Altering<M> for Cannot {
    fn alter(&self, _: &mut M, _: Draw) {}
}

impl<M, F: Fn(&mut M, Draw)> Altering<M> for Can<F> {
    fn alter(&self, message: &mut M, draw: Draw) {
        (self.0)(message, draw);
    }
}

/// Tells whether a response is a failure, for halt conditions.
pub trait Failing<Res> {
    #[doc(hidden)]
    fn failed(&self, response: &Res) -> bool;
}

/// Without a closure, no response is one.
impl<Res> Failing<Res> for Cannot {
    fn failed(&self, _: &Res) -> bool {
        false
    }
}

impl<Res, F: Fn(&Res) -> bool> Failing<Res> for Can<F> {
    fn failed(&self, response: &Res) -> bool {
        (self.0)(response)
    }
}

/// Tells how many bytes a message is on the wire.
pub trait Sizing<Req, Res>: Given {
    #[doc(hidden)]
    fn request(&self, request: &Req) -> u64;
    #[doc(hidden)]
    fn reply(&self, reply: &Res) -> u64;
}

/// Without closures, a message has no size.
impl<Req, Res> Sizing<Req, Res> for Cannot {
    fn request(&self, _: &Req) -> u64 {
        0
    }

    fn reply(&self, _: &Res) -> u64 {
        0
    }
}

/// A size for requests, and one for replies.
#[derive(Debug)]
pub struct Sizes<F, G>(pub(crate) Can<F>, pub(crate) Can<G>);

impl<F, G> Clone for Sizes<F, G> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1.clone())
    }
}

impl<F, G> Given for Sizes<F, G> {
    const ABLE: u32 = 1;
}

impl<Req, Res, F: Fn(&Req) -> u64, G: Fn(&Res) -> u64> Sizing<Req, Res> for Sizes<F, G> {
    fn request(&self, request: &Req) -> u64 {
        (self.0.0)(request)
    }

    fn reply(&self, reply: &Res) -> u64 {
        (self.1.0)(reply)
    }
}
