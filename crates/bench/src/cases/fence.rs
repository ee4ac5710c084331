//! Leases: a client's calls that carry a fencing token.

use std::future::{Pending, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use murphy_lease::fence::{FencedLayer, Proof};
use murphy_lease::{FencingToken, Lost, Why};
use tokio::time::Instant;
use tower::Layer;

use super::cases;
use crate::drive::{awaited, ready};
use crate::service::{Hesitant, Prompt};

cases! {
    "lease.fenced" over "ready" {
        "murphy": "FencedLayer: two looks at the clock, and a stamp" => ready(|| fenced().layer(Prompt::default()));
    }
    "lease.fenced.pends" over "pends" {
        "murphy": "FencedLayer: a third look, and the lease's own end" => awaited(|| fenced().layer(Hesitant::default()));
    }
}

/// What a guard does when it is asked: one reading of the clock, and one of a number.
#[derive(Clone)]
struct Valid(Arc<Inner>);

struct Inner {
    token: FencingToken,
    origin: Instant,
    until: AtomicU64,
}

impl Proof for Valid {
    type Lost = Pending<Lost>;

    fn token(&self) -> Result<&FencingToken, Lost> {
        if self.remaining().is_zero() {
            let (lock, rank) = (self.0.token.lock().clone(), self.0.token.rank());
            let why = Why::Expired;
            return Err(Lost { lock, rank, why });
        }
        Ok(&self.0.token)
    }

    fn remaining(&self) -> Duration {
        let now = u64::try_from(self.0.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let until = self.0.until.load(Ordering::Acquire);
        Duration::from_nanos(until.saturating_sub(now))
    }

    fn known_lost(&self) -> Option<Lost> {
        None
    }

    fn lost(&self) -> Self::Lost {
        pending()
    }
}

fn fenced() -> FencedLayer<Valid, fn(&FencingToken, &mut u64)> {
    let token: FencingToken = "orders;era=0;seq=34;nonce=b".parse().expect("a token");
    let inner = Inner {
        token,
        origin: Instant::now(),
        until: AtomicU64::new(u64::MAX),
    };
    FencedLayer::with(Valid(Arc::new(inner)), stamp)
}

/// Requests of the benchmarks are numbers: the stamp goes where a header would.
fn stamp(token: &FencingToken, request: &mut u64) {
    *request ^= token.rank().seq;
}
