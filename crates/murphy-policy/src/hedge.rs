//! Middleware that asks again before the first answer is late, and takes the first success.
//!
//! A reply that takes longer than most is often slow for a reason of its own (a pause, a queue, a
//! lost packet), and a second request is answered sooner. It costs load: choose a [`Delay`] that few
//! calls reach, and a [`Budget`](crate::Budget) for the day when all do.
//!
//! ```text
//! Alone ── answers ──▶ done
//!   ├── the delay passes, or it fails and more may work ──▶ Racing ── a success ──▶ done, the rest dropped
//!   └── fails for good ──▶ done                               ├── fails for good ──▶ done, the rest dropped
//!                                                             ├── the delay passes, or one fails ──▶ one more, if any may be
//!                                                             ├── one is refused or forbidden ──▶ no more, the rest go on
//!                                                             └── all failed ──▶ what the first failed with
//! ```
//!
//! The first *success* wins: a hedge that fails cannot beat a first request that is merely slow.
//! [`Classify`] says what is a success, what is fatal and what may work if repeated; a hedge sends
//! what its [`Replay`] keeps, through an instance that was readied for it, and pays when it
//! is sent. What is neither idempotent nor keyed is never sent twice: a [`Repeatable`] says so, and
//! none is assumed.
//!
//! Who was refused *here*, by a breaker, a throttle or a bulkhead beneath, never left: it pays nothing and
//! ends nothing while another is under way. If that was for want of room, the next has its turn after the
//! delay; else none follows. So it is after a peer's pushback that forbids to ask again (A6). A call
//! of which no request left ends with what the first was refused with; if one left and failed, with that.
//!
//! It goes outside of the retry, and multiplies it: each of its attempts may be repeated there. Share
//! one budget ([`sharing`](HedgeLayer::sharing)), and give one of the two a single attempt where that
//! is not meant.
//!
//! While nothing is slow, a call costs a clone of the service and of the request, and no timer; a
//! hedge allocates twice. The timer is made at the first poll that pends.
//!
//! Source: J. Dean and L. A. Barroso, "The Tail at Scale", CACM 56(2), 2013; gRPC proposal A6.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_policy::{BoxError, HedgeLayer, hedge::Idempotent};
//! use std::{sync::atomic::{AtomicU32, Ordering::Relaxed}, time::Duration};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! static CALLS: AtomicU32 = AtomicU32::new(0);
//! let first_is_slow = service_fn(async |_: &str| {
//!     let stalls = CALLS.fetch_add(1, Relaxed) == 0;
//!     tokio::time::sleep(Duration::from_millis(if stalls { 900 } else { 4 })).await;
//!     Ok::<_, BoxError>("here")
//! });
//! let service = ServiceBuilder::new()
//!     .layer(HedgeLayer::new(Duration::from_millis(10), Idempotent))
//!     .service(first_is_slow);
//! let began = tokio::time::Instant::now();
//! assert_eq!(service.oneshot("who is there?").await.unwrap(), "here");
//! assert!(began.elapsed() < Duration::from_millis(20));
//! # });
//! ```
//!
//! # Events
//!
//! Target `murphy::policy`; the counters are `murphy_policy_hedge_sent_total`,
//! `murphy_policy_hedge_won_total` and `murphy_policy_hedge_withheld_total`, by `site`.
//!
//! | name | level | when | fields |
//! |---|---|---|---|
//! | `hedge.sent` | debug | one more request leaves | `site`, `attempt`, `of` |
//! | `hedge.won` | debug | one that was not the first succeeded first | `site`, `attempt` |
//! | `hedge.over_budget` | warn | the budget had nothing left | `site` |
//! | `hedge.not_repeatable` | debug | the request may not be sent twice | `site` |

mod delay;
mod event;
mod future;
mod guard;
mod layer;
mod race;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

pub use self::delay::Delay;
pub use self::future::ResponseFuture;
use self::future::Spare;
pub use self::guard::{Idempotent, Repeatable};
pub use self::layer::HedgeLayer;
use self::layer::Policy;
use crate::retry::{Attempt, Classify, Replay};
use crate::{AnyError, CloneReplay};

/// Sends slow requests again. See the [module](self).
///
/// The inner service must be `Clone`: a clone stays in the call's future for hedges.
pub struct Hedge<S, D, G, C = AnyError, R = CloneReplay> {
    inner: S,
    policy: Arc<Policy<D, G, C, R>>,
}

impl<S, D, G, C, R> Hedge<S, D, G, C, R> {
    /// The service within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service within, without its hedges.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, D, G, C, R> Clone for Hedge<S, D, G, C, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            policy: Arc::clone(&self.policy),
        }
    }
}

impl<S: fmt::Debug, D, G, C, R> fmt::Debug for Hedge<S, D, G, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge")
            .field("inner", &self.inner)
            .field("site", &self.policy.site)
            .field("attempts", &self.policy.attempts)
            .finish_non_exhaustive()
    }
}

impl<S, D, G, C, R, Req> Service<Req> for Hedge<S, D, G, C, R>
where
    S: Service<Req> + Clone,
    S::Error: 'static,
    D: Delay<Req>,
    G: Repeatable<Req>,
    C: Classify<Req, S::Response, S::Error>,
    R: Replay<Req, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, D, G, C, R>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let policy = &self.policy;
        let seen = policy.classify.see(&request);
        let delay = policy.delay(&request);
        let begun = policy.begin();
        // One that may not be repeated is the last of its kind.
        let most = if delay.is_some() { policy.attempts } else { 1 };
        let first = Attempt::new(1, most);
        let (request, saved) = policy.replay.split(request, &first);
        let spare = saved.zip(delay).map(|(saved, delay)| Spare {
            service: self.inner.clone(),
            saved,
            delay,
        });
        let policy = Arc::clone(policy);
        let first = self.inner.call(request);
        ResponseFuture::new(first, spare, seen, begun, policy)
    }
}
