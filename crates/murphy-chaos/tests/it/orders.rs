//! Bugs that no fault shows, only another order.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use murphy_chaos::{Caller, Menu, Stage, Verdict, World, always};
use tokio::time::sleep;

use crate::support::exploring;

/// Who reads a millisecond after the write was sent sees it: unless that is two milliseconds late.
async fn reads_too_soon(w: World, waits: bool) {
    let value = Rc::new(Cell::new(0));
    let (writer, reader) = (w.site("a->store"), w.site("b->store"));
    let write = writer.run(1u64, async || value.set(7)).inline();
    let seen = async {
        sleep(Duration::from_millis(1)).await;
        reader.run(2u64, async || value.get()).inline().await
    };
    if waits {
        write.await;
        always!(seen.await == 7, "a read after a write sees it");
    } else {
        let ((), seen) = tokio::join!(biased; std::future::IntoFuture::into_future(write), seen);
        always!(seen == 7, "a read after a write sees it");
    }
}

#[test]
fn a_race_shows_by_order_alone() {
    let menu = Menu::only([]).calls_only();
    let outcome = exploring("race", 1000)
        .menu(menu.clone())
        .run(|w| reads_too_soon(w, false));
    let failure = &outcome.failures[0];
    assert_eq!(failure.stage, Stage::Orders, "{outcome}");
    assert_eq!(failure.injections.len(), 1, "{outcome}");
    assert!(failure.injections[0].is_nudge());
    assert_eq!(failure.confirmed, 3);

    let outcome = exploring("no-race", 1000)
        .menu(menu)
        .run(|w| reads_too_soon(w, true));
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
}

/// Served in the order in which they come, within one moment; whoever is a millisecond late is not served.
async fn first_come(w: World) {
    let came = Rc::new(std::cell::RefCell::new(Vec::new()));
    let (world, order) = (w.clone(), came.clone());
    let comes = move |caller: Caller| {
        let (world, order) = (world.clone(), order.clone());
        async move {
            let site = world.site("client->desk");
            let call = site.run(caller.key(), async || {
                if world.elapsed().is_zero() {
                    order.borrow_mut().push(caller.client);
                }
            });
            call.inline().await;
        }
    };
    w.clients(2).each(comes).await;
    always!(*came.borrow() != [1, 0], "the first is served first");
}

/// No delay shows it: a late one is not there at all.
#[test]
fn an_order_within_one_moment_shows_by_a_yield() {
    let menu = Menu::only([]).calls_only();
    let outcome = exploring("moment", 1000).menu(menu).run(first_come);
    let failure = &outcome.failures[0];
    assert_eq!(failure.stage, Stage::Orders, "{outcome}");
    let told: Vec<String> = failure.injections.iter().map(ToString::to_string).collect();
    let key = murphy_chaos::core::Key::from((1u64, 1u64));
    let want = format!("yield: passage 0 of key {key} at client->desk");
    assert_eq!((told, failure.confirmed), (vec![want], 3), "{outcome}");
}

/// Reads, and writes one more: with a step between the two.
async fn lost_update(w: World, locked: bool) {
    let (sum, lock) = (Rc::new(Cell::new(0)), Rc::new(tokio::sync::Mutex::new(())));
    let (world, value) = (w.clone(), sum.clone());
    let add = move |_| {
        let (world, value, lock) = (world.clone(), value.clone(), lock.clone());
        async move {
            let _held = if locked {
                Some(lock.lock().await)
            } else {
                None
            };
            let read = value.get();
            world.step("between read and write").await;
            value.set(read + 1);
        }
    };
    w.clients(2).each(add).await;
    always!(sum.get() == 2, "no update is lost", "{} of 2", sum.get());
}

#[test]
fn a_step_lets_others_go_first_and_nothing_goes_wrong_at_it() {
    let outcome = exploring("update", 1000).run(|w| lost_update(w, false));
    let failure = &outcome.failures[0];
    assert_eq!(
        (failure.stage, failure.injections.len()),
        (Stage::Orders, 1),
        "{outcome}"
    );
    let singles = outcome.phases.iter().filter(|p| p.stage == Stage::Singles);
    assert_eq!(singles.map(|p| p.tried).sum::<u64>(), 0, "{outcome}");

    let outcome = exploring("locked", 1000).run(|w| lost_update(w, true));
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
}
