//! Real time, and a real server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::Request;
use axum::routing::post;
use axum::{Router, body::Body};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use murphy_chaos::core::Key;
use murphy_chaos::fault::Grade;
use murphy_chaos::{
    Budget, Kind, Menu, Promise, RealTime, Stage, Verdict, World, always, sometimes,
};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt};

use crate::support::{Counter, exploring};

/// Long, for a machine with better things to do; each lost message is waited for so long.
const PATIENCE: Duration = Duration::from_millis(500);
const HORIZON: Duration = Duration::from_millis(300);

/// A payment service on a port of its own. With `keyed` it charges once what comes again.
async fn payment(charged: Counter, keyed: bool) -> std::io::Result<SocketAddr> {
    let seen = Arc::new(AtomicU32::new(0));
    let charge = async move |State(charged): State<Counter>, Path(bit): Path<u32>| {
        let is_new = seen.fetch_or(1 << bit, SeqCst) & (1 << bit) == 0;
        if is_new || !keyed {
            charged.add();
        }
    };
    let router = Router::new()
        .route("/charge/{order}", post(charge))
        .with_state(charged);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Two orders, each charged again if nothing is heard.
async fn charges(w: World, keyed: bool) -> std::io::Result<()> {
    let charged = Counter::default();
    let address = payment(charged.clone(), keyed).await?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let order = |request: &Request<Body>| Key::from(request.uri().path());
    let client = w
        .site("shop->payment")
        .layer()
        .keyed_by(order)
        .layer(client);
    for order in 0..2 {
        for _attempt in 0..2 {
            let request = Request::post(format!("http://{address}/charge/{order}"));
            let request = request.body(Body::empty()).expect("a request");
            let charge = client.clone().oneshot(request);
            if timeout(PATIENCE, charge).await.is_ok() {
                break;
            }
        }
    }
    let times = charged.get();
    sometimes!(times == 2, "both are charged");
    always!(times <= 2, "an order is charged once", "{times} charges");
    Ok(())
}

fn menu() -> Menu {
    Menu::only([Kind::LostRequest, Kind::LostReply]).calls_only()
}

#[test]
fn a_bug_of_a_real_server_is_found_by_singles_and_confirmed() {
    let confirmed = RealTime::new().confirm(2, 3).expect("it can be");
    let explored = exploring("real-bug", 40).menu(menu()).real_time(confirmed);
    let outcome = explored.clone().failures(1).run(|w| charges(w, false));
    assert_eq!(outcome.verdict, Verdict::Failed, "{outcome}");
    assert_eq!(outcome.grade, Grade::Keyed, "{outcome}");
    let failure = &outcome.failures[0];
    assert_eq!(failure.stage, Stage::Singles, "{outcome}");
    let kinds: Vec<_> = failure.injections.iter().map(|i| i.kind()).collect();
    assert_eq!(kinds, ["lost-reply"], "{outcome}");
    assert!(failure.confirmed >= 2 && failure.of <= 3, "{outcome}");
    assert!(outcome.to_string().contains("in real time, grade keyed"));

    // Another process would have its code.
    let again = explored.replay(failure.code.clone());
    let again = again.run(|w| charges(w, false));
    assert_eq!(again.failures[0].fingerprint(), failure.fingerprint());
}

#[test]
fn a_real_server_without_the_bug_is_green() {
    // The singles, and two pairs.
    let explored = exploring("real-fixed", 8).menu(menu());
    let outcome = explored
        .real_time(RealTime::new())
        .run(|w| charges(w, true));
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
    let stages: Vec<_> = outcome.phases.iter().map(|p| p.stage).collect();
    assert!(!stages.contains(&Stage::Orders), "{outcome}");
}

/// Breaks its promise in the runs of these numbers, from 1 on: the first two learn the sites.
fn in_runs(numbers: &'static [u32], confirm: RealTime, name: &str) -> murphy_chaos::Outcome {
    let runs = AtomicU32::new(0);
    let explored = exploring(name, 4).menu(Menu::only([Kind::LostRequest]).calls_only());
    explored.real_time(confirm).run(|w: World| {
        let fails = numbers.contains(&(runs.fetch_add(1, SeqCst) + 1));
        async move {
            let call = w.site("api->pay").run(17u64, async || ());
            let _ = timeout(Duration::from_millis(20), call).await;
            always!(!fails, "it works");
        }
    })
}

#[test]
fn what_comes_again_once_of_three_times_is_unconfirmed_and_no_failure() {
    let two_of_three = RealTime::new().confirm(2, 3).expect("it can be");
    let outcome = in_runs(&[3, 4], two_of_three, "real-flaky");
    assert_eq!(outcome.failures.len(), 0, "{outcome}");
    assert_eq!(
        (outcome.verdict, outcome.exit_code()),
        (Verdict::Undecided, 2)
    );
    let [unconfirmed] = &outcome.unconfirmed[..] else {
        panic!("one, and not {outcome}");
    };
    assert_eq!((unconfirmed.confirmed, unconfirmed.of), (1, 3), "{outcome}");
    assert!(outcome.to_string().contains("UNCONFIRMED SAFETY: it works"));

    let one_of_three = RealTime::new().confirm(1, 3).expect("it can be");
    let outcome = in_runs(&[3, 4], one_of_three, "real-once");
    assert_eq!(outcome.verdict, Verdict::Failed, "{outcome}");
    assert_eq!(
        (outcome.failures[0].confirmed, outcome.failures[0].of),
        (1, 1)
    );
}

/// A hiccup while it learns is one; then it goes on.
#[test]
fn a_run_without_faults_that_fails_once_is_made_again() {
    let outcome = in_runs(&[2], RealTime::new(), "real-hiccup");
    assert_eq!(outcome.unconfirmed.len(), 1, "{outcome}");
    let singles = outcome.phases.iter().find(|p| p.stage == Stage::Singles);
    assert_eq!(singles.map(|p| p.tried), Some(1), "{outcome}");
}

#[test]
fn a_budget_of_real_time_ends_it_and_what_was_not_tried_is_no_pass() {
    let menu = Menu::only([Kind::LostRequest]).calls_only();
    let explored = exploring("real-budget", 1).menu(menu);
    let explored = explored.budget(Budget::time(Duration::from_secs(2)));
    let outcome = explored.real_time(RealTime::new()).run(async |w: World| {
        for key in 1..=100u64 {
            let call = w.site("api->pay").run(key, async || ());
            let _ = timeout(Duration::from_millis(20), call).await;
        }
        sleep(Duration::from_millis(100)).await;
    });
    assert_eq!(outcome.verdict, Verdict::Undecided, "{outcome}");
    let singles = outcome.phases.iter().find(|p| p.stage == Stage::Singles);
    let singles = singles.expect("some were tried");
    assert!(singles.tried < 100 && singles.of == Some(100), "{outcome}");
}

#[test]
fn silence_without_end_is_cut_by_a_horizon_of_real_time() {
    let explored = exploring("real-silence", 10).menu(menu()).failures(1);
    let explored = explored.storm(HORIZON).horizon(HORIZON);
    let outcome = explored
        .real_time(RealTime::new())
        .run(async |w: World| w.site("api->pay").run(17u64, async || ()).await);
    let violation = &outcome.failures[0].violation;
    assert_eq!(violation.promise, Promise::Liveness, "{outcome}");
    assert!(violation.at >= HORIZON, "{outcome}");
}

#[test]
fn a_promise_can_be_broken_on_another_thread() {
    let explored = exploring("real-threads", 10).menu(menu()).failures(1);
    let outcome = explored
        .real_time(RealTime::new().threads(2))
        .run(async |w: World| {
            let (world, heard) = (w.clone(), Counter::default());
            let count = heard.clone();
            let call = w
                .site("api->pay")
                .run(17u64, move || async move { count.add() });
            let _ = timeout(PATIENCE, call).await;
            let told = tokio::spawn(async move {
                world.always(heard.get() == 1, "the call arrives", String::new);
            });
            told.await.expect("it does not panic");
        });
    assert_eq!(outcome.verdict, Verdict::Failed, "{outcome}");
    assert_eq!(outcome.failures[0].injections[0].kind(), "lost-request");
}

/// Both replicas have to be told, and one is enough: it takes two losses, and they are shrunk to no fewer.
#[test]
fn a_bug_of_two_faults_is_found_in_real_time_too() {
    let menu = Menu::only([Kind::LostRequest]).calls_only();
    let explored = exploring("real-pair", 20).menu(menu).failures(1);
    let outcome = explored.real_time(RealTime::new()).run(async |w: World| {
        let mut stored = 0;
        for replica in ["a", "b", "c"] {
            let store = w.site(&format!("api->{replica}")).run(17u64, async || ());
            stored += u32::from(timeout(HORIZON, store).await.is_ok());
        }
        always!(stored > 1, "what was acknowledged is stored");
    });
    let failure = &outcome.failures[0];
    assert_eq!(failure.stage, Stage::Pairs, "{outcome}");
    assert_eq!(failure.injections.len(), 2, "{outcome}");
    assert!(failure.is_minimal, "{outcome}");
}
