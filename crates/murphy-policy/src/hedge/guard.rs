//! [`Repeatable`]: what may be sent twice.

/// Says which requests may be carried out more than once: those that are idempotent, or keyed so
/// that the peer does the work once.
///
/// A closure `Fn(&Req) -> bool` is one; `http::MayRepeat` (feature `http`) goes by method and
/// `Idempotency-Key`.
pub trait Repeatable<Req> {
    /// Whether this one may.
    fn may_repeat(&self, request: &Req) -> bool;
}

/// All requests are: whoever writes it says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idempotent;

impl<Req> Repeatable<Req> for Idempotent {
    #[inline]
    fn may_repeat(&self, _: &Req) -> bool {
        true
    }
}

impl<F: Fn(&Req) -> bool, Req> Repeatable<Req> for F {
    #[inline]
    fn may_repeat(&self, request: &Req) -> bool {
        self(request)
    }
}
