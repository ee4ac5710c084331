//! Histories of runs, and whether they were legal.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use murphy_chaos::check::model::register::{Register, Reply, Request};
use murphy_chaos::{Kind, Menu, Verdict, World};
use tokio::time::timeout;

use crate::support::exploring;

const PATIENCE: Duration = Duration::from_secs(5);

/// A register with a cache that a client reads after it heard nothing of its write.
async fn cached(w: World, invalidates: bool) {
    let (stored, cache) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let history = w.history();
    for round in 1..=2u64 {
        let value = round as i64;
        let write = history
            .call(1, Request::Write(value))
            .expect("one at a time");
        let site = w.site("api->store");
        let stored_now = stored.clone();
        let call = site.run(round, async || stored_now.set(value)).inline();
        match timeout(PATIENCE, call).await {
            Ok(()) => {
                cache.set(value);
                history.done(write, Reply::Written)
            }
            Err(_) if w.never_ran("api->store", round, 0) => history.lost_request(write),
            Err(_) => history.lost_reply(write),
        }
        .expect("it ends once");
        if invalidates {
            cache.set(stored.get());
        }
        for seen in [stored.get(), cache.get()] {
            let read = history.call(2, Request::Read).expect("one at a time");
            let value = (seen > 0).then_some(seen);
            history
                .done(read, Reply::Value(value))
                .expect("it ends once");
        }
    }
    w.linearizable("the register", &Register::new(), &history);
}

#[test]
fn a_stale_cache_is_no_register_and_the_witness_says_why() {
    let menu = Menu::only([Kind::LostRequest, Kind::LostReply]).calls_only();
    let outcome = exploring("cache", 500)
        .menu(menu.clone())
        .run(|w| cached(w, false));
    let failure = &outcome.failures[0];
    assert_eq!(failure.violation.name, "the register is linearizable");
    assert_eq!(failure.injections[0].kind(), "lost-reply", "{outcome}");
    let witness = &failure.violation.detail;
    assert!(
        witness.contains("process 2") && witness.contains('*'),
        "{witness}"
    );

    let outcome = exploring("no-cache", 500)
        .menu(menu)
        .run(|w| cached(w, true));
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
}
