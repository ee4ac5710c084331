//! The pages that are looked at, each with what it has to show.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use murphy_chaos::check::model::register::{Register, Reply, Request};
use murphy_chaos::{Budget, Explore, Kind, Menu, Outcome, World, always, explore};
use murphy_check::{History, Picture, check};
use tokio::time::{sleep, timeout};

/// A text that would be markup, if it were not escaped. (Its last letter is one that no page shows as it is.)
const HOSTILE: &str = "</script><b>&\"' order<img src=x onerror=alert(1)>";

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) html: String,
    /// What somebody reads who has just opened it.
    pub(crate) message: String,
    /// What is further down.
    pub(crate) also: Vec<&'static str>,
}

pub(crate) fn all() -> Vec<Subject> {
    vec![
        double_charge(),
        hostile(),
        upsets(),
        history(),
        long(),
        undecided(),
        picture(),
    ]
}

fn exploring(name: &str, runs: u64) -> Explore {
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pages-{name}"));
    let _ = std::fs::remove_dir_all(&target);
    let explored = explore(name).seed(42).budget(Budget::runs(runs));
    explored.artifacts(target)
}

fn subject(name: &'static str, outcome: &Outcome, also: &[&'static str]) -> Subject {
    let failure = outcome.failures.first();
    Subject {
        name,
        html: outcome.to_html(),
        message: failure
            .unwrap_or_else(|| panic!("{outcome}"))
            .violation
            .name
            .clone(),
        also: also.to_vec(),
    }
}

/// A retry after a lost reply charges twice.
pub(crate) fn double_charge() -> Subject {
    let outcome = exploring("double-charge", 300).run(async |w: World| {
        let charged = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&charged);
        let charge = post(async move || {
            count.fetch_add(1, SeqCst);
        });
        w.serve("pay", Router::new().route("/charge", charge));
        let pay = w.client("pay");
        for _attempt in 0..2 {
            let charge = pay.post("/charge", "42 EUR");
            if timeout(Duration::from_secs(5), charge).await.is_ok() {
                break;
            }
        }
        always!(
            charged.load(SeqCst) <= 1,
            "an order is charged once",
            "twice"
        );
    });
    let also = [
        "the reply is lost",
        "MURPHY_REPLAY=murphy1:double-charge",
        "lost-reply",
        "twice",
    ];
    subject("double-charge", &outcome, &also)
}

/// Everything that a test names is markup.
fn hostile() -> Subject {
    let outcome = exploring("hostile", 300).run(async |w: World| {
        let call = w
            .site(&format!("{HOSTILE}->{HOSTILE}"))
            .run(17u64, || async {});
        let heard = timeout(Duration::from_secs(5), call).await.is_ok();
        always!(heard, HOSTILE, "{HOSTILE}{}", "\u{202e}x".repeat(200));
    });
    let also = ["</script><b>&\"' order<img src=x onerror=alert(1)>->"];
    subject("hostile", &outcome, &also)
}

/// Nodes that stand still, and many lanes.
fn upsets() -> Subject {
    let menu = Menu::only([]).outages([Duration::from_secs(30)]).steps([]);
    let outcome = exploring("upsets", 2_000)
        .menu(menu)
        .failures(3)
        .run(async |w: World| {
            let stock = w.node("stock");
            for (n, site) in ["api->orders", "orders->stock", "orders->pay", "pay->bank"]
                .iter()
                .enumerate()
            {
                let stock = stock.clone();
                let work = async move || _ = stock.run(sleep(Duration::from_millis(20))).await;
                let call = w.site(site).run(n as u64 + 1, work);
                let _ = timeout(Duration::from_secs(5), call).await;
            }
            always!(
                w.elapsed() < Duration::from_secs(9),
                "an order takes at most nine seconds"
            );
        });
    subject("upsets", &outcome, &["It takes this", "stock"])
}

/// A read that no order explains.
fn history() -> Subject {
    let menu = Menu::only([Kind::Latency]).calls_only();
    let outcome = exploring("history", 300).menu(menu).run(async |w: World| {
        let history = w.history();
        let write = history.call(1, Request::Write(7)).expect("a call");
        history.done(write, Reply::Written).expect("an end");
        let read = history.call(2, Request::Read).expect("a call");
        let call = w.site("api->replica").run(17u64, || async {});
        let fresh = timeout(Duration::from_millis(500), call).await.is_ok();
        history
            .done(read, Reply::Value(fresh.then_some(7)))
            .expect("an end");
        w.linearizable("the register", &Register::new(), &history);
    });
    let also = ["The history that nothing explains", "late"];
    subject("history", &outcome, &also)
}

/// Ten thousand calls.
fn long() -> Subject {
    let menu = Menu::only([Kind::LostRequest]).calls_only();
    let outcome = exploring("long", 12).menu(menu).run(async |w: World| {
        let mut heard = true;
        for n in 0..10_000u64 {
            let call = w.site("api->pay").run(n, || async {});
            heard &= timeout(Duration::from_secs(1), call).await.is_ok();
        }
        always!(heard, "all of ten thousand are heard");
    });
    subject("long", &outcome, &["10,000 calls. The run is cut"])
}

/// Nothing failed, and nothing was explored.
fn undecided() -> Subject {
    let outcome = exploring("undecided", 20).run(async |_: World| {});
    Subject {
        name: "undecided",
        html: outcome.to_html(),
        message: "no call passed a site".into(),
        also: vec!["UNDECIDED"],
    }
}

/// The picture of a checker, by itself.
fn picture() -> Subject {
    let history = History::new();
    for (process, value) in [(1, 7), (2, 9), (3, 8)] {
        let write = history
            .call(process, Request::Write(value))
            .expect("a call");
        history.done(write, Reply::Written).expect("an end");
    }
    let read = history.call(4, Request::Read).expect("a call");
    history.done(read, Reply::Value(Some(7))).expect("an end");
    let operations = history.operations();
    let verdict = check(&Register::new(), &operations);
    let witness = verdict.witness().expect("it is illegal");
    Subject {
        name: "picture",
        html: Picture::new(&Register::new(), &operations, witness).html(HOSTILE),
        message: HOSTILE.into(),
        also: vec!["read -> 7"],
    }
}
