//! The fenced accounts: in a file of the bank's, or, where the leases are in PostgreSQL, in a table beside them.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use murphy_lease::FencingToken;
#[cfg(feature = "servers")]
use murphy_lease::fence::PostgresFenced;
use murphy_lease::fence::{FencedStore, FencedStoreError, FileFenced, Refused};

use crate::bank::BALANCE;

/// An answer that is no balance: why.
#[derive(Debug)]
pub(crate) enum Denied {
    /// 412, with the rank above which to acquire the lock anew.
    Refused(Refused),
    Failed(StatusCode, String),
}

/// Accounts that take money from the latest holder that they have heard of.
#[derive(Clone)]
pub(crate) enum Fenced {
    File(FileFenced),
    #[cfg(feature = "servers")]
    Postgres(PostgresFenced),
}

impl Fenced {
    /// Beside the leases at this address, where that has a place for them; else in this file.
    pub(crate) async fn open(store: &str, file: &Path) -> Result<Self> {
        #[cfg(feature = "servers")]
        if store.starts_with("postgres:") {
            let fenced = PostgresFenced::try_new(store)?;
            fenced.migrate().await?;
            return Ok(Self::Postgres(fenced));
        }
        let _ = store;
        Ok(Self::File(FileFenced::open(file)?))
    }

    /// Whoever reads here has sealed: nobody before it writes any more.
    pub(crate) async fn read(&self, account: &str, token: &FencingToken) -> Result<i64, Denied> {
        let account = name(account);
        let kept = match self {
            Self::File(store) => store.seal(&account, token).await.map_err(denied)?.value,
            #[cfg(feature = "servers")]
            Self::Postgres(store) => store.seal(&account, token).await.map_err(denied)?.value,
        };
        Ok(balance(kept.as_deref()))
    }

    /// One transaction looks at the token and writes.
    pub(crate) async fn write(
        &self,
        account: &str,
        token: &FencingToken,
        amount: i64,
    ) -> Result<(), Denied> {
        let (account, amount) = (name(account), amount.to_string().into_bytes());
        match self {
            Self::File(store) => {
                let written = store.write(&account, token, amount).await;
                written.map_err(denied)?;
            }
            #[cfg(feature = "servers")]
            Self::Postgres(store) => {
                let written = store.write(&account, token, amount).await;
                written.map_err(denied)?;
            }
        }
        Ok(())
    }
}

/// Not in the way of anybody else's, in a database that is shared.
fn name(account: &str) -> String {
    format!("fenced_lease/{account}")
}

fn denied<E: std::error::Error + 'static>(error: FencedStoreError<E>) -> Denied {
    match error {
        FencedStoreError::Refused(refused) => Denied::Refused(refused),
        error => Denied::Failed(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let said = self.to_string();
        match self {
            Self::Refused(refused) => {
                let mut response = refused.response();
                *response.body_mut() = Body::from(said);
                response
            }
            Self::Failed(status, _) => (status, said).into_response(),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Failed(status, said) => write!(f, "{status}: {said}"),
        }
    }
}

fn balance(kept: Option<&[u8]>) -> i64 {
    let text = kept.and_then(|kept| std::str::from_utf8(kept).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(BALANCE)
}
