//! Calls that are dropped, or panic, at every moment there is.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use murphy_policy::hedge::Idempotent;
use murphy_policy::{
    Attempt, Backoff, BoxError, BreakerLayer, Budget, BulkheadLayer, HedgeLayer, Kind, RetryLayer,
    Verdict,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);

/// Not ready at first, slow, and fails as the script of the call's number says.
#[derive(Clone)]
struct Slow {
    polls: u32,
    calls: Arc<AtomicU32>,
    script: fn(u32) -> Result<u32, &'static str>,
}

impl Service<u32> for Slow {
    type Response = u32;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<u32, &'static str>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.polls += 1;
        if self.polls % 3 != 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u32) -> Self::Future {
        let n = self.calls.fetch_add(1, SeqCst);
        assert!((self.script)(n) != Err("panics at once"), "as planned");
        let outcome = (self.script)(n);
        Box::pin(async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            assert!(outcome != Err("panics"), "as planned");
            outcome
        })
    }
}

fn judge(_: &Attempt, outcome: Result<&u32, &&'static str>) -> Verdict {
    match outcome {
        Ok(_) => Verdict::Success,
        Err(&"not sent") => Verdict::Retry(Kind::NotSent),
        Err(&"later") => Verdict::RetryAfter(Kind::Throttled, MS),
        Err(_) => Verdict::Retry(Kind::Transient),
    }
}

const SCRIPTS: [fn(u32) -> Result<u32, &'static str>; 5] = [
    |_| Err("lost"),
    |n| {
        if n % 2 == 0 {
            Err("not sent")
        } else {
            Err("lost")
        }
    },
    |n| {
        if n % 2 == 0 {
            Err("lost")
        } else {
            Err("not sent")
        }
    },
    |n| if n < 2 { Err("later") } else { Err("panics") },
    |n| {
        if n < 2 {
            Err("lost")
        } else {
            Err("panics at once")
        }
    },
];

#[tokio::test(start_paused = true)]
async fn whenever_a_call_ends_its_places_and_permits_are_where_they_belong() {
    for (at, script) in SCRIPTS.into_iter().enumerate() {
        for polls in 0..60 {
            let budget = Budget::in_flight(0.0, 100).unwrap();
            let bulkhead = BulkheadLayer::new(3).unwrap();
            let retry = RetryLayer::new()
                .attempts(4)
                .unwrap()
                .pace(Backoff::none())
                .classify(judge)
                .budget(budget.clone())
                .typed();
            let slow = Slow {
                polls: 0,
                calls: Arc::default(),
                script,
            };
            let shared = bulkhead.typed().layer(slow);
            let count = shared.clone();
            let service = ServiceBuilder::new()
                .layer(
                    HedgeLayer::new(MS * 2, Idempotent)
                        .attempts(3)
                        .unwrap()
                        .sharing(budget.clone()),
                )
                .layer(retry)
                .service(shared.map_err(|e| match e {
                    murphy_policy::BulkheadError::Inner(e) => e,
                    murphy_policy::BulkheadError::Shed(_) => "shed",
                }));
            let mut call = Box::pin(service.oneshot(1));
            let poll = AssertUnwindSafe(async {
                for _ in 0..polls {
                    if call
                        .as_mut()
                        .poll(&mut Context::from_waker(Waker::noop()))
                        .is_ready()
                    {
                        return;
                    }
                    tokio::time::advance(Duration::from_micros(300)).await;
                }
            });
            let mut poll = Box::pin(poll);
            let steps = std::future::poll_fn(|cx| {
                let step = std::panic::catch_unwind(AssertUnwindSafe(|| poll.as_mut().poll(cx)));
                step.unwrap_or(Poll::Ready(()))
            });
            steps.await;
            drop(poll);
            drop(call);
            assert_eq!(budget.balance(), 100, "script {at}, after {polls} polls");
            assert_eq!(
                (count.in_flight(), count.waiting()),
                (0, 0),
                "script {at}, {polls}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_panics_or_is_dropped_leaves_its_place() {
    let layer = BreakerLayer::new().consecutive(1).unwrap().open_for(MS);
    let handle = layer.handle();
    let answers = Arc::new(AtomicU32::new(0));
    let n = Arc::clone(&answers);
    let service = layer.layer(service_fn(move |(): ()| {
        let n = n.fetch_add(1, SeqCst);
        assert!(n != 1, "as planned");
        async move {
            assert!(n != 2, "as planned");
            tokio::task::yield_now().await;
            if n == 0 {
                Err(BoxError::from("lost"))
            } else {
                Ok(())
            }
        }
    }));
    service.clone().oneshot(()).await.unwrap_err();
    tokio::time::advance(MS * 2).await;
    for _ in 0..2 {
        let (call, again) = (service.clone(), service.clone());
        let panicked = tokio::spawn(call.oneshot(())).await;
        assert!(panicked.unwrap_err().is_panic());
        let mut dropped = Box::pin(again.oneshot(()));
        if answers.load(SeqCst) == 3 {
            let _ = dropped
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        }
    }
    assert!(matches!(
        handle.state(),
        murphy_policy::breaker::State::Probation
    ));
    service.clone().oneshot(()).await.unwrap();
    assert!(matches!(
        handle.state(),
        murphy_policy::breaker::State::Closed
    ));
}
