//! What a caller does about it, over what goes wrong: deadline, retry and timeout above the layer.

use std::time::Duration;

use murphy_core::{Distribution, Draw, Key, Probability, Scope, Seed};
use murphy_fault::{Chaos, Fault, FaultLayer, Marker, Outcome, Plan, TimeLimit, refuse};
use murphy_policy::{
    Backoff, DeadlineLayer, Elapsed, Expired, RetryError, RetryLayer, TimeoutLayer, find,
};
use tests::{Arrivals, SITE, ms, quiet};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const ALWAYS: Probability = Probability::ALWAYS;
const SECOND: Duration = Duration::from_secs(1);

fn p(x: f64) -> Probability {
    Probability::try_new(x).unwrap()
}

fn plan(faults: impl IntoIterator<Item = Fault>) -> Plan {
    faults
        .into_iter()
        .fold(Plan::new(), |plan, fault| plan.with(SITE, fault))
}

/// Charges an order: takes 10 ms, and says who came.
fn payments(
    arrivals: &Arrivals,
) -> impl Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Send + 'static {
    let arrivals = arrivals.clone();
    service_fn(move |order: u64| {
        let charged = arrivals.note(order);
        async move {
            tokio::time::sleep(ms(10)).await;
            Ok(charged)
        }
    })
}

/// Three attempts, with waits of one second and two between them.
fn three_attempts() -> RetryLayer {
    let unjittered = Backoff::exponential(SECOND, Duration::from_secs(60));
    RetryLayer::new().attempts(3).unwrap().pace(unjittered)
}

/// The chapter's `RobustNetworkClient(timeout = 500 ms, max_retries = 3)`.
#[tokio::test(start_paused = true)]
async fn three_lost_requests_are_waited_for_one_second_and_two() {
    let (chaos, arrivals) = (Chaos::new(Seed::new(42)), Arrivals::default());
    let client = ServiceBuilder::new()
        .layer(three_attempts())
        .layer(TimeoutLayer::new(ms(500)))
        .layer(chaos.site(SITE).layer())
        .service(payments(&arrivals));
    let armed = chaos
        .arm(&plan([Fault::lost_request(ALWAYS)]), TimeLimit::None)
        .unwrap();
    let start = Instant::now();
    let error = client.oneshot(7).await.unwrap_err();

    let gave_up = find::<RetryError<BoxError>>(&*error);
    assert!(
        matches!(gave_up, Some(RetryError::Exhausted { attempts: 3, .. })),
        "{error}"
    );
    assert_eq!(find::<Elapsed>(&*error).unwrap().timeout(), ms(500));
    assert_eq!(start.elapsed(), 3 * ms(500) + 3 * SECOND);
    let sent: Vec<Duration> = armed.ledger().records().iter().map(|r| r.at).collect();
    assert_eq!(sent, [ms(0), ms(1_500), ms(4_000)]);
    assert_eq!(arrivals.take(), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn three_lost_replies_charge_three_times() {
    let (chaos, arrivals) = (Chaos::new(Seed::new(42)), Arrivals::default());
    let client = ServiceBuilder::new()
        .layer(three_attempts())
        .layer(TimeoutLayer::new(ms(5)))
        .layer(chaos.site(SITE).layer())
        .service(payments(&arrivals));
    let armed = chaos
        .arm(&plan([Fault::lost_reply(ALWAYS)]), TimeLimit::None)
        .unwrap();
    let error = client.oneshot(7).await.unwrap_err();
    // The same words as for three lost requests: only the service and the ledger know.
    assert!(find::<Elapsed>(&*error).is_some(), "{error}");
    quiet(&armed.ledger()).await;
    assert_eq!(arrivals.take(), [7, 7, 7]);
    let outcomes = armed.ledger().records().into_iter().map(|r| r.outcome);
    assert!(outcomes.eq([Outcome::Ran; 3]));
}

#[tokio::test(start_paused = true)]
async fn the_second_attempt_gets_through_and_charges_again() {
    let (chaos, arrivals) = (Chaos::new(Seed::new(42)), Arrivals::default());
    let client = ServiceBuilder::new()
        .layer(three_attempts())
        .layer(TimeoutLayer::new(ms(500)))
        .layer(chaos.site(SITE).layer())
        .service(payments(&arrivals));
    let first = Fault::lost_reply(murphy_fault::Select::First(1));
    let _armed = chaos.arm(&plan([first]), TimeLimit::None).unwrap();
    assert_eq!(client.oneshot(7).await.unwrap(), 17, "the second charge");
    assert_eq!(arrivals.take(), [7, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_stack_over_a_limit_of_one_loses_no_permit() {
    let (chaos, arrivals) = (Chaos::new(Seed::new(42)), Arrivals::default());
    let client = ServiceBuilder::new()
        .layer(DeadlineLayer::new(10 * SECOND))
        .layer(three_attempts().no_budget())
        .layer(TimeoutLayer::new(ms(500)))
        .layer(
            chaos
                .site(SITE)
                .layer()
                .duplicating()
                .refusing(refuse::boxed),
        )
        .layer(ConcurrencyLimitLayer::new(1))
        .service(payments(&arrivals));
    for fault in [
        Fault::latency(Distribution::fixed(ms(100)), ALWAYS),
        Fault::slow_server(Distribution::fixed(ms(10)), ALWAYS),
        Fault::slow_reply(Distribution::fixed(ms(100)), ALWAYS),
        Fault::lost_request(p(0.4)),
        Fault::lost_reply(p(0.4)),
        Fault::refused(p(0.4)),
        Fault::refused_after_work(p(0.4)),
        Fault::duplicate(Distribution::fixed(ms(100)), ALWAYS),
    ] {
        let name = fault.name().to_owned();
        let armed = chaos.arm(&plan([fault]), TimeLimit::None).unwrap();
        let mut calls = JoinSet::new();
        for n in 0..20 {
            let client = client.clone();
            calls.spawn(async move { client.oneshot(n).await });
        }
        let replies = calls.join_all().await;
        let won = replies.iter().filter(|reply| reply.is_ok()).count();
        assert!(won >= 15, "{name}: {won} of 20, {replies:?}");
        quiet(&armed.ledger()).await;
        let ledger = armed.disarm();
        assert!(!ledger.records().is_empty(), "{name} fires");
        // Nobody holds the one permit any more.
        let start = Instant::now();
        client.clone().oneshot(99).await.unwrap();
        assert_eq!(start.elapsed(), ms(10), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_what_retries_would_not() {
    let chaos = Chaos::new(Seed::new(42));
    let client = ServiceBuilder::new()
        .layer(DeadlineLayer::new(ms(2_000)))
        .layer(three_attempts())
        .layer(TimeoutLayer::new(ms(500)))
        .layer(chaos.site(SITE).layer())
        .service(payments(&Arrivals::default()));
    let _armed = chaos
        .arm(&plan([Fault::lost_request(ALWAYS)]), TimeLimit::None)
        .unwrap();
    let start = Instant::now();
    let error = client.oneshot(7).await.unwrap_err();
    // 500 ms, a second, and then the deadline comes before the timeout, or at the same time.
    let late = find::<Expired>(&*error).is_some();
    let told = matches!(
        find(&*error),
        Some(RetryError::<BoxError>::Deadline { attempts: 2, .. })
    );
    assert!(late || told, "{error}");
    assert_eq!(start.elapsed(), ms(2_000));
}

#[tokio::test(start_paused = true)]
async fn the_callers_key_reaches_the_fault_through_the_policies() {
    let chaos = Chaos::new(Seed::new(42));
    let client = ServiceBuilder::new()
        .layer(DeadlineLayer::new(60 * SECOND))
        .layer(three_attempts())
        .layer(TimeoutLayer::new(ms(500)))
        .layer(chaos.site(SITE).layer())
        .service(payments(&Arrivals::default()));
    let armed = chaos
        .arm(&plan([Fault::lost_request(ALWAYS)]), TimeLimit::None)
        .unwrap();
    let call = Scope::current()
        .with_key("order-7")
        .enter(client.oneshot(7));
    assert!(call.await.is_err());
    let seen: Vec<_> = armed
        .ledger()
        .records()
        .iter()
        .map(|r| (r.keyed, r.key, r.occurrence))
        .collect();
    assert_eq!(
        seen,
        [0, 1, 2].map(|attempt| (true, Key::from("order-7"), attempt))
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_twice_is_the_same_transcript() {
    async fn run(seed: u64) -> (Vec<u8>, Vec<u64>, Vec<String>) {
        let (chaos, arrivals) = (Chaos::new(Seed::new(seed)), Arrivals::default());
        let client = ServiceBuilder::new()
            .layer(DeadlineLayer::new(5 * SECOND))
            .layer(RetryLayer::new().attempts(4).unwrap().seed(seed))
            .layer(TimeoutLayer::new(ms(200)))
            .layer(
                chaos
                    .site(SITE)
                    .layer()
                    .duplicating()
                    .refusing(refuse::boxed),
            )
            .layer(ConcurrencyLimitLayer::new(4))
            .service(payments(&arrivals));
        let slow = || Distribution::log_normal(ms(40), 0.8).unwrap();
        let plan = plan([
            Fault::latency(slow(), p(0.5)),
            Fault::slow_server(slow(), p(0.1)),
            Fault::lost_request(p(0.1)),
            Fault::lost_reply(p(0.1)),
            Fault::refused(p(0.1)),
            Fault::duplicate(slow(), p(0.2)),
        ]);
        let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
        let mut calls = JoinSet::new();
        for n in 0..60u64 {
            let call = client.clone().oneshot(n);
            calls.spawn(
                Scope::current()
                    .with_key(n)
                    .enter(async move { format!("{n}: {:?}", call.await) }),
            );
        }
        let mut saw = Vec::new();
        while let Some(reply) = calls.join_next().await {
            saw.push(reply.unwrap());
        }
        quiet(&armed.ledger()).await;
        let mut text = Vec::new();
        armed.ledger().write_json_lines(&mut text).unwrap();
        (text, arrivals.take(), saw)
    }
    let one = run(7).await;
    assert!(one.1.len() > 60, "some came twice");
    assert_eq!(one, run(7).await);
    assert_ne!(one, run(8).await);
}

/// Closures over references must be general over their lifetimes: this compiles, or it does not.
/// Inside an `async` block the compiler forgets that a `BoxError` is `'static` (rust-lang/rust
/// #110338): a closure that returns one does not fit any more. A named function does, and so does
/// a call that is made outside.
#[tokio::test(start_paused = true)]
async fn a_stack_with_every_ability_can_be_spawned() {
    let chaos = Chaos::new(Seed::new(42));
    let layer: FaultLayer = chaos.site(SITE).layer();
    let abilities = layer
        .keyed_by(|order: &u64| *order)
        .matching(|order: &u64, word: &str| word == "large" && *order > 100)
        .duplicating_with(|order: &u64| Some(*order))
        .altering_requests(|order: &mut u64, draw: Draw| *order ^= draw.bits())
        .altering_replies(|charged: &mut u64, _: Draw| *charged += 1)
        .failing_on(|charged: &u64| *charged == 0);
    let policies = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND))
        .layer(RetryLayer::new())
        .layer(TimeoutLayer::new(SECOND));

    let named = policies
        .clone()
        .layer(abilities.clone().refusing(refuse::boxed));
    let stack = named.service(payments(&Arrivals::default()));
    let call = tokio::spawn(async move { stack.oneshot(7).await });
    assert_eq!(call.await.unwrap().unwrap(), 7);

    let refusing = |marker: &Marker| Err::<u64, BoxError>(marker.clone().into());
    let stack = policies
        .layer(abilities.refusing(refusing))
        .service(payments(&Arrivals::default()));
    assert_eq!(tokio::spawn(stack.oneshot(7)).await.unwrap().unwrap(), 7);

    // Boxed refusals are general over the box's lifetime, even in front of a closure.
    let stack = chaos.site(SITE).layer().refusing_boxed();
    let stack = stack.layer(service_fn(|n: u64| async move { Ok::<_, BoxError>(n) }));
    let call = tokio::spawn(async move { stack.oneshot(7).await });
    assert_eq!(call.await.unwrap().unwrap(), 7);

    let site = chaos.site("api->db");
    let query = tokio::spawn(async move {
        let rows = site
            .run("order-7", || async { Ok::<u64, BoxError>(3) })
            .duplicating();
        rows.refusing(|marker: &Marker| Err::<u64, BoxError>(marker.clone().into()))
            .await
    });
    assert_eq!(query.await.unwrap().unwrap(), 3);
}
