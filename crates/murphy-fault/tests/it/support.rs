//! A service that counts, and shorthands.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::{Distribution, Probability, Seed};
use murphy_fault::{Armed, Chaos, Fault, Marker, Plan, TimeLimit};
use tower::{BoxError, Service};

pub(crate) const SITE: &str = "api->payments";
pub(crate) const ALWAYS: Probability = Probability::ALWAYS;

pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn fixed(n: u64) -> Distribution {
    Distribution::fixed(ms(n))
}

pub(crate) fn p(x: f64) -> Probability {
    Probability::try_new(x).unwrap()
}

/// Works for a while and echoes; counts who came and who was served to the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Echo {
    pub(crate) work: Duration,
    pub(crate) began: Arc<AtomicU64>,
    pub(crate) ended: Arc<AtomicU64>,
    pub(crate) seen: Arc<std::sync::Mutex<Vec<u64>>>,
}

impl Echo {
    pub(crate) fn taking(work: Duration) -> Self {
        Self {
            work,
            ..Self::default()
        }
    }

    pub(crate) fn began(&self) -> u64 {
        self.began.load(SeqCst)
    }

    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<u64> {
        self.seen.lock().unwrap().clone()
    }
}

impl Service<u64> for Echo {
    type Response = u64;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<u64, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        let this = self.clone();
        this.began.fetch_add(1, SeqCst);
        this.seen.lock().unwrap().push(request);
        Box::pin(async move {
            if !this.work.is_zero() {
                tokio::time::sleep(this.work).await;
            }
            this.ended.fetch_add(1, SeqCst);
            Ok(request)
        })
    }
}

/// A chaos with seed 42.
pub(crate) fn chaos() -> Chaos {
    Chaos::new(Seed::new(42))
}

pub(crate) fn plan(faults: impl IntoIterator<Item = Fault>) -> Plan {
    faults
        .into_iter()
        .fold(Plan::new(), |plan, fault| plan.with(SITE, fault))
}

/// Arms faults at `SITE`.
pub(crate) fn arm(chaos: &Chaos, faults: impl IntoIterator<Item = Fault>) -> Armed {
    let _ = chaos.site(SITE);
    chaos.arm(&plan(faults), TimeLimit::None).unwrap()
}

pub(crate) fn refusal(marker: &Marker) -> Result<u64, BoxError> {
    Err(marker.clone().into())
}

/// Waits `limit` for `future`; `None` is silence.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}
