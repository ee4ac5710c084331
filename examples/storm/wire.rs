//! How charges get from the fault layer to the payments service.

use std::net::SocketAddr;

use anyhow::Result;
use http::Response;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use murphy_policy::BoxError;
use tower::{ServiceBuilder, ServiceExt};

use crate::payments::{self, Accounts};
use crate::stacks::{Charge, Stack};

/// Where the service is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire {
    /// On loopback, behind a hyper client.
    Sockets,
    /// In this process, so that time can be virtual.
    Calls,
}

impl Wire {
    /// A way to a payments service of its own.
    pub(crate) async fn to(self, accounts: Accounts) -> Result<Stack> {
        Ok(match self {
            Self::Sockets => sockets(payments::serve(accounts).await?),
            Self::Calls => calls(accounts),
        })
    }
}

fn sockets(to: SocketAddr) -> Stack {
    let client = Client::builder(TokioExecutor::new()).build_http();
    ServiceBuilder::new()
        .map_request(move |order: Charge| at(to, order))
        .map_err(BoxError::from)
        .service(client)
        .and_then(whole)
        .boxed_clone()
}

fn calls(accounts: Accounts) -> Stack {
    ServiceBuilder::new()
        .map_request(|order: Charge| order.map(axum::body::Body::new))
        .map_err(BoxError::from)
        .service(payments::router(accounts))
        .and_then(whole)
        .boxed_clone()
}

/// A client's body cannot be made by anybody else: collected, it can be refused and duplicated.
async fn whole<B>(reply: Response<B>) -> Result<Response<bytes::Bytes>, BoxError>
where
    B: BodyExt,
    B::Error: Into<BoxError>,
{
    let (head, body) = reply.into_parts();
    let body = body.collect().await.map_err(Into::into)?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

fn at(to: SocketAddr, mut request: Charge) -> Charge {
    if let Ok(uri) = format!("http://{to}{}", request.uri().path()).parse() {
        *request.uri_mut() = uri;
    }
    request
}
