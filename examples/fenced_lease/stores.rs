//! Where the leases are kept, by its address.

use std::any::Any;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use murphy_lease::{FileClient, FileStore, LeaseReply, LeaseRequest};
use tower::util::BoxCloneService;
use tower::{BoxError, ServiceExt};

#[cfg(feature = "servers")]
use crate::servers;

/// Any store.
pub(crate) type Store = BoxCloneService<LeaseRequest, LeaseReply, BoxError>;

/// A store that is there for the workers, while this is kept.
pub(crate) struct Served {
    pub(crate) address: String,
    _kept: Box<dyn Any>,
}

/// What `--store` names: a URL as it is, or else one that is served from here.
pub(crate) async fn serve(store: &str, folder: &Path) -> Result<Served> {
    let (address, kept): (String, Box<dyn Any>) = match store {
        "file" => {
            let socket = folder.join("leases.sock");
            let store = FileStore::open(folder.join("leases.redb"))?;
            let served = store.serve(&socket)?;
            let address = format!("file:{}", socket.display());
            (address, Box::new((store, served)))
        }
        "redis" | "postgres" | "etcd" => start(store).await?,
        url => (url.to_owned(), Box::new(())),
    };
    // Whoever cannot be reached is named before anything is done.
    connect(&address).await?;
    Ok(Served {
        address,
        _kept: kept,
    })
}

/// The store at this address: `file:SOCKET`, as the story serves it, or a server's URL.
pub(crate) async fn connect(address: &str) -> Result<Store> {
    let (kind, rest) = address.split_once(':').with_context(|| unknown(address))?;
    match kind {
        "file" => Ok(boxed(FileClient::new(Path::new(rest)))),
        "redis" | "postgres" | "etcd" => reach(kind, address).await,
        _ => bail!(unknown(address)),
    }
}

fn unknown(address: &str) -> String {
    format!(
        "`--store {}`: write `file`, `redis`, `postgres`, `etcd`, or the URL of one of these servers, like `redis://127.0.0.1:6379`",
        shown(address)
    )
}

/// How long a write has to be on its way to outlive its holder's lease there: etcd's are two seconds at least, by default,
/// and it takes its time to end one.
pub(crate) fn outlives(address: &str) -> Duration {
    if address.starts_with("etcd") {
        Duration::from_secs(6)
    } else {
        Duration::from_millis(2500)
    }
}

/// Without the password.
pub(crate) fn shown(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => address.to_owned(),
    }
}

#[cfg(feature = "servers")]
async fn start(kind: &str) -> Result<(String, Box<dyn Any>)> {
    servers::start(kind).await
}

#[cfg(feature = "servers")]
async fn reach(kind: &str, address: &str) -> Result<Store> {
    let reached = servers::connect(kind, address).await;
    reached.with_context(|| format!("`--store {}`", shown(address)))
}

#[cfg(not(feature = "servers"))]
async fn start(kind: &str) -> Result<(String, Box<dyn Any>)> {
    not_built_in(kind)
}

#[cfg(not(feature = "servers"))]
async fn reach(_kind: &str, address: &str) -> Result<Store> {
    not_built_in(&shown(address))
}

#[cfg(not(feature = "servers"))]
fn not_built_in<T>(store: &str) -> Result<T> {
    bail!(
        "`--store {store}`: clients of servers are not built in: run it with `--features servers`"
    )
}

pub(crate) fn boxed<S>(store: S) -> Store
where
    S: tower::Service<LeaseRequest, Response = LeaseReply> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    BoxCloneService::new(store.map_err(Into::into))
}
