//! The page: what is on it, and that what a test names is text.

use murphy_chaos::check::model::register::{Register, Reply, Request};

use super::*;

const HOSTILE: &str = "</script><b>&\"'<img src=x onerror=alert(1)>\u{202e}\0";

#[test]
fn what_the_test_names_is_text() {
    exploring("report-hostile", 300).run(async |w: World| {
        let _node = w.node(HOSTILE);
        let call = w.site(&format!("api->{HOSTILE}")).run(17u64, || async {});
        let heard = timeout(Duration::from_secs(5), call).await.is_ok();
        always!(heard, HOSTILE, "{HOSTILE}");
    });
    let page = read("report-hostile", "index.html");
    for markup in ["<script", "</script", "<img", "<b>", "onerror=alert(1)>"] {
        let found = page
            .find(markup)
            .map(|at| &page[at..(at + 80).min(page.len())]);
        assert_eq!(found, None, "{markup}");
    }
    assert!(
        page.contains("&lt;/script&gt;&lt;b&gt;&amp;&quot;"),
        "{page}"
    );
    assert!(
        !page.contains(['\u{202e}', '\0']),
        "what turns text around is shown"
    );
}

#[test]
fn it_says_promise_faults_lanes_coverage_and_what_to_type() {
    let outcome = exploring("report-page", 300).run(fails);
    let page = read("report-page", "index.html");
    let code = outcome.failures[0].code.to_string().replace('>', "&gt;");
    for want in [
        "SAFETY",
        "it is heard",
        "The work was done, and the caller hears nothing.",
        "reply lost: the work was done",
        &format!("MURPHY_REPLAY={code} cargo test"),
        ">lost-reply</th>",
        "tests/it/report/page.rs",
    ] {
        assert!(page.contains(want), "{want}");
    }
    for elsewhere in ["src=", "@import", "url(", "<link", "<script"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn a_history_that_is_not_legal_is_drawn() {
    let outcome = exploring("report-history", 300).run(async |w: World| {
        let history = w.history();
        let write = history.call(1, Request::Write(7)).expect("a call");
        history.done(write, Reply::Written).expect("an end");
        let read = history.call(2, Request::Read).expect("a call");
        let value = heard(&w).await.then_some(7);
        history.done(read, Reply::Value(value)).expect("an end");
        w.linearizable("the register", &Register::new(), &history);
    });
    let failure = &outcome.failures[0];
    assert!(failure.picture.is_some(), "{outcome}");
    let page = outcome.to_html();
    assert!(
        page.contains("murphy-window") && page.contains("write 7"),
        "{page}"
    );
}

#[cfg(feature = "http")]
#[test]
fn what_a_client_asked_and_was_told_is_on_it() {
    use axum::{Router, routing::post};

    let outcome = exploring("report-client", 300).run(async |w: World| {
        w.serve("pay", Router::new().route("/charge", post(async || "done")));
        let pay = w.client("pay");
        let lost = async || {
            let charge = pay.post("/charge", "42 EUR");
            timeout(Duration::from_secs(5), charge).await.is_err()
        };
        always!(!lost().await || lost().await, "what was lost stays lost");
    });
    let page = outcome.to_html();
    for want in ["POST /charge (call 0)", ">gave up<", ">200 OK<"] {
        assert!(page.contains(want), "{want}");
    }
}

#[test]
fn a_long_run_is_cut_and_says_so() {
    let outcome = exploring("report-long", 40).run(async |w: World| {
        for n in 0..2_000u64 {
            w.site("api->pay").run(n, || async {}).await;
        }
        always!(false, "it is short");
    });
    let page = outcome.to_html();
    assert!(page.contains("2,000 calls. The run is cut"));
    assert!(page.len() < 100_000, "{}", page.len());
}
