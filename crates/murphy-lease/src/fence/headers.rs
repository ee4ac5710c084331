//! [`Headers`]: tokens on HTTP requests.

use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::{AttachToken, Denied};
use crate::{FencingToken, Rank};

/// The header of the token: its text.
pub const FENCING_TOKEN: HeaderName = HeaderName::from_static("fencing-token");

/// The header of the operation's number, in decimal digits.
pub const FENCING_OP: HeaderName = HeaderName::from_static("fencing-op");

/// On a refusal, the rank that was seen: `era=0;seq=34`. Acquire anew, above that: [`current_rank`] reads it.
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

/// Of a response, what its [`FENCING_TOKEN_CURRENT`] says: the rank that the resource has seen, above which a holder that
/// was refused acquires the lock anew. `None` where there is no such header.
///
/// # Errors
///
/// [`BadRank`] where it says something else than `era=0;seq=34`, in digits alone, or says it twice.
///
/// # Examples
///
/// ```
/// use http::Response;
/// use murphy_lease::fence::{FENCING_TOKEN_CURRENT, current_rank};
/// use murphy_lease::{Locks, MemoryStore, Rank};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let refused = Response::builder().status(412).header(FENCING_TOKEN_CURRENT, "era=0;seq=34");
/// let refused = refused.body(())?;
/// let mut asking = Locks::new(MemoryStore::new()).acquire("accounts/alice");
/// if let Some(seen) = current_rank(refused.headers())? {
///     asking = asking.above(seen);
/// }
/// let lease = asking.await?;
/// assert!(lease.token()?.rank() > Rank::new(0, 34));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn current_rank(headers: &HeaderMap) -> Result<Option<Rank>, BadRank> {
    let Some(value) = only(headers, &FENCING_TOKEN_CURRENT).map_err(|()| BadRank::Several)? else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let read = || {
        let (era, seq) = text.strip_prefix("era=")?.split_once(";seq=")?;
        Some(Rank::new(digits(era)?, digits(seq)?))
    };
    read().map(Some).ok_or_else(|| BadRank::Malformed {
        value: String::from_utf8_lossy(value.as_bytes())
            .chars()
            .take(BadRank::SHOWN)
            .collect(),
    })
}

/// As [`current_rank`] reads it.
pub(super) fn shown(Rank { era, seq }: Rank) -> HeaderValue {
    let Ok(value) = HeaderValue::try_from(format!("era={era};seq={seq}")) else {
        unreachable!("digits are fit for a header");
    };
    value
}

/// A [`FENCING_TOKEN_CURRENT`] that names no rank.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRank {
    /// It says something else.
    #[error("`fencing-token-current: {value}` is no rank: it should be `era=0;seq=34`")]
    Malformed {
        /// What it says, cut to [`SHOWN`](Self::SHOWN) characters.
        value: String,
    },
    /// There are two of them, and nobody knows which one is meant.
    #[error("there is more than one `fencing-token-current`: believe none")]
    Several,
}

impl BadRank {
    /// How much of what it says is kept, in characters.
    pub const SHOWN: usize = 64;
}

/// A number in digits alone: the parser of the standard library would take a sign.
fn digits<N: FromStr>(text: &str) -> Option<N> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
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
    let op = value.to_str().ok().and_then(digits);
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
    use proptest::prelude::*;

    use super::*;

    fn current(values: &[&[u8]]) -> Result<Option<Rank>, BadRank> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value).unwrap();
            headers.append(FENCING_TOKEN_CURRENT, value);
        }
        current_rank(&headers)
    }

    proptest! {
        #[test]
        fn a_rank_that_is_told_is_the_rank_that_is_read(era: u32, seq: u64) {
            let rank = Rank::new(era, seq);
            prop_assert_eq!(current(&[shown(rank).as_bytes()]), Ok(Some(rank)));
        }

        #[test]
        fn what_is_read_is_digits_and_is_told_again(
            text in "(era=)?[0-9+;seq= .-]{0,30}(;seq=[0-9]{1,21})?",
        ) {
            let Ok(rank) = current(&[text.as_bytes()]) else {
                return Ok(());
            };
            let rank = rank.unwrap();
            let plain: String = text.chars().filter(char::is_ascii_digit).collect();
            prop_assert_eq!(text.len(), plain.len() + "era=;seq=".len());
            prop_assert_eq!(current(&[shown(rank).as_bytes()]), Ok(Some(rank)));
        }
    }

    #[test]
    fn what_is_no_rank_is_said() {
        assert_eq!(current(&[]), Ok(None));
        let most = format!("era={};seq={}", u32::MAX, u64::MAX);
        assert_eq!(current(&[most.as_bytes()]), Ok(Some(Rank::MAX)));
        let one: &[u8] = b"era=0;seq=34";
        assert_eq!(current(&[one, one]), Err(BadRank::Several));
        for text in [
            &b""[..],
            b"0.34",
            b"era=0;seq=",
            b"era=;seq=1",
            b"era=+1;seq=1",
            b"era=0; seq=1",
            b"era=4294967296;seq=1",
            b"era=0;seq=18446744073709551616",
            b"era=0;seq=1;seq=2",
            b"seq=1;era=0",
            b"era=0;seq=\xff",
        ] {
            let error = current(&[text]).unwrap_err();
            assert!(matches!(error, BadRank::Malformed { .. }), "{error}");
        }
        let said = current(&["9".repeat(999).as_bytes()]).unwrap_err();
        assert!(said.to_string().len() < 200, "{said}");
    }

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
