//! Real axum services over an in-memory transport.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use murphy_chaos::{Client, Kind, Menu, Verdict, World, always, sometimes};
use tokio::time::timeout;

use crate::support::{Counter, exploring};

const PATIENCE: Duration = Duration::from_secs(5);

fn shop(sold: Counter) -> Router {
    Router::new()
        .route(
            "/sold",
            get(|State(sold): State<Counter>| async move { Json(sold.get()) }),
        )
        .route(
            "/sell",
            post(|State(sold): State<Counter>, body: String| async move {
                sold.add();
                (StatusCode::CREATED, body)
            }),
        )
        .with_state(sold)
}

/// Sells one, and asks how many were sold.
async fn sells(client: Client) {
    for _ in 0..3 {
        let sale = timeout(PATIENCE, client.post("/sell", "a book")).await;
        let Ok(Ok(sale)) = sale else { continue };
        always!(
            sale.status == StatusCode::CREATED,
            "it is created",
            "{}",
            sale.status
        );
        always!(sale.text() == "a book", "what was sold comes back");
    }
    if let Ok(Ok(count)) = timeout(PATIENCE, client.get("/sold")).await {
        sometimes!(count.text() == "3", "three are sold");
    }
}

#[test]
fn a_real_axum_service_answers_over_both_versions_of_http() {
    for http2 in [false, true] {
        let name = format!("shop-{http2}");
        let outcome = exploring(&name, 400).run(async |w: World| {
            w.serve("shop", shop(Counter::default()));
            let client = w.client("shop");
            sells(if http2 { client.http2() } else { client }).await;
        });
        assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
        assert_eq!(outcome.calls, 4, "{outcome}");
    }
}

#[test]
fn a_lost_reply_runs_the_handler_and_a_lost_request_does_not() {
    let menu = Menu::only([Kind::LostRequest, Kind::LostReply]).calls_only();
    let outcome = exploring("legs", 50)
        .menu(menu)
        .failures(9)
        .run(async |w: World| {
            let sold = Counter::default();
            w.serve("shop", shop(sold.clone()));
            let client = w.client("shop");
            let heard = timeout(PATIENCE, client.post("/sell", "a book"))
                .await
                .is_ok();
            always!(heard || sold.get() == 0, "what is not heard is not sold");
            always!(
                heard || sold.get() == 1,
                "what is not heard is sold all the same"
            );
        });
    let causes: Vec<_> = (outcome.failures.iter())
        .map(|f| (f.violation.name.as_str(), f.injections[0].kind()))
        .collect();
    assert_eq!(
        causes,
        [
            ("what is not heard is sold all the same", "lost-request"),
            ("what is not heard is not sold", "lost-reply"),
        ]
    );
}

#[test]
fn copies_share_a_key_and_the_header_names_it() {
    let menu = Menu::only([Kind::Duplicate]).calls_only();
    let outcome = exploring("copies", 50).menu(menu).run(async |w: World| {
        let sold = Counter::default();
        w.serve("shop", shop(sold.clone()));
        let mut client = w.client("shop");
        let request = axum::http::Request::post("/sell")
            .header("idempotency-key", "order-17")
            .body(axum::body::Body::from("a book"));
        let call = tower::Service::call(&mut client, request.expect("a request"));
        let _ = timeout(PATIENCE, call).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        always!(sold.get() == 1, "it is sold once", "{} times", sold.get());
    });
    let key = murphy_chaos::core::Key::from("order-17");
    let told = outcome.failures[0].injections[0].to_string();
    assert!(
        told.contains(&format!("duplicate: passage 0 of key {key}")),
        "{told}"
    );
}

#[test]
fn a_crash_breaks_the_connection_and_drops_the_handler() {
    let menu = Menu::only([]).outages([Duration::from_secs(1)]).steps([]);
    let outcome = exploring("crash", 200)
        .menu(menu)
        .failures(9)
        .run(async |w: World| {
            let (begun, ended) = (Counter::default(), Counter::default());
            let (b, e) = (begun.clone(), ended.clone());
            let slow = Router::new().route(
                "/",
                post(move || async move {
                    b.add();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    e.add();
                }),
            );
            w.serve("shop", slow);
            let client = w.client("shop");
            let call = client.post("/", "");
            let reply = timeout(Duration::from_secs(60), call).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            let broken = matches!(reply, Ok(Err(_)));
            sometimes!(
                broken && begun.get() > ended.get(),
                "a crash dropped the handler"
            );
            sometimes!(matches!(&reply, Ok(Ok(_))), "it is answered");
        });
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
}

#[test]
fn nobody_serves_is_an_error_that_says_so() {
    let outcome = exploring("nobody", 50).run(async |w: World| {
        let client = w.client("shop");
        if let Ok(reply) = timeout(PATIENCE, client.get("/")).await {
            let error = reply.unwrap_err().to_string();
            sometimes!(error.contains("nobody serves `shop`"), "it says so");
        }
    });
    assert!(
        outcome.failures.is_empty() && outcome.gaps.is_empty(),
        "{outcome}"
    );
    assert!(outcome.marks["it says so"].held > 0, "{outcome}");
}

/// A reply whose head arrives, and whose body does not: the work was done, and nobody may take it for an answer.
#[test]
fn a_body_breaks_or_stalls_after_its_head() {
    let kinds = [Kind::ResetReply, Kind::StalledReply];
    let menu = Menu::only(kinds).calls_only();
    let explored = exploring("bodies", 50).menu(menu).failures(9);
    let outcome = explored.run(async |w: World| {
        w.serve("shop", shop(Counter::default()));
        let client = w.client("shop");
        match timeout(PATIENCE, client.post("/sell", "a book")).await {
            Ok(Ok(sale)) => _ = always!(sale.text() == "a book", "an answer is whole"),
            Ok(Err(error)) => _ = always!(false, "it is not broken", "{error}"),
            Err(_) => _ = always!(false, "it is not silent"),
        }
    });
    let causes: Vec<_> = (outcome.failures.iter())
        .map(|f| (f.violation.name.as_str(), f.injections[0].kind()))
        .collect();
    let want = [
        ("it is not broken", "reset-reply"),
        ("it is not silent", "stalled-reply"),
    ];
    assert_eq!(causes, want, "{outcome}");
}

/// A bit flips on its way there, or back, where a client says that its link does that.
#[test]
fn a_link_that_corrupts_flips_a_bit() {
    let menu = Menu::only([Kind::AlteredRequest, Kind::AlteredReply]).calls_only();
    let explored = |name, corrupts: bool| {
        let explored = exploring(name, 50).menu(menu.clone()).failures(9);
        explored.run(move |w: World| async move {
            let heard = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
            let hears = std::sync::Arc::clone(&heard);
            let sell = post(move |body: String| async move {
                hears.lock().expect("no panic").clone_from(&body);
                "sold"
            });
            w.serve("shop", Router::new().route("/", sell));
            let client = w.client("shop");
            let client = if corrupts {
                client.corrupting()
            } else {
                client
            };
            let sale = timeout(PATIENCE, client.post("/", "a book")).await;
            let heard = heard.lock().expect("no panic").clone();
            always!(
                heard == "a book",
                "a request arrives as it was sent",
                "{heard}"
            );
            if let Ok(Ok(sale)) = sale {
                always!(sale.text() == "sold", "a reply arrives as it was sent");
            }
        })
    };
    let outcome = explored("corrupting", true);
    let causes: Vec<_> = (outcome.failures.iter())
        .map(|f| (f.injections[0].kind(), f.confirmed))
        .collect();
    assert_eq!(
        causes,
        [("altered-request", 3), ("altered-reply", 3)],
        "{outcome}"
    );
    // By default nothing can be altered, and a menu that asks for it by name says so.
    let outcome = explored("not-corrupting", false);
    assert!(
        outcome.failures.is_empty() && outcome.gaps.len() == 2,
        "{outcome}"
    );
}

#[test]
fn to_break_an_empty_body_is_to_break_nothing() {
    let answering = |body: &'static str| {
        let menu = Menu::only([Kind::ResetReply]).calls_only();
        let name = if body.is_empty() { "empty" } else { "full" };
        exploring(name, 50)
            .menu(menu)
            .run(move |w: World| async move {
                w.serve("pay", Router::new().route("/", get(async move || body)));
                let reply = timeout(PATIENCE, w.client("pay").get("/")).await;
                always!(matches!(reply, Ok(Ok(_))), "a reply is heard to its end");
            })
    };
    assert_eq!(answering("paid").verdict, Verdict::Failed);
    let empty = answering("");
    assert_eq!(empty.verdict, Verdict::Failed, "{empty}");
    assert!(
        empty.failures.is_empty() && !empty.gaps.is_empty(),
        "{empty}"
    );
}
