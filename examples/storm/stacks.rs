//! The four client stacks, growing from nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use murphy_core::Seed;
use murphy_fault::Chaos;
use murphy_policy::{
    Attempt, Backoff, BoxError, DeadlineLayer, Kind, RetryLayer, TimeoutLayer, Verdict,
};
use tokio::time::Instant;
use tower::util::BoxCloneService;
use tower::{ServiceBuilder, ServiceExt};

use crate::SITE;

pub(crate) const NOTHING: &str = "nothing";
pub(crate) const TIMEOUT: &str = "attempt timeout";
pub(crate) const NAIVE: &str = "+ naive retry";
pub(crate) const CAREFUL: &str = "+ deadline, jitter, budget";

const ATTEMPT: Duration = Duration::from_millis(250);
const TOTAL: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 3;

type Charge = Request<Full<Bytes>>;
pub(crate) type Stack = BoxCloneService<Charge, Response<Bytes>, BoxError>;

/// A stack, by name, around a link that exists later.
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) build: Box<dyn FnOnce(Stack) -> Stack + Send>,
}

pub(crate) fn all(seed: Seed) -> Result<Vec<Named>> {
    let naive = RetryLayer::new()
        .attempts(ATTEMPTS)?
        .classify(busy_or_broken)
        .pace(Backoff::none())
        .no_budget();
    let careful = RetryLayer::new()
        .attempts(ATTEMPTS)?
        .classify(busy_or_broken)
        .named("careful")
        .seed(seed);
    let named = |name, build: Box<dyn FnOnce(Stack) -> Stack + Send>| Named { name, build };
    Ok(vec![
        named(NOTHING, Box::new(|link| link)),
        named(
            TIMEOUT,
            Box::new(|link| {
                ServiceBuilder::new()
                    .layer(TimeoutLayer::new(ATTEMPT))
                    .service(link)
                    .boxed_clone()
            }),
        ),
        named(
            NAIVE,
            Box::new(move |link| {
                ServiceBuilder::new()
                    .layer(naive)
                    .layer(TimeoutLayer::new(ATTEMPT))
                    .service(link)
                    .boxed_clone()
            }),
        ),
        named(
            CAREFUL,
            Box::new(move |link| {
                ServiceBuilder::new()
                    .layer(DeadlineLayer::new(TOTAL))
                    .layer(careful)
                    .layer(TimeoutLayer::new(ATTEMPT))
                    .service(link)
                    .boxed_clone()
            }),
        ),
    ])
}

/// A 5xx or an error is worth another attempt. Whether it is *safe* to make one, nobody asks here.
fn busy_or_broken(_: &Attempt, outcome: Result<&Response<Bytes>, &BoxError>) -> Verdict {
    match outcome {
        Ok(response) if response.status().is_server_error() => Verdict::Retry(Kind::Server),
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Retry(Kind::Transient),
    }
}

/// When each attempt left, for the waterfall.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts(Arc<Mutex<Vec<(u64, Instant)>>>);

impl Attempts {
    fn note(&self, order: u64) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((order, Instant::now()));
    }

    /// When the attempts of `order` left.
    pub(crate) fn of(&self, order: u64) -> Vec<Instant> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter(|(o, _)| *o == order)
            .map(|(_, at)| *at)
            .collect()
    }
}

/// The link: a hyper client behind the fault layer.
pub(crate) fn link(chaos: &Chaos, to: SocketAddr, attempts: Attempts) -> Stack {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let faults = chaos
        .site(SITE)
        .layer()
        .keyed_by(|charge: &Charge| order_of(charge))
        .duplicating()
        .refusing_http(StatusCode::SERVICE_UNAVAILABLE);
    ServiceBuilder::new()
        .map_request(move |order: Charge| {
            attempts.note(order_of(&order));
            order
        })
        .layer(faults)
        // hyper's body cannot be made by anybody else: collected, it can be refused and duplicated.
        .and_then(|response: Response<Incoming>| async move {
            let (head, body) = response.into_parts();
            Ok::<_, BoxError>(Response::from_parts(head, body.collect().await?.to_bytes()))
        })
        .map_request(move |order: Charge| at(to, order))
        .map_err(BoxError::from)
        .service(client)
        .boxed_clone()
}

/// The request that charges an order.
pub(crate) fn charge(order: u64) -> Charge {
    let mut request = Request::new(Full::default());
    *request.method_mut() = http::Method::POST;
    if let Ok(path) = format!("/charge/{order}").parse() {
        *request.uri_mut() = path;
    }
    request
}

fn order_of(request: &Charge) -> u64 {
    request
        .uri()
        .path()
        .rsplit('/')
        .next()
        .and_then(|order| order.parse().ok())
        .unwrap_or(0)
}

fn at(to: SocketAddr, mut request: Charge) -> Charge {
    if let Ok(uri) = format!("http://{to}{}", request.uri().path()).parse() {
        *request.uri_mut() = uri;
    }
    request
}
