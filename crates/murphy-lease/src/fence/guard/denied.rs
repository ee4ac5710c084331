//! [`Denied`]: why a request was not served, and what it is answered.

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::fence::{FENCING_OP_LAST, FENCING_TOKEN_CURRENT, Refused, event, headers};

/// Why a request was not served: in the extensions of the response that says so.
///
/// Where a guard said it, the handler was not called. A handler whose conditional write was [`Refused`] says it itself: see
/// [`Refused::response`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// It has no token.
    #[error("the header fencing-token is missing")]
    Missing,
    /// It has something else, or two of them, or a number of its operation that is none.
    #[error("fencing-token is not one fencing token, or fencing-op is not one number")]
    Malformed,
    /// Its token is not signed, or by somebody else.
    #[error("the fencing token is not signed by whom this server believes")]
    Forged,
    /// Its token was not admitted.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// What it is about has no name of 1 to 512 bytes.
    #[error("the resource's name is empty, or too long")]
    BadResource,
    /// There is no room for one more fence.
    #[error("too many resources have fences")]
    Full,
    /// Too many wait for the resource.
    #[error("too many requests wait for the resource")]
    Busy,
}

impl Denied {
    /// Status and gRPC's code.
    const fn terms(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Missing => (StatusCode::PRECONDITION_REQUIRED, "9"),
            Self::Malformed | Self::BadResource => (StatusCode::BAD_REQUEST, "3"),
            Self::Forged | Self::Refused(Refused::Future { .. }) => (StatusCode::FORBIDDEN, "7"),
            Self::Refused(Refused::Repeated { .. }) => (StatusCode::CONFLICT, "6"),
            Self::Refused(_) => (StatusCode::PRECONDITION_FAILED, "9"),
            Self::Full | Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "14"),
        }
    }

    /// In a word, for a counter.
    pub(in crate::fence) const fn label(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::BadResource => "bad-resource",
            Self::Full => "full",
            Self::Busy => "busy",
            Self::Refused(Refused::Stale { .. }) => "stale",
            Self::Refused(Refused::Conflict { .. }) => "conflict",
            Self::Refused(Refused::OtherLock { .. }) => "other-lock",
            Self::Refused(Refused::Repeated { .. }) => "repeated",
            Self::Refused(Refused::Future { .. }) => "future",
            Self::Refused(Refused::NotSealed) => "not-sealed",
        }
    }

    /// In gRPC's words: no name of a lock or a resource is in it.
    const fn message(&self) -> &'static str {
        match self {
            Self::Missing => "fencing-token is missing",
            Self::Malformed => "fencing-token or fencing-op is malformed",
            Self::Forged => "the fencing token is not signed as it has to be",
            Self::BadResource => "the name of the resource is empty or too long",
            Self::Full => "too many resources have fences",
            Self::Busy => "too many requests wait for the resource",
            Self::Refused(Refused::OtherLock { .. }) => "another lock guards the resource",
            Self::Refused(Refused::Repeated { .. }) => "the operation is not the next one",
            Self::Refused(Refused::Future { .. }) => "the fencing token is from the future",
            Self::Refused(Refused::NotSealed) => "the resource is not sealed with the token",
            Self::Refused(Refused::Stale { .. } | Refused::Conflict { .. }) => {
                "the fencing token is stale"
            }
        }
    }

    /// The response that says so, as of a [`FenceGuardLayer`](super::FenceGuardLayer), with an empty body: its table says
    /// which status and which headers. It counts as `fence.denied`.
    #[must_use]
    pub fn response<R: Default>(self) -> Response<R> {
        self.answer(false)
    }

    /// The same in gRPC's words: HTTP's 200, and the status in the headers. With the `grpc` feature.
    #[cfg(feature = "grpc")]
    #[must_use]
    pub fn grpc_response<R: Default>(self) -> Response<R> {
        self.answer(true)
    }

    pub(super) fn answer<R: Default>(self, grpc: bool) -> Response<R> {
        event::denied(&self);
        let (status, code) = self.terms();
        let mut response = Response::new(R::default());
        let mut set = |name: HeaderName, value| response.headers_mut().insert(name, value);
        let fixed = HeaderValue::from_static;
        if let Self::Refused(refused) = &self {
            if let Some(current) = refused.current() {
                set(FENCING_TOKEN_CURRENT, headers::shown(current));
            }
            if let Refused::Repeated { last, .. } = refused {
                set(FENCING_OP_LAST, HeaderValue::from(*last));
            }
        }
        if grpc {
            set(CONTENT_TYPE, fixed("application/grpc"));
            set(HeaderName::from_static("grpc-status"), fixed(code));
            let message = fixed(self.message());
            set(HeaderName::from_static("grpc-message"), message);
        } else {
            if status == StatusCode::SERVICE_UNAVAILABLE {
                set(RETRY_AFTER, fixed("1"));
            }
            *response.status_mut() = status;
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl Refused {
    /// The whole answer of a handler whose conditional write was refused, so that it tells the same as a guard would: 412 with
    /// [`FENCING_TOKEN_CURRENT`] for a stale token, and what else is in the table of
    /// [`FenceGuardLayer`](super::FenceGuardLayer). The body is empty, and may be set; [`Denied`] is in its extensions. With
    /// the `http` feature.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{Response, StatusCode};
    /// use murphy_lease::FencingToken;
    /// use murphy_lease::fence::{FencedStore, MemoryFenced, FencedStoreError, current_rank};
    ///
    /// // Behind `FenceGuardLayer::pass_through`, which puts the token into the request's extensions.
    /// async fn put(accounts: &MemoryFenced<u64>, token: &FencingToken, amount: u64) -> Response<String> {
    ///     match accounts.write("alice", token, amount).await {
    ///         Ok(_) => Response::new("done".into()),
    ///         Err(FencedStoreError::Refused(refused)) => refused.response(),
    ///         Err(_) => {
    ///             let mut failed = Response::new(String::new());
    ///             *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    ///             failed
    ///         }
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let older: FencingToken = "orders;era=0;seq=33;nonce=a".parse()?;
    /// let newer: FencingToken = "orders;era=0;seq=34;nonce=b".parse()?;
    /// let accounts = MemoryFenced::new();
    /// assert_eq!(put(&accounts, &newer, 90).await.status(), 200);
    /// let stale = put(&accounts, &older, 100).await;
    /// assert_eq!(stale.status(), 412);
    /// assert_eq!(current_rank(stale.headers())?, Some(newer.rank()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn response<R: Default>(self) -> Response<R> {
        Denied::Refused(self).response()
    }

    /// [`response`](Self::response) in gRPC's words. tonic reads its own status out of the headers, with
    /// [`FENCING_TOKEN_CURRENT`] among the metadata. With the `grpc` feature.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_lease::Rank;
    /// use murphy_lease::fence::Refused;
    ///
    /// let refused = Refused::Stale { current: Rank::new(0, 34) };
    /// let response = refused.grpc_response::<()>();
    /// assert_eq!(response.headers()["grpc-status"], "9");
    /// // In a handler of tonic's:
    /// // `return Err(Status::from_header_map(response.headers()).expect("it has one"));`
    /// ```
    #[cfg(feature = "grpc")]
    #[must_use]
    pub fn grpc_response<R: Default>(self) -> Response<R> {
        Denied::Refused(self).grpc_response()
    }
}

pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    cfg!(feature = "grpc")
        && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rank;

    #[test]
    fn a_stale_holder_is_told_the_rank_and_no_more() {
        let current = Rank::new(2, 34);
        let denied = Denied::Refused(Refused::Stale { current });
        let response = denied.clone().answer::<()>(false);
        assert_eq!(response.status(), 412);
        assert_eq!(response.headers()[FENCING_TOKEN_CURRENT], "era=2;seq=34");
        assert_eq!(response.headers().len(), 1);
        assert_eq!(response.extensions().get(), Some(&denied));
    }

    #[test]
    fn each_denial_has_its_status_and_grpcs() {
        let guard = "orders".parse().unwrap();
        let current = Rank::new(0, 1);
        for (denied, status, code) in [
            (Denied::Missing, 428, "9"),
            (Denied::Malformed, 400, "3"),
            (Denied::BadResource, 400, "3"),
            (Denied::Forged, 403, "7"),
            (Denied::Full, 503, "14"),
            (Denied::Busy, 503, "14"),
            (Refused::Stale { current }.into(), 412, "9"),
            (Refused::Conflict { current }.into(), 412, "9"),
            (Refused::OtherLock { guard }.into(), 412, "9"),
            (Refused::Repeated { op: 1, last: 7 }.into(), 409, "6"),
            (Refused::Future { highest: current }.into(), 403, "7"),
            (Refused::NotSealed.into(), 412, "9"),
        ] {
            let plain = denied.clone().answer::<()>(false);
            assert_eq!(plain.status(), status, "{denied}");
            assert_eq!(plain.headers().contains_key(RETRY_AFTER), status == 503);
            let grpc = denied.clone().answer::<()>(true);
            assert_eq!(grpc.status(), 200, "{denied}");
            assert_eq!(grpc.headers()["grpc-status"], code, "{denied}");
        }
    }
}
