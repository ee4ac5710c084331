//! Where the leases are kept, by its address.

use std::path::Path;

use anyhow::{Context, Result, bail};
use murphy_lease::{FileClient, LeaseReply, LeaseRequest};
use tower::util::BoxCloneService;
use tower::{BoxError, ServiceExt};

/// Any store.
pub(crate) type Store = BoxCloneService<LeaseRequest, LeaseReply, BoxError>;

/// The store at this address: `file:SOCKET`, as the story serves it, or a server's URL.
pub(crate) async fn connect(address: &str) -> Result<Store> {
    let (kind, rest) = address
        .split_once(':')
        .context("a store is `file:…`, or a URL")?;
    match kind {
        "file" => Ok(boxed(FileClient::new(Path::new(rest)))),
        other => bail!("no store is called `{other}`"),
    }
}

fn boxed<S>(store: S) -> Store
where
    S: tower::Service<LeaseRequest, Response = LeaseReply> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    BoxCloneService::new(store.map_err(Into::into))
}
