//! Work that outlives its caller, panics, and runtimes that end.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};

use murphy_core::{Key, Scope};
use murphy_fault::{Fault, Outcome};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::support::{ALWAYS, Echo, SITE, arm, chaos, fixed, ms, refusal, within};

#[tokio::test(start_paused = true)]
async fn a_lost_reply_runs_the_service_once_though_the_caller_leaves_at_any_time() {
    for patience in [0, 1, 5, 9, 10, 11, 100] {
        let (chaos, echo) = (chaos(), Echo::taking(ms(10)));
        let service = chaos.site(SITE).layer().layer(echo.clone());
        let armed = arm(
            &chaos,
            [Fault::lost_reply(ALWAYS), Fault::latency(fixed(3), ALWAYS)],
        );
        assert!(within(ms(patience), service.oneshot(7)).await.is_none());
        tokio::time::sleep(ms(1000)).await;
        assert_eq!((echo.began(), echo.ended()), (1, 1), "after {patience} ms");
        assert_eq!(
            armed.ledger().records()[0].outcome,
            Outcome::Ran,
            "after {patience} ms"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_future_that_was_never_polled_still_loses_its_reply() {
    let (chaos, echo) = (chaos(), Echo::taking(ms(10)));
    let mut service = chaos.site(SITE).layer().layer(echo.clone());
    let _armed = arm(&chaos, [Fault::lost_reply(ALWAYS)]);
    drop(service.ready().await.unwrap().call(7));
    tokio::time::sleep(ms(1000)).await;
    assert_eq!(echo.ended(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_during_a_plain_delay_cancels_the_call() {
    let (chaos, echo) = (chaos(), Echo::taking(ms(10)));
    let service = chaos.site(SITE).layer().layer(echo.clone());
    let armed = arm(&chaos, [Fault::latency(fixed(100), ALWAYS)]);
    assert!(within(ms(50), service.clone().oneshot(7)).await.is_none());
    tokio::time::sleep(ms(1000)).await;
    assert_eq!(echo.began(), 0);
    assert_eq!(armed.ledger().records()[0].outcome, Outcome::CallerLeft);
}

#[tokio::test(start_paused = true)]
async fn copies_run_on_after_the_reply_and_after_the_caller() {
    for patience in [2, 1000] {
        let (chaos, echo) = (chaos(), Echo::taking(ms(10)));
        let service = chaos.site(SITE).layer().duplicating().layer(echo.clone());
        let armed = arm(&chaos, [Fault::duplicate(fixed(50), ALWAYS)]);
        let _ = within(ms(patience), service.oneshot(7)).await;
        tokio::time::sleep(ms(1000)).await;
        // A caller that leaves takes its own call along, but not the copy.
        assert_eq!(echo.ended(), if patience == 2 { 1 } else { 2 });
        assert_eq!(armed.ledger().records()[0].outcome, Outcome::Ran);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_after_the_work_runs_on_without_its_caller() {
    let (chaos, echo) = (chaos(), Echo::taking(ms(10)));
    let service = chaos
        .site(SITE)
        .layer()
        .refusing(refusal)
        .layer(echo.clone());
    let armed = arm(&chaos, [Fault::refused_after_work(ALWAYS)]);
    assert!(within(ms(5), service.oneshot(7)).await.is_none());
    tokio::time::sleep(ms(1000)).await;
    assert_eq!(
        (echo.ended(), armed.ledger().records()[0].outcome),
        (1, Outcome::Ran)
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_no_caller_sees_is_reported() {
    for patience in [5, 1000] {
        let chaos = chaos();
        let service = chaos.site(SITE).layer().layer(service_fn(|_: u64| async {
            tokio::time::sleep(ms(10)).await;
            if true {
                panic!("on purpose");
            }
            Ok::<u64, BoxError>(1)
        }));
        let armed = arm(&chaos, [Fault::lost_reply(ALWAYS)]);
        assert!(within(ms(patience), service.oneshot(7)).await.is_none());
        tokio::time::sleep(ms(1000)).await;
        assert_eq!(armed.ledger().records()[0].outcome, Outcome::Panicked);
    }
}

/// Ready once; its clones break, or panic, when they are asked to be.
#[derive(Debug)]
struct Fickle {
    panics: bool,
    cloned: bool,
}

impl Clone for Fickle {
    fn clone(&self) -> Self {
        Self {
            cloned: true,
            ..*self
        }
    }
}

impl Service<u64> for Fickle {
    type Response = u64;
    type Error = BoxError;
    type Future = std::future::Ready<Result<u64, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match (self.cloned, self.panics) {
            (false, _) => Poll::Ready(Ok(())),
            (true, false) => Poll::Ready(Err("broken".into())),
            (true, true) => panic!("on purpose"),
        }
    }

    fn call(&mut self, request: u64) -> Self::Future {
        std::future::ready(Ok(request))
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_finds_the_service_broken_is_nobodys_reply() {
    for (panics, outcome) in [(false, Outcome::NeverRan), (true, Outcome::Panicked)] {
        let fickle = Fickle {
            panics,
            cloned: false,
        };
        let chaos = chaos();
        let mut service = chaos.site(SITE).layer().duplicating().layer(fickle);
        let armed = arm(&chaos, [Fault::duplicate(fixed(5), ALWAYS).keeping_last()]);
        assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
        assert_eq!(armed.ledger().records()[0].outcome, outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_finds_the_service_broken_after_its_caller_left_is_not_delivered() {
    for (panics, outcome) in [(false, Outcome::NeverRan), (true, Outcome::Panicked)] {
        let fickle = Fickle {
            panics,
            cloned: false,
        };
        let chaos = chaos();
        let mut service = chaos.site(SITE).layer().layer(fickle);
        let late = Fault::latency(fixed(50), ALWAYS);
        let armed = arm(&chaos, [late, Fault::lost_reply(ALWAYS)]);
        let call = service.ready().await.unwrap().call(7);
        assert!(within(ms(5), call).await.is_none());
        tokio::time::sleep(ms(100)).await;
        assert_eq!(armed.ledger().records()[1].outcome, outcome);
    }
}

#[test]
fn a_dropped_runtime_is_survived() {
    let (chaos, echo) = (chaos(), Echo::taking(ms(10_000)));
    let service = chaos.site(SITE).layer().duplicating().layer(echo.clone());
    let armed = arm(
        &chaos,
        [
            Fault::lost_reply(ALWAYS),
            Fault::duplicate(fixed(1), ALWAYS),
        ],
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    // One call is handed over before the runtime ends, one is dropped after it.
    let late = runtime.block_on(async {
        assert!(within(ms(5), service.clone().oneshot(1)).await.is_none());
        let mut service = service.clone();
        let late = service.ready().await.unwrap().call(2);
        Some(late)
    });
    drop(runtime);
    drop(late);
    let outcomes: Vec<_> = armed.ledger().records().iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes, [Outcome::Cut; 4]);
}

#[test]
fn without_a_runtime_calls_pass_and_the_ledger_says_why() {
    let (chaos, echo) = (chaos(), Echo::default());
    let mut service = chaos.site(SITE).layer().layer(echo.clone());
    let armed = arm(&chaos, [Fault::latency(fixed(5), ALWAYS)]);
    let mut call = tokio_test::task::spawn(service.call(7));
    tokio_test::assert_ready_ok!(call.poll());
    assert_eq!(armed.ledger().summaries()[0].unable, 1);
}

#[tokio::test(start_paused = true)]
async fn what_runs_on_keeps_its_scope() {
    let chaos = chaos();
    let key = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&key);
    let service = chaos.site(SITE).layer().layer(service_fn(move |_: u64| {
        let seen = Arc::clone(&seen);
        async move {
            tokio::time::sleep(ms(10)).await;
            seen.store(Scope::current().key().map_or(0, Key::bits), SeqCst);
            Ok::<u64, BoxError>(1)
        }
    }));
    let _armed = arm(&chaos, [Fault::lost_reply(ALWAYS)]);
    let call = Scope::current().with_key(99u64).enter(service.oneshot(7));
    assert!(within(ms(5), call).await.is_none());
    tokio::time::sleep(ms(100)).await;
    assert_eq!(key.load(SeqCst), 99);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_send_runs_on_in_its_local_set() {
    let ended = Rc::new(Cell::new(0));
    let count = Rc::clone(&ended);
    tokio::task::LocalSet::new()
        .run_until(async move {
            let chaos = chaos();
            let service = chaos
                .site(SITE)
                .layer()
                .local()
                .layer(service_fn(move |_: u64| {
                    let ended = Rc::clone(&count);
                    async move {
                        tokio::time::sleep(ms(10)).await;
                        ended.set(ended.get() + 1);
                        Ok::<u64, BoxError>(1)
                    }
                }));
            let _armed = arm(&chaos, [Fault::lost_reply(ALWAYS)]);
            assert!(within(ms(5), service.oneshot(7)).await.is_none());
            tokio::time::sleep(ms(100)).await;
        })
        .await;
    assert_eq!(ended.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_borrows_goes_inline() {
    let chaos = chaos();
    let text = String::from("borrowed");
    let mut service = chaos
        .site(SITE)
        .layer()
        .inline()
        .layer(service_fn(|r: &str| {
            let length = r.len();
            async move { Ok::<usize, BoxError>(length) }
        }));
    let armed = arm(&chaos, [Fault::latency(fixed(5), ALWAYS)]);
    assert_eq!(service.ready().await.unwrap().call(&text).await.unwrap(), 8);
    assert_eq!(armed.ledger().records().len(), 1);
}
