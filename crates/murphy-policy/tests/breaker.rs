//! A breaker, as its callers see it.

mod common;

use std::future::pending;
use std::time::Duration;

use common::{BoxError, events, is_send, probe, ready_for, slow_to_ready};
use murphy_policy::breaker::State;
use murphy_policy::{Attempt, Backoff, BreakerError, BreakerLayer, Kind, Open, Verdict, find};
use tokio::time::{advance, sleep, timeout};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

fn layer() -> BreakerLayer {
    BreakerLayer::new()
        .consecutive(2)
        .unwrap()
        .open_for(SECOND * 10)
        .jitter(0.0)
        .unwrap()
}

fn open(error: &BoxError) -> Option<Option<Duration>> {
    find::<Open>(&**error).map(Open::retry_after)
}

/// Fails its first `n` calls.
fn fails_first(n: u32) -> impl Fn(u32) -> std::future::Ready<Result<&'static str, BoxError>> {
    move |call| {
        std::future::ready(if call <= n {
            Err("refused".into())
        } else {
            Ok("hello")
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_leaves_the_peer_alone_and_says_how_long() {
    let peer = probe(fails_first(2));
    let service = layer().layer(peer.clone());
    for _ in 0..2 {
        assert!(open(&service.clone().oneshot(()).await.unwrap_err()).is_none());
    }
    sleep(SECOND * 4).await;
    let error = service.clone().oneshot(()).await.unwrap_err();
    assert_eq!(open(&error), Some(Some(SECOND * 6)));
    assert_eq!(
        error.to_string(),
        "the breaker `breaker` is open; retry after 6s"
    );
    assert_eq!(peer.calls(), 2);
    sleep(SECOND * 6).await;
    assert_eq!(service.clone().oneshot(()).await.unwrap(), "hello");
    assert_eq!(service.handle().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn only_failures_in_a_row_open_it() {
    let peer = probe(|call| {
        let well = (call % 2 == 0).then_some(call);
        std::future::ready(well.ok_or(BoxError::from("refused")))
    });
    let service = layer().layer(peer.clone());
    for _ in 0..10 {
        _ = service.clone().oneshot(()).await;
    }
    assert_eq!(
        (peer.calls(), service.handle().state()),
        (10, State::Closed)
    );
}

#[tokio::test(start_paused = true)]
async fn openings_grow_and_a_success_ends_that() {
    let peer = probe(fails_first(4));
    let pace = Backoff::exponential(SECOND, SECOND * 60);
    let service = layer().open_pace(pace).layer(peer.clone());
    for _ in 0..2 {
        service.clone().oneshot(()).await.unwrap_err();
    }
    for wait in [1, 2, 4] {
        sleep(SECOND * wait - SECOND / 2).await;
        assert!(
            open(&service.clone().oneshot(()).await.unwrap_err()).is_some(),
            "{wait}"
        );
        sleep(SECOND / 2).await;
        let trial = service.clone().oneshot(()).await;
        assert!(
            trial.as_ref().map_or_else(open, |_| None).is_none(),
            "{wait}: a trial leaves"
        );
    }
    assert_eq!((peer.calls(), service.handle().state()), (5, State::Closed));
}

#[tokio::test(start_paused = true)]
async fn what_opened_it_is_forgotten_when_it_closes() {
    let fails = |call: u32| [1, 2, 4, 6].contains(&call);
    let peer = probe(move |call| {
        std::future::ready(if fails(call) {
            Err(BoxError::from("no"))
        } else {
            Ok(())
        })
    });
    let rates = layer().failure_rate(0.5).unwrap().at_least(2);
    let service = rates.layer(peer.clone());
    for call in 1..=7 {
        if call == 3 {
            sleep(SECOND * 10).await;
        }
        let _ = service.clone().oneshot(()).await;
        let open = service.handle().state() == State::Open;
        // Half of the two that came after it closed, and not of the four before.
        assert_eq!(open, call == 2 || call >= 5, "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_began_before_it_closed_again_says_nothing() {
    let peer = service_fn(|()| async {
        sleep(SECOND).await;
        Err::<(), _>(BoxError::from("no"))
    });
    let service = layer().layer(peer);
    let old = Vec::from_iter((0..9).map(|_| tokio::spawn(service.clone().oneshot(()))));
    tokio::task::yield_now().await;
    service.handle().force_open();
    service.handle().automatic();
    for call in old {
        call.await.unwrap().unwrap_err();
    }
    // The first failure in a row, not the tenth.
    service.clone().oneshot(()).await.unwrap_err();
    assert_eq!(service.handle().state(), State::Closed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_that_race_leave_it_in_order() {
    struct Down;

    let peer = service_fn(|fails: bool| async move {
        tokio::task::yield_now().await;
        if fails { Err(Down) } else { Ok(()) }
    });
    let layer = layer()
        .open_for(Duration::ZERO)
        .probation(3, 2)
        .unwrap()
        .typed();
    let service = layer.layer(peer);
    let tasks = (0..8_u32).map(|task| {
        let service = service.clone();
        tokio::spawn(async move {
            for call in 0..500_u32 {
                let _ = service.clone().oneshot((call / 10 + task) % 3 == 0).await;
            }
        })
    });
    for task in Vec::from_iter(tasks) {
        task.await.unwrap();
    }
    // Whatever state they left it in, it finds its way back: no trial's place was lost.
    for _ in 0..10 {
        let _ = service.clone().oneshot(false).await;
    }
    assert_eq!(service.handle().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn jitter_is_the_same_for_the_same_seed_and_never_shortens() {
    let wait = async |seed: u64, name: &'static str| {
        let jittered = layer().jitter(0.5).unwrap().seed(seed).named(name);
        let service = jittered.layer(probe(fails_first(2)));
        for _ in 0..2 {
            service.clone().oneshot(()).await.unwrap_err();
        }
        open(&service.oneshot(()).await.unwrap_err())
            .unwrap()
            .unwrap()
    };
    assert_eq!(wait(7, "a").await, wait(7, "a").await);
    assert_ne!(wait(7, "a").await, wait(8, "a").await);
    assert_ne!(wait(7, "a").await, wait(7, "b").await);
    for seed in 0..20 {
        assert!((SECOND * 10..=SECOND * 15).contains(&wait(seed, "a").await));
    }
}

#[tokio::test(start_paused = true)]
async fn layers_that_share_a_seed_do_not_return_together() {
    let mut waits = Vec::new();
    for _ in 0..2 {
        let service = layer().jitter(1.0).unwrap().layer(probe(fails_first(2)));
        for _ in 0..2 {
            service.clone().oneshot(()).await.unwrap_err();
        }
        waits.push(open(&service.oneshot(()).await.unwrap_err()).unwrap());
    }
    assert_ne!(waits[0], waits[1]);
}

#[tokio::test(start_paused = true)]
async fn all_services_of_a_layer_and_its_clones_share_one_breaker() {
    let layer = layer();
    let (one, other) = (
        layer.layer(probe(fails_first(9))),
        layer.clone().layer(probe(fails_first(0))),
    );
    for _ in 0..2 {
        one.clone().oneshot(()).await.unwrap_err();
    }
    assert!(open(&other.oneshot(()).await.unwrap_err()).is_some());
    assert_eq!(layer.handle().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_reply_can_be_a_failure_and_a_terminal_error_a_success() {
    let classify = |_: &Attempt, outcome: Result<&u16, &BoxError>| match outcome {
        Ok(503) => Verdict::Retry(Kind::Server),
        Ok(429) => Verdict::Forbid,
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Terminal,
    };
    for (reply, opens) in [
        (Ok(503), true),
        (Ok(429), true),
        (Ok(200), false),
        (Err("bad"), false),
    ] {
        let peer = service_fn(move |()| std::future::ready(reply.map_err(BoxError::from)));
        let service = layer().classify(classify).layer(peer);
        for _ in 0..2 {
            assert_eq!(service.clone().oneshot(()).await.ok(), reply.ok());
        }
        assert_eq!(service.handle().state() == State::Open, opens, "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_it() {
    let peer = service_fn(async |wait: u64| {
        sleep(SECOND * wait as u32).await;
        Ok::<_, BoxError>(())
    });
    let layer = layer().slow_calls(SECOND * 2, 0.5).unwrap().at_least(4);
    let service = layer.layer(peer);
    for wait in [1, 2, 3] {
        service.clone().oneshot(wait).await.unwrap();
    }
    assert_eq!(service.handle().state(), State::Closed);
    service.clone().oneshot(3).await.unwrap();
    assert_eq!(service.handle().state(), State::Open);
    // A slow trial is no good one.
    sleep(SECOND * 10).await;
    service.clone().oneshot(3).await.unwrap();
    assert_eq!(service.handle().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_window_of_time_forgets() {
    let peer = service_fn(|fails: bool| std::future::ready(if fails { Err("no") } else { Ok(()) }));
    let layer = layer().no_consecutive().failure_rate(0.5).unwrap();
    let service = layer.over(SECOND * 10).unwrap().at_least(4).layer(peer);
    let ask = async |fails| drop(service.clone().oneshot(fails).await);
    for _ in 0..3 {
        ask(true).await;
    }
    advance(SECOND * 3_600 * 24 * 365).await;
    ask(true).await;
    assert_eq!(service.handle().state(), State::Closed);
    for _ in 0..3 {
        ask(true).await;
    }
    assert_eq!(service.handle().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_says_nothing_and_frees_its_trial() {
    let peer = service_fn(|hangs: bool| async move {
        if hangs {
            pending::<()>().await;
        }
        Err::<(), BoxError>("refused".into())
    });
    let service = layer().layer(peer);
    for _ in 0..9 {
        timeout(SECOND, service.clone().oneshot(true))
            .await
            .unwrap_err();
    }
    assert_eq!(service.handle().state(), State::Closed);
    for _ in 0..2 {
        service.clone().oneshot(false).await.unwrap_err();
    }
    sleep(SECOND * 10).await;
    timeout(SECOND, service.clone().oneshot(true))
        .await
        .unwrap_err();
    assert_eq!(service.handle().state(), State::Probation);
    assert!(
        open(&service.clone().oneshot(false).await.unwrap_err()).is_none(),
        "a new trial"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_frees_its_trial() {
    let peer = service_fn(|panics: bool| {
        assert!(!panics, "in `call`");
        std::future::ready(Err::<(), BoxError>("refused".into()))
    });
    let service = layer().layer(peer);
    for _ in 0..2 {
        service.clone().oneshot(false).await.unwrap_err();
    }
    sleep(SECOND * 10).await;
    let trial = tokio::spawn(service.clone().oneshot(true)).await;
    assert!(trial.unwrap_err().is_panic());
    assert!(
        open(&service.clone().oneshot(false).await.unwrap_err()).is_none(),
        "a new trial"
    );
}

#[tokio::test(start_paused = true)]
async fn trials_are_bounded() {
    let (peer, trials) = (service_fn(|()| pending::<Result<(), BoxError>>()), 3);
    let layer = layer().probation(5, trials).unwrap();
    let handle = layer.handle();
    let service = layer.layer(peer);
    let failing = layer.layer(probe(fails_first(9)));
    for _ in 0..2 {
        failing.clone().oneshot(()).await.unwrap_err();
    }
    sleep(SECOND * 10).await;
    let mut under_way = Vec::new();
    for _ in 0..trials {
        under_way.push(tokio::spawn(service.clone().oneshot(())));
    }
    tokio::task::yield_now().await;
    assert_eq!(
        open(&service.clone().oneshot(()).await.unwrap_err()),
        Some(None)
    );
    // None of them comes back: what patience is for.
    sleep(SECOND * 60).await;
    assert!(open(&service.clone().oneshot(()).await.unwrap_err()).is_some());
    assert_eq!(handle.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_readiness_does_not_hang_when_it_opens() {
    let layer = layer();
    let hung = layer.layer(slow_to_ready(probe(fails_first(0)), SECOND * 3_600));
    let waits = tokio::spawn(hung.oneshot(()));
    tokio::task::yield_now().await;
    let failing = layer.layer(probe(fails_first(9)));
    for _ in 0..2 {
        failing.clone().oneshot(()).await.unwrap_err();
    }
    let error = timeout(SECOND, waits)
        .await
        .expect("told at once")
        .unwrap()
        .unwrap_err();
    assert!(open(&error).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_holds_no_permit() {
    let layer = layer();
    let handle = layer.handle();
    let limited = ServiceBuilder::new()
        .layer(layer)
        .layer(ConcurrencyLimitLayer::new(1))
        .service(probe(fails_first(0)));
    let mut readied = limited.clone();
    ready_for(&mut readied).await;
    handle.force_open();
    readied.call(()).await.unwrap_err();
    handle.automatic();
    timeout(SECOND, limited.oneshot(()))
        .await
        .expect("the permit is free")
        .unwrap();
    drop(readied);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_was_ready_while_open_never_calls_unready() {
    let layer = layer();
    let handle = layer.handle();
    let peer = probe(fails_first(0));
    let mut service = layer.layer(peer.clone());
    handle.force_open();
    ready_for(&mut service).await;
    handle.automatic();
    assert!(open(&service.call(()).await.unwrap_err()).is_some());
    assert_eq!(
        ready_for(&mut service).await.call(()).await.unwrap(),
        "hello"
    );
    assert_eq!(peer.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handle_forces_shows_and_tells() {
    let layer = layer();
    let (handle, service) = (layer.handle(), layer.layer(probe(fails_first(9))));
    let mut states = handle.subscribe();
    let ((), heard) = events(async {
        handle.force_open();
        assert!(states.has_changed().unwrap());
        assert_eq!(*states.borrow_and_update(), State::ForcedOpen);
        assert_eq!(
            open(&service.clone().oneshot(()).await.unwrap_err()),
            Some(None)
        );
        handle.force_closed();
        for _ in 0..5 {
            assert!(open(&service.clone().oneshot(()).await.unwrap_err()).is_none());
        }
        handle.automatic();
        assert_eq!(
            (handle.state(), *states.borrow()),
            (State::Closed, State::Closed)
        );
        for _ in 0..2 {
            service.clone().oneshot(()).await.unwrap_err();
        }
        sleep(SECOND * 10).await;
        service.clone().oneshot(()).await.unwrap_err();
    })
    .await;
    let want = "forced refused forced closed opened probation opened";
    assert_eq!(heard.join(" ").replace("breaker.", ""), want);
}

#[tokio::test(start_paused = true)]
async fn typed_errors_ask_nothing_of_the_inner_one() {
    #[derive(Debug, PartialEq)]
    struct NoError(std::rc::Rc<()>);
    let peer = service_fn(|()| std::future::ready(Err::<(), _>(NoError(std::rc::Rc::default()))));
    let service = layer().typed().layer(peer);
    for _ in 0..2 {
        let error = service.clone().oneshot(()).await.unwrap_err();
        assert!(matches!(error, BreakerError::Inner(NoError(_))));
    }
    assert!(matches!(
        service.oneshot(()).await,
        Err(BreakerError::Open(Open { .. }))
    ));
}

#[test]
fn knobs_that_cannot_be_are_named() {
    let fields = [
        BreakerLayer::new().consecutive(0).unwrap_err(),
        BreakerLayer::new().failure_rate(50.0).unwrap_err(),
        BreakerLayer::new()
            .slow_calls(SECOND, f64::NAN)
            .unwrap_err(),
        BreakerLayer::new().over_calls(0).unwrap_err(),
        BreakerLayer::new().over(Duration::ZERO).unwrap_err(),
        BreakerLayer::new().over(Duration::MAX).unwrap_err(),
        BreakerLayer::new().jitter(-0.1).unwrap_err(),
        BreakerLayer::new().probation(0, 1).unwrap_err(),
        BreakerLayer::new().probation(1, 0).unwrap_err(),
    ]
    .map(|e| e.field.replace("breaker.", ""));
    let want = "consecutive failure_rate slow_calls over_calls over over jitter \
                probation.trials probation.at_once";
    assert_eq!(fields.join(" "), want);
}

#[tokio::test(start_paused = true)]
async fn its_future_moves_between_threads() {
    let mut service = is_send(layer().layer(probe(fails_first(0))));
    is_send(ready_for(&mut service).await.call(()))
        .await
        .unwrap();
}

/// What is not to be repeated is a failure of the peer's all the same.
#[cfg(feature = "http")]
#[tokio::test(start_paused = true)]
async fn it_opens_at_failures_that_nobody_may_repeat() {
    use murphy_policy::http::HttpClassify;

    let busy = tower::service_fn(async |_: http::Request<()>| {
        let reply = http::Response::builder().status(503).body(());
        Ok::<_, common::BoxError>(reply.unwrap())
    });
    let layer = BreakerLayer::new().classify(HttpClassify::new());
    let handle = layer.handle();
    let service = layer.layer(busy);
    for _ in 0..5 {
        let post = http::Request::post("/").body(()).unwrap();
        assert_eq!(service.clone().oneshot(post).await.unwrap().status(), 503);
    }
    assert_eq!(handle.state(), murphy_policy::breaker::State::Open);
}
