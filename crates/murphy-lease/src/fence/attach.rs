//! [`AttachToken`]: how a request carries a token.

use crate::FencingToken;

/// How a request carries a token.
///
/// `Headers` (feature `http`) does it for requests of the `http` crate, gRPC's included. For others a closure will do,
/// `|token: &FencingToken, request: &mut Req| ..`. The token is the same each time: what is made of it can be kept.
pub trait AttachToken<Req> {
    /// Puts the token on the request, in place of any that it has.
    fn attach(&self, token: &FencingToken, request: &mut Req);
}

impl<Req, F: Fn(&FencingToken, &mut Req)> AttachToken<Req> for F {
    #[inline]
    fn attach(&self, token: &FencingToken, request: &mut Req) {
        self(token, request);
    }
}
