//! [`Headers`]: tokens on HTTP requests.

use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::{AttachToken, Denied};
use crate::FencingToken;

/// The header of the token: its text.
pub const FENCING_TOKEN: HeaderName = HeaderName::from_static("fencing-token");

/// The header of the operation's number, in decimal digits.
pub const FENCING_OP: HeaderName = HeaderName::from_static("fencing-op");

/// On a refusal, the rank that was seen: `era=0;seq=34`. Acquire anew, above that.
pub const FENCING_TOKEN_CURRENT: HeaderName = HeaderName::from_static("fencing-token-current");

/// On a refusal of an operation's number, the last that was admitted. Equal to the refused one: that operation was begun, and may
/// have been done ([`FenceGuardLayer`](super::FenceGuardLayer) says when). Higher: nothing is known of it.
pub const FENCING_OP_LAST: HeaderName = HeaderName::from_static("fencing-op-last");

/// The number of a holder's operation, in the extensions of a request: it goes into [`FENCING_OP`], and comes out of it.
///
/// Set above a retry, so that all attempts of one operation carry one number. Numbers rise; a holder that has several
/// operations under way at once cannot know in which order they arrive, and has no use for them.
///
/// A later attempt can be answered 409 because an earlier one was begun, and its reply lost, or a 500. It is no proof that
/// it was done: a holder that must know reads, under the same lease. `HttpClassify` of `murphy-policy` takes a 409 and a 412
/// for an answer like any other, so that they come as `Ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingOp(pub u64);

/// Puts the token in a header of HTTP requests, and the operation's number in another if the request has a
/// [`FencingOp`]. gRPC's metadata are such headers.
///
/// The text is made once, and marked sensitive: it shows in no `Debug`, and no proxy's table keeps it. Clones share it: what is
/// used for another lease than the first makes that one's text anew each time.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    made: Arc<OnceLock<(FencingToken, HeaderValue)>>,
    #[cfg(feature = "sign")]
    signer: Option<super::Signer>,
}

impl Headers {
    /// Unsigned.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Signed, for a resource that believes no other. With the `sign` feature.
    #[cfg(feature = "sign")]
    #[must_use]
    pub fn signed(signer: super::Signer) -> Self {
        let signer = Some(signer);
        Self {
            signer,
            ..Self::default()
        }
    }

    #[cold]
    fn make(&self, token: &FencingToken) -> HeaderValue {
        #[cfg(feature = "sign")]
        let text = match &self.signer {
            Some(signer) => signer.sign(token),
            None => token.to_string(),
        };
        #[cfg(not(feature = "sign"))]
        let text = token.to_string();
        let Ok(mut value) = HeaderValue::try_from(text) else {
            unreachable!("a token's text is fit for a header");
        };
        value.set_sensitive(true);
        value
    }
}

impl<B> AttachToken<Request<B>> for Headers {
    #[inline]
    fn attach(&self, token: &FencingToken, request: &mut Request<B>) {
        let (of, value) = self.made.get_or_init(|| (token.clone(), self.make(token)));
        // Another lease's writes must not pass for those of the first.
        let value = if of == token {
            value.clone()
        } else {
            self.make(token)
        };
        request.headers_mut().insert(FENCING_TOKEN, value);
        if let Some(FencingOp(op)) = request.extensions().get() {
            let op = HeaderValue::from(*op);
            request.headers_mut().insert(FENCING_OP, op);
        }
    }
}

/// The text of the token that a request carries.
pub(super) fn text(headers: &HeaderMap) -> Result<&str, Denied> {
    let value = only(headers, &FENCING_TOKEN).map_err(|()| Denied::Malformed)?;
    let value = value.ok_or(Denied::Missing)?;
    value.to_str().map_err(|_| Denied::Malformed)
}

/// The number of its operation, if it has one.
pub(super) fn op(headers: &HeaderMap) -> Result<Option<FencingOp>, Denied> {
    let Some(value) = only(headers, &FENCING_OP).map_err(|()| Denied::Malformed)? else {
        return Ok(None);
    };
    let text = value.to_str().ok();
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let op = digits.and_then(|text| text.parse().ok());
    op.map(|op| Some(FencingOp(op))).ok_or(Denied::Malformed)
}

/// Of two, nobody knows which one the other side looked at.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_and_there_is_one() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(FENCING_OP, value.parse().unwrap());
            }
            op(&headers)
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["0"]), Ok(Some(FencingOp(0))));
        let most = u64::MAX.to_string();
        assert_eq!(read(&[&most]), Ok(Some(FencingOp(u64::MAX))));
        for values in [
            &["+1"][..],
            &["-1"],
            &[""],
            &["1.0"],
            &["18446744073709551616"],
            &["1", "1"],
        ] {
            assert_eq!(read(values), Err(Denied::Malformed), "{values:?}");
        }
    }

    #[test]
    fn each_lease_has_its_own_token_also_where_they_share_the_layer() {
        let shared = Headers::new();
        for token in ["orders;era=0;seq=2;nonce=2", "orders;era=0;seq=1;nonce=1"] {
            let token: FencingToken = token.parse().unwrap();
            let mut request = Request::new(());
            shared.clone().attach(&token, &mut request);
            assert_eq!(text(request.headers()), Ok(&*token.to_string()));
        }
    }

    #[test]
    fn the_token_replaces_what_the_caller_had() {
        let token: FencingToken = "orders;era=0;seq=1;nonce=1".parse().unwrap();
        let mut request = Request::new(());
        for _ in 0..2 {
            let forged = HeaderValue::from_static("orders;era=9;seq=9;nonce=9");
            request.headers_mut().append(FENCING_TOKEN, forged);
        }
        request.extensions_mut().insert(FencingOp(5));
        Headers::new().attach(&token, &mut request);
        assert_eq!(text(request.headers()), Ok(&*token.to_string()));
        assert_eq!(op(request.headers()), Ok(Some(FencingOp(5))));
        assert!(!format!("{:?}", request.headers()).contains("nonce"));
    }
}
