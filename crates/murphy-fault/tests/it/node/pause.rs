//! A paused node stands still, and catches up.

use std::sync::{Arc, Mutex};

use murphy_fault::{NotArmed, Verb};
use tokio::time::{Instant, sleep, timeout};

use super::{Probe, node, run, settle};
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn a_paused_node_polls_nothing_and_loses_no_wake_up() {
    let (_chaos, node, _armed) = node();
    let probe = Probe::default();
    let work = node.spawn(probe.future());
    settle().await;
    assert_eq!(probe.polls(), 1);

    let pause = node.pause().unwrap();
    probe.finish();
    sleep(ms(60_000)).await;
    assert_eq!(probe.polls(), 1, "an hour in a coma");

    drop(pause);
    assert_eq!(
        work.await.unwrap(),
        Ok(2),
        "polled once more, and only once"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_begun_during_a_pause_begins_after_it() {
    let (_chaos, node, _armed) = node();
    let pause = node.pause().unwrap();
    let probe = Probe::default();
    probe.finish();
    let work = node.spawn(probe.future());
    sleep(ms(1000)).await;
    assert_eq!(probe.polls(), 0);
    drop(pause);
    assert_eq!(work.await.unwrap(), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_timer_of_a_paused_node_fires_late_and_never_early() {
    for (name, timer, from, long, want) in [
        ("elapses during the pause", 100, 50, 1000, 1050),
        ("elapses after it", 100, 10, 20, 100),
        ("elapsed before it", 100, 200, 1000, 100),
    ] {
        let (_chaos, node, _armed) = node();
        let start = Instant::now();
        let work = node.spawn(async move {
            sleep(ms(timer)).await;
            start.elapsed()
        });
        sleep(ms(from)).await;
        node.pause_for(ms(long)).await.unwrap();
        assert_eq!(work.await.unwrap(), Ok(ms(want)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn work_goes_on_in_the_order_of_its_arrival() {
    let (_chaos, node, _armed) = node();
    let order = Arc::new(Mutex::new(Vec::new()));
    let pause = node.pause().unwrap();
    let work: Vec<_> = (0..100)
        .map(|n| {
            let order = Arc::clone(&order);
            node.spawn(async move { order.lock().unwrap().push(n) })
        })
        .collect();
    settle().await;
    drop(pause);
    for work in work {
        work.await.unwrap().unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn pauses_add_up() {
    let (_chaos, node, armed) = node();
    let outer = node.pause().unwrap();
    let inner = node.pause().unwrap();
    drop(outer);
    assert!(node.is_paused());
    drop(inner);
    assert!(!node.is_paused());

    node.pause().unwrap().keep();
    let guard = node.pause().unwrap();
    drop(guard);
    assert!(node.is_paused(), "a kept pause is a pause");
    assert_eq!(node.resume(), Ok(true));
    assert_eq!(node.resume(), Ok(false), "there was none left");

    let verbs: Vec<_> = armed.ledger().events().iter().map(|e| e.verb).collect();
    use Verb::{Pause, Resume};
    assert_eq!(verbs, [Pause, Pause, Resume, Pause, Pause, Resume]);
}

#[tokio::test(start_paused = true)]
async fn a_guard_of_a_pause_that_is_over_ends_no_later_one() {
    let (_chaos, node, _armed) = node();
    let old = node.pause().unwrap();
    node.resume().unwrap();
    let _new = node.pause().unwrap();
    drop(old);
    assert!(node.is_paused());
}

#[tokio::test(start_paused = true)]
async fn a_panic_resumes_what_it_unwinds_past() {
    let (_chaos, node, _armed) = node();
    let culprit = node.clone();
    let died = tokio::spawn(async move {
        let _pause = culprit.pause().unwrap();
        assert!(!culprit.is_paused(), "on purpose");
    });
    assert!(died.await.unwrap_err().is_panic());
    assert!(!node.is_paused());
}

#[tokio::test(start_paused = true)]
async fn code_of_a_node_may_pause_it() {
    let (_chaos, node, _armed) = node();
    let itself = node.clone();
    let start = Instant::now();
    let work = node.spawn(async move {
        itself.pause_for(ms(15_000)).await.unwrap();
        start.elapsed()
    });
    sleep(ms(1)).await;
    assert!(node.is_paused());
    assert_eq!(work.await.unwrap(), Ok(ms(15_000)));
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_nobody_awaits_any_more_is_over() {
    let (_chaos, node, _armed) = node();
    assert!(timeout(ms(10), node.pause_for(ms(1000))).await.is_err());
    assert!(!node.is_paused());
}

#[tokio::test(start_paused = true)]
async fn work_that_its_owner_drops_is_dropped_in_a_pause_too() {
    let (_chaos, node, _armed) = node();
    let probe = Probe::default();
    let work = node.run(probe.future());
    let _pause = node.pause().unwrap();
    assert_eq!(node.living(), 1);
    drop(work);
    assert_eq!((probe.drops(), node.living()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_heals_its_nodes() {
    let (chaos, node, armed) = node();
    let dead = chaos.node("b");
    let (probe, program) = (Probe::default(), Probe::default());
    probe.finish();
    let kept = node.pause().unwrap();
    dead.crash().unwrap().keep();
    let work = node.spawn(probe.future());
    let started = program.clone();
    let program_task = tokio::spawn(dead.serve(move |_| started.future()));
    settle().await;
    assert_eq!((probe.polls(), program.polls()), (0, 0));

    drop(armed);
    assert_eq!(work.await.unwrap(), Ok(1));
    settle().await;
    assert_eq!((program.polls(), dead.incarnation()), (1, 1));
    program_task.abort();

    // What is left of the old run does nothing to the next one.
    let _armed = run(&chaos);
    let _pause = node.pause().unwrap();
    kept.keep();
    assert_eq!(node.resume(), Ok(true));
    assert!(!node.is_paused());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_reaches_its_time_limit_heals_too() {
    let chaos = crate::support::chaos();
    let node = chaos.node("a");
    chaos
        .arm(&murphy_fault::Plan::new(), ms(100))
        .unwrap()
        .keep();
    let _pause = node.pause().unwrap();
    let start = Instant::now();
    node.run(async {}).await.unwrap();
    assert_eq!(start.elapsed(), ms(100));
}

#[tokio::test(start_paused = true)]
async fn a_chaos_that_nobody_holds_leaves_nobody_paused() {
    let (chaos, node, armed) = node();
    node.pause().unwrap().keep();
    let work = node.run(async { 7 });
    armed.keep();
    drop((chaos, node));
    assert_eq!(work.await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_disturbed_without_a_run() {
    let off = murphy_fault::Chaos::off();
    for (name, chaos) in [("disarmed", crate::support::chaos()), ("off", off)] {
        let node = chaos.node("a");
        assert_eq!(node.pause().unwrap_err(), NotArmed, "{name}");
        assert_eq!(node.crash().unwrap_err(), NotArmed, "{name}");
        assert_eq!(node.resume().unwrap_err(), NotArmed, "{name}");
        assert_eq!(node.restart().unwrap_err(), NotArmed, "{name}");
        assert_eq!(node.pause_for(ms(1)).await, Err(NotArmed), "{name}");
        assert_eq!(node.crash_for(ms(1)).await, Err(NotArmed), "{name}");
        assert_eq!(node.run(async { 7 }).await, Ok(7), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_name_is_one_node_and_one_too_many_is_left_alone() {
    let (chaos, node, _armed) = node();
    let _pause = chaos.node("a").pause().unwrap();
    assert!(node.is_paused() && !chaos.node("b").is_paused());
    for n in 2..65_536 {
        let _ = chaos.node(&n.to_string());
    }
    assert_eq!(chaos.nodes().len(), 65_536);
    let late = chaos.node("late");
    assert_eq!(late.pause().unwrap_err(), NotArmed);
    assert_eq!(late.run(async { 7 }).await, Ok(7));
}
