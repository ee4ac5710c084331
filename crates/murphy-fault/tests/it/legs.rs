//! What each fault does to the service, to the caller, and to the ledger.

use std::time::Duration;

use murphy_fault::{Fault, Finding, Leg, Outcome, marker};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use crate::support::{ALWAYS, Echo, SITE, arm, chaos, fixed, ms, refusal, within};

/// One call of request 7 under `fault`: (began, ended) when the caller is answered or gives up
/// after 10 s, what it saw and when, and the ledger's outcome once all is quiet.
async fn one_call(fault: Fault) -> (u64, u64, Option<Result<u64, String>>, Duration, Outcome) {
    let (chaos, echo) = (chaos(), Echo::taking(ms(10)));
    let layer = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .refusing(refusal)
        .altering_requests(|r: &mut u64, _| *r += 100)
        .altering_replies(|r: &mut u64, _| *r += 1000);
    let service = layer.layer(echo.clone());
    let armed = arm(&chaos, [fault]);
    let start = Instant::now();
    let saw = within(ms(10_000), service.oneshot(7)).await;
    let took = start.elapsed();
    tokio::time::sleep(ms(10_000)).await;
    let record = armed.ledger().records().remove(0);
    assert_eq!(record.finding, Finding::Injected);
    (
        echo.began(),
        echo.ended(),
        saw.map(|r| r.map_err(|e| marker(&*e).map_or("real", |_| "refused").to_string())),
        took,
        record.outcome,
    )
}

#[tokio::test(start_paused = true)]
async fn each_fault_does_what_the_table_says() {
    let refused = || Some(Err("refused".to_string()));
    let silence = ms(10_000);
    let bound = ms(500);
    for (name, fault, began, ended, saw, took, outcome) in [
        (
            "slow wire",
            Fault::latency(fixed(100), ALWAYS),
            1,
            1,
            Some(Ok(7)),
            ms(110),
            Outcome::Delivered,
        ),
        (
            "slow server",
            Fault::slow_server(fixed(100), ALWAYS),
            1,
            1,
            Some(Ok(7)),
            ms(110),
            Outcome::Delivered,
        ),
        (
            "slow reply",
            Fault::slow_reply(fixed(100), ALWAYS),
            1,
            1,
            Some(Ok(7)),
            ms(110),
            Outcome::Delivered,
        ),
        (
            "lost request",
            Fault::lost_request(ALWAYS),
            0,
            0,
            None,
            silence,
            Outcome::NeverRan,
        ),
        (
            "lost reply",
            Fault::lost_reply(ALWAYS),
            1,
            1,
            None,
            silence,
            Outcome::Ran,
        ),
        (
            "lost, given up",
            Fault::lost_request(ALWAYS).giving_up(ms(300)),
            0,
            0,
            refused(),
            ms(300),
            Outcome::NeverRan,
        ),
        (
            "lost reply, given up",
            Fault::lost_reply(ALWAYS).giving_up(ms(300)),
            1,
            1,
            refused(),
            ms(300),
            Outcome::Ran,
        ),
        (
            "lost reply, given up early",
            Fault::lost_reply(ALWAYS).giving_up(ms(5)),
            1,
            1,
            refused(),
            ms(5),
            Outcome::Ran,
        ),
        (
            "refused",
            Fault::refused(ALWAYS),
            0,
            0,
            refused(),
            ms(0),
            Outcome::Refused,
        ),
        (
            "refused after",
            Fault::refused_after_work(ALWAYS),
            1,
            1,
            refused(),
            ms(10),
            Outcome::Refused,
        ),
        (
            "duplicate",
            Fault::duplicate(fixed(100), ALWAYS),
            2,
            2,
            Some(Ok(7)),
            ms(10),
            Outcome::Ran,
        ),
        (
            "duplicate, last",
            Fault::duplicate(fixed(100), ALWAYS).keeping_last(),
            2,
            2,
            Some(Ok(7)),
            ms(110),
            Outcome::Ran,
        ),
        (
            "reordered",
            Fault::reorder(Leg::Request, 1, bound, ALWAYS),
            1,
            1,
            Some(Ok(7)),
            ms(510),
            Outcome::Delivered,
        ),
        (
            "reordered reply",
            Fault::reorder(Leg::Reply, 1, bound, ALWAYS),
            1,
            1,
            Some(Ok(7)),
            ms(510),
            Outcome::Delivered,
        ),
        (
            "altered",
            Fault::altered_request(ALWAYS),
            1,
            1,
            Some(Ok(107)),
            ms(10),
            Outcome::Delivered,
        ),
        (
            "a lie",
            Fault::altered_reply(ALWAYS),
            1,
            1,
            Some(Ok(1007)),
            ms(10),
            Outcome::Delivered,
        ),
    ] {
        let got = one_call(fault).await;
        assert_eq!(got, (began, ended, saw, took, outcome), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn delays_of_all_three_places_add_up() {
    let (chaos, echo) = (chaos(), Echo::default());
    let service = chaos.site(SITE).layer().layer(echo);
    let _armed = arm(
        &chaos,
        [
            Fault::latency(fixed(10), ALWAYS),
            Fault::slow_server(fixed(200), ALWAYS),
            Fault::slow_reply(fixed(3000), ALWAYS),
        ],
    );
    let start = Instant::now();
    service.oneshot(1).await.unwrap();
    assert_eq!(start.elapsed(), ms(3210));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_before_the_work_never_reaches_a_slow_server() {
    let (chaos, echo) = (chaos(), Echo::default());
    let layer = chaos.site(SITE).layer().refusing(refusal);
    let service = layer.layer(echo.clone());
    let slow = Fault::slow_server(fixed(200), ALWAYS);
    let _armed = arm(&chaos, [slow, Fault::refused(ALWAYS)]);
    let start = Instant::now();
    let refused = service.oneshot(1).await.unwrap_err();
    assert!(marker(&*refused).is_some());
    assert_eq!((echo.began(), start.elapsed()), (0, ms(0)));
}

#[tokio::test(start_paused = true)]
async fn a_held_request_comes_after_those_that_passed_it() {
    let (chaos, echo) = (chaos(), Echo::default());
    let service = chaos.site(SITE).layer().layer(echo.clone());
    let _armed = arm(
        &chaos,
        [Fault::reorder(
            Leg::Request,
            2,
            ms(60_000),
            murphy_fault::Select::First(1),
        )],
    );
    let calls: Vec<_> = (0..4)
        .map(|n| {
            let call = service.clone();
            tokio::spawn(async move {
                tokio::time::sleep(ms(n)).await;
                call.oneshot(n).await
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(echo.seen(), [1, 2, 0, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_no_later_call_that_lets_its_original_go() {
    let (chaos, echo) = (chaos(), Echo::default());
    let service = chaos.site(SITE).layer().duplicating().layer(echo.clone());
    let _armed = arm(
        &chaos,
        [
            Fault::duplicate(fixed(50), ALWAYS),
            Fault::reorder(Leg::Request, 1, ms(500), ALWAYS),
        ],
    );
    let start = Instant::now();
    service.oneshot(1).await.unwrap();
    assert_eq!((echo.began(), start.elapsed()), (2, ms(500)));
}

#[tokio::test(start_paused = true)]
async fn a_held_reply_comes_after_those_that_passed_it() {
    let (chaos, echo) = (chaos(), Echo::default());
    let service = chaos.site(SITE).layer().layer(echo);
    let _armed = arm(
        &chaos,
        [Fault::reorder(
            Leg::Reply,
            2,
            ms(60_000),
            murphy_fault::Select::First(1),
        )],
    );
    let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let calls: Vec<_> = (0..4)
        .map(|n| {
            let (call, order) = (service.clone().oneshot(n), order.clone());
            tokio::spawn(async move {
                call.await.unwrap();
                order.lock().unwrap().push(n);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    // Two passed the held one; who passes last runs on while the other is woken.
    let order = order.lock().unwrap().clone();
    let place = |n| order.iter().position(|o| *o == n).unwrap();
    assert!(place(0) > place(1) && place(0) > place(2), "{order:?}");
    tokio::time::sleep(Duration::ZERO).await;
}

/// In what order four calls of one moment come to the service, and hear from it.
async fn order_under(fault: Fault) -> (Vec<u64>, Vec<u64>) {
    let chaos = chaos();
    let [came, heard] = [(); 2].map(|()| std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
    let comes = came.clone();
    let service = chaos
        .site(SITE)
        .layer()
        .keyed_by(|n: &u64| *n)
        .layer(tower::service_fn(move |n: u64| {
            comes.lock().unwrap().push(n);
            async move { Ok::<_, tower::BoxError>(n) }
        }));
    let armed = arm(&chaos, [fault]);
    let start = Instant::now();
    let calls = (0..4).map(|n| {
        let (call, heard) = (service.clone().oneshot(n), heard.clone());
        tokio::spawn(async move {
            call.await.unwrap();
            heard.lock().unwrap().push(n);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "no time passes");
    let record = armed.ledger().records().remove(0);
    assert_eq!((record.kind.as_str(), record.magnitude), ("yield", None));
    assert_eq!(record.outcome, Outcome::Delivered);
    let [came, heard] = [came, heard].map(|order| order.lock().unwrap().clone());
    (came, heard)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_yields_lets_those_who_are_ready_go_first() {
    let first = || murphy_fault::Select::First(1);
    let (straight, last) = (vec![0, 1, 2, 3], vec![1, 2, 3, 0]);
    let request = order_under(Fault::yielding(Leg::Request, 1, first())).await;
    assert_eq!(request, (last.clone(), last.clone()));
    let reply = order_under(Fault::yielding(Leg::Reply, 1, first())).await;
    assert_eq!(reply, (straight, last), "its work was done in its turn");
    // More turns change nothing where nobody is left: and they are bounded.
    let many = order_under(Fault::yielding(Leg::Reply, u32::MAX, first())).await;
    assert_eq!(many, reply);
}

#[tokio::test(start_paused = true)]
async fn the_last_reply_is_that_of_the_copy() {
    let chaos = chaos();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let service = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .layer(tower::service_fn(move |_: u64| {
            let nth = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async move { Ok::<_, tower::BoxError>(nth) }
        }));
    let armed = arm(&chaos, [Fault::duplicate(fixed(50), ALWAYS).keeping_last()]);
    assert_eq!(service.clone().oneshot(7).await.unwrap(), 1);
    drop(armed);
    let _armed = arm(&chaos, [Fault::duplicate(fixed(50), ALWAYS)]);
    assert_eq!(service.oneshot(7).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lie_is_in_the_reply_that_the_caller_sees() {
    let chaos = chaos();
    let layer = chaos.site(SITE).layer().duplicating();
    let service = layer
        .altering_replies(|r: &mut u64, _| *r += 1000)
        .layer(Echo::default());
    let copied = Fault::duplicate(fixed(50), ALWAYS).keeping_last();
    let _armed = arm(&chaos, [copied, Fault::altered_reply(ALWAYS)]);
    assert_eq!(service.oneshot(7).await.unwrap(), 1007);
}

#[tokio::test(start_paused = true)]
async fn what_is_masked_gives_nothing_up() {
    let (chaos, echo) = (chaos(), Echo::default());
    let layer = chaos.site(SITE).layer().refusing(refusal);
    let service = layer.layer(echo);
    let _armed = arm(
        &chaos,
        [
            Fault::lost_request(ALWAYS).giving_up(ms(400)),
            Fault::lost_reply(ALWAYS).giving_up(ms(300)),
        ],
    );
    let start = Instant::now();
    let refused = service.oneshot(1).await.unwrap_err();
    assert_eq!(start.elapsed(), ms(400));
    assert_eq!(&*marker(&*refused).unwrap().fault, "lost-request");
}
