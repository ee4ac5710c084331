//! The client stacks, growing from nothing: each has what the one before has, and one thing more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use murphy_core::Seed;
use murphy_fault::Chaos;
use murphy_policy::http::MayRepeat;
use murphy_policy::{
    Attempt, Backoff, BadKnob, BoxError, BreakerLayer, Budget, DeadlineLayer, HedgeLayer, Hints,
    IdempotencyKeyLayer, Kind, Open, RetryLayer, TimeoutLayer, Verdict, find,
};
use tokio::time::Instant;
use tower::util::BoxCloneService;
use tower::{ServiceBuilder, ServiceExt};

use crate::SITE;

pub(crate) const NOTHING: &str = "nothing";
pub(crate) const TIMEOUT: &str = "attempt timeout";
pub(crate) const NAIVE: &str = "+ naive retry";
pub(crate) const CAREFUL: &str = "+ deadline, jitter, budget";
pub(crate) const KEYED: &str = "+ idempotency key";
pub(crate) const HEDGED: &str = "+ hedge";
pub(crate) const BREAKER: &str = "+ breaker";

const ATTEMPT: Duration = Duration::from_millis(250);
const TOTAL: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 3;
/// Within this time nearly all replies come that come at all.
const LATE: Duration = Duration::from_millis(80);
/// How long a breaker stays open: long enough to spare the peer, short enough to see when it is back.
const OPEN: Duration = Duration::from_millis(150);
/// Behind a breaker most attempts are not sent: there can be more.
const TRIES: u32 = 20;

pub(crate) type Charge = Request<Full<Bytes>>;
pub(crate) type Stack = BoxCloneService<Charge, Response<Bytes>, BoxError>;
type Judge = fn(&Attempt, Result<&Response<Bytes>, &BoxError>) -> Verdict;

/// A stack, by name, around a link that exists later.
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) build: Box<dyn FnOnce(Stack) -> Stack + Send>,
}

impl Named {
    fn new(name: &'static str, build: impl FnOnce(Stack) -> Stack + Send + 'static) -> Self {
        let build = Box::new(build);
        Self { name, build }
    }
}

pub(crate) fn all(seed: Seed) -> Result<Vec<Named>> {
    let naive = RetryLayer::new()
        .attempts(ATTEMPTS)?
        .classify(busy_or_broken as Judge)
        .pace(Backoff::none())
        .no_budget();
    let retry = |name, attempts, budget: &Budget| {
        let retry = RetryLayer::new().attempts(attempts)?.named(name).seed(seed);
        let retry = retry.classify(busy_or_broken as Judge);
        Ok::<_, BadKnob>(retry.budget(budget.clone()))
    };
    let keys = |name: &'static str| IdempotencyKeyLayer::new().named(name).seed(seed);
    let (deadline, timeout) = (DeadlineLayer::new(TOTAL), TimeoutLayer::new(ATTEMPT));
    // A row's hedges and retries pay from one budget.
    let budgets = [(); 4].map(|()| Budget::default());
    let careful = retry("careful", ATTEMPTS, &budgets[0])?;
    let keyed = (keys("keyed"), retry("keyed", ATTEMPTS, &budgets[1])?);
    let hedge = HedgeLayer::new(LATE, MayRepeat).sharing(budgets[2].clone());
    let hedge = hedge.classify(busy_or_broken as Judge);
    let hedged = (
        keys("hedged"),
        hedge,
        retry("hedged", ATTEMPTS, &budgets[2])?,
    );
    let breaker = BreakerLayer::new()
        .consecutive(5)?
        .open_pace(Backoff::constant(OPEN))
        .classify(busy_or_broken as Judge)
        .seed(seed);
    let hedge = HedgeLayer::new(LATE, MayRepeat).sharing(budgets[3].clone());
    let broken = (
        keys("broken"),
        hedge.classify(busy_or_broken as Judge),
        retry("broken", TRIES, &budgets[3])?.hints(Hints::Spread),
    );
    let around = ServiceBuilder::new;
    Ok(vec![
        Named::new(NOTHING, |link| link),
        Named::new(TIMEOUT, move |link| {
            around().layer(timeout).service(link).boxed_clone()
        }),
        Named::new(NAIVE, move |link| {
            let stack = around().layer(naive).layer(timeout);
            stack.service(link).boxed_clone()
        }),
        Named::new(CAREFUL, move |link| {
            let stack = around().layer(deadline).layer(careful).layer(timeout);
            stack.service(link).boxed_clone()
        }),
        Named::new(KEYED, move |link| {
            let (keys, retry) = keyed;
            let stack = around().layer(deadline).layer(keys).layer(retry);
            stack.layer(timeout).service(link).boxed_clone()
        }),
        Named::new(HEDGED, move |link| {
            let (keys, hedge, retry) = hedged;
            let stack = around().layer(deadline).layer(keys).layer(hedge);
            let stack = stack.layer(retry).layer(timeout);
            stack.service(link).boxed_clone()
        }),
        Named::new(BREAKER, move |link| {
            let (keys, hedge, retry) = broken;
            let stack = around().layer(deadline).layer(keys).layer(hedge);
            let stack = stack.layer(retry).layer(breaker).layer(timeout);
            stack.service(link).boxed_clone()
        }),
    ])
}

/// A 5xx or an error is worth another attempt, and who asked a breaker that is open comes back when
/// it may. Whether it is *safe* to make one, nobody asks here.
fn busy_or_broken(_: &Attempt, outcome: Result<&Response<Bytes>, &BoxError>) -> Verdict {
    let error = match outcome {
        Ok(response) if response.status().is_server_error() => {
            return Verdict::Retry(Kind::Server);
        }
        Ok(_) => return Verdict::Success,
        Err(error) => error,
    };
    match find::<Open>(&**error) {
        Some(open) => Verdict::RetryAfter(Kind::Withheld, open.retry_after().unwrap_or(OPEN)),
        None => Verdict::Retry(Kind::Transient),
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

/// The link: the fault layer in front of a wire.
pub(crate) fn link(chaos: &Chaos, wire: Stack, attempts: Attempts) -> Stack {
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
        .service(wire)
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
