//! Wakers that hold calls, peers that ask to wait, money that is returned late.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use murphy_policy::hedge::Idempotent;
use murphy_policy::{Attempt, BoxError, Budget, BulkheadLayer, HedgeLayer, Kind, Verdict};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);

type Call = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A waker that holds a call, as that of a task does.
struct Holds(#[expect(dead_code, reason = "held")] Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Wake for Holds {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_that_holds_a_call_of_the_same_queue_can_be_let_go() {
    let (done, told) = mpsc::channel();
    std::thread::spawn(move || {
        let layer = BulkheadLayer::new(1).unwrap().queue(9);
        let never = service_fn(|(): ()| pending::<Result<(), BoxError>>());
        let service = layer.layer(never);
        let call = || -> Call { Box::pin(service.clone().oneshot(())) };
        let poll = |call: &mut Call, waker: &Waker| {
            assert!(
                call.as_mut()
                    .poll(&mut Context::from_waker(waker))
                    .is_pending()
            );
        };
        let (mut inside, mut held) = (call(), call());
        poll(&mut inside, Waker::noop());
        poll(&mut held, Waker::noop());
        for gives_up in [false, true] {
            let mut held = call();
            poll(&mut held, Waker::noop());
            let held = Box::pin(async { drop(held.await) });
            let holds = Waker::from(Arc::new(Holds(Mutex::new(held))));
            let mut waits = call();
            poll(&mut waits, &holds);
            drop(holds);
            if gives_up {
                drop(waits);
            } else {
                poll(&mut waits, Waker::noop());
            }
        }
        assert_eq!(service.waiting(), 1);
        done.send(()).unwrap();
    });
    assert!(told.recv_timeout(Duration::from_secs(20)).is_ok(), "stuck");
}

/// Each instance takes a while to become ready.
struct Slow<F> {
    ready: Option<Pin<Box<tokio::time::Sleep>>>,
    after: Duration,
    answers: F,
}

impl<F: Clone> Clone for Slow<F> {
    fn clone(&self) -> Self {
        Self {
            ready: None,
            after: MS * 20,
            answers: self.answers.clone(),
        }
    }
}

impl<F, Fut> Service<()> for Slow<F>
where
    F: Fn(u32) -> Fut,
    Fut: Future<Output = Result<u32, &'static str>>,
    F: Clone,
{
    type Response = u32;
    type Error = &'static str;
    type Future = Fut;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        let sleep = || Box::pin(tokio::time::sleep(self.after));
        self.ready
            .get_or_insert_with(sleep)
            .as_mut()
            .poll(cx)
            .map(Ok)
    }

    fn call(&mut self, (): ()) -> Fut {
        self.ready = None;
        (self.answers)(0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_is_about_to_be_sent_waits_when_the_peer_asks_for_it() {
    let judge = |_: &Attempt, outcome: Result<&u32, &&'static str>| match outcome {
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::RetryAfter(Kind::Throttled, MS * 1000),
    };
    let calls = Arc::new(AtomicU32::new(0));
    let service = Slow {
        ready: None,
        after: Duration::ZERO,
        answers: move |_| {
            let n = calls.fetch_add(1, SeqCst);
            async move {
                tokio::time::sleep(MS * 15).await;
                if n == 0 { Err("not now") } else { Ok(n) }
            }
        },
    };
    let hedge = HedgeLayer::new(MS * 10, Idempotent).classify(judge);
    let began = Instant::now();
    assert_eq!(hedge.layer(service).oneshot(()).await, Ok(1));
    assert!(began.elapsed() >= MS * 1000, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_returned_after_its_time_is_no_gain() {
    let budget = Budget::finagle(MS * 1000, 0, 1.0).unwrap();
    budget.deposit();
    let permit = budget.acquire().unwrap();
    tokio::time::advance(MS * 2000).await;
    drop(permit);
    assert_eq!(budget.balance(), 0, "nothing was paid in within a second");
    budget.deposit();
    drop(budget.acquire().unwrap());
    assert_eq!(budget.balance(), 1);
}

#[test]
fn of_a_crowd_on_many_threads_each_kind_of_budget_grants_what_it_has() {
    for (budget, want) in [
        (Budget::try_new(0.5, 0).unwrap().cap(u32::MAX), 2000),
        (Budget::try_new(0.0, 100).unwrap(), 100),
        (Budget::in_flight(0.0, 100).unwrap(), 100),
        (Budget::aws_standard(), 100),
    ] {
        let granted = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| drop(budget.begin())));
            }
        });
        let held = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        if let Some(permit) = budget.acquire() {
                            granted.fetch_add(1, SeqCst);
                            held.lock().unwrap().push(permit.sent());
                        }
                        // What is not sent is returned.
                        drop(budget.acquire());
                    }
                });
            }
        });
        assert_eq!(granted.load(SeqCst) + budget.balance(), want, "{budget:?}");
    }
}
