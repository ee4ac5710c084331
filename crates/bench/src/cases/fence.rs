//! Leases: a client's calls that carry a fencing token.

use std::task::{Context, Poll};

use futures_util::FutureExt;
use murphy_lease::fence::{Fenced, FencedLayer};
use murphy_lease::{FencingToken, Held, Lease, Locks, MemoryStore, Ttl};
use tower::{Layer, Service};

use super::cases;
use crate::drive::{awaited, ready};
use crate::service::{Hesitant, Prompt};

cases! {
    "lease.fenced" over "ready" {
        "murphy": "FencedLayer of a lease: two looks at the clock, and a stamp" => ready(|| Guarded::new(Prompt::default()));
    }
    "lease.fenced.pends" over "pends" {
        "murphy": "FencedLayer of a lease: a third look, and the lease's own end" => awaited(|| Guarded::new(Hesitant::default()));
    }
}

type Stamped<S> = Fenced<S, Held, fn(&FencingToken, &mut u64)>;

/// A fenced service, and the guard that keeps its lease.
struct Guarded<S> {
    fenced: Stamped<S>,
    _lease: Lease,
}

impl<S> Guarded<S> {
    /// Inside a runtime: a lease has a keeper.
    fn new(inner: S) -> Self {
        // Long enough to outlast any measurement without a renewal.
        let locks = Locks::new(MemoryStore::new()).ttl(Ttl::from_secs(86_400));
        let lease = locks.try_acquire("orders").into_future().now_or_never();
        let lease = lease.expect("memory does not wait").expect("nobody else");
        let fenced = FencedLayer::with(lease.held(), stamp as fn(&_, &mut _)).layer(inner);
        Self {
            fenced,
            _lease: lease,
        }
    }
}

impl<S: Service<u64>> Service<u64> for Guarded<S> {
    type Response = <Stamped<S> as Service<u64>>::Response;
    type Error = <Stamped<S> as Service<u64>>::Error;
    type Future = <Stamped<S> as Service<u64>>::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.fenced.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: u64) -> Self::Future {
        self.fenced.call(request)
    }
}

/// Requests of the benchmarks are numbers: the stamp goes where a header would.
fn stamp(token: &FencingToken, request: &mut u64) {
    *request ^= token.rank().seq;
}
