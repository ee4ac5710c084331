//! A crash ends what runs, and old work stays dead.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use murphy_fault::{Node, NodeState, Verb};
use tokio::time::{Instant, sleep};

use super::{Probe, node, settle};
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn a_crash_drops_the_work_before_it_returns() {
    let (_chaos, node, _armed) = node();
    let (polled, waiting) = (Probe::default(), Probe::default());
    let work = node.spawn(polled.future());
    settle().await;
    // Nobody polls this one: the crash finds it nevertheless.
    let unpolled = node.run(waiting.future());

    let _down = node.crash().unwrap();
    assert_eq!((polled.drops(), waiting.drops()), (1, 1));
    assert_eq!((node.state(), node.living()), (NodeState::Down, 0));
    polled.finish();
    waiting.finish();
    let crashed = work.await.unwrap().unwrap_err();
    assert_eq!((crashed.node(), crashed.incarnation()), ("a", 0));
    assert!(crashed.began());
    assert!(!unpolled.await.unwrap_err().began());
    assert_eq!((polled.polls(), waiting.polls()), (1, 0));
    assert_eq!((polled.drops(), waiting.drops()), (1, 1), "exactly once");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_crashed_work_is_woken() {
    let (_chaos, node, _armed) = node();
    let start = Instant::now();
    let (spawned, inline) = (node.spawn(pending::<()>()), node.clone());
    let inline = tokio::spawn(async move { inline.run_inline(pending::<()>()).await });
    sleep(ms(5)).await;
    let _down = node.crash().unwrap();
    assert!(spawned.await.unwrap().is_err() && inline.await.unwrap().is_err());
    assert_eq!(start.elapsed(), ms(5));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_down_begins_nothing() {
    let (_chaos, node, _armed) = node();
    let _down = node.crash().unwrap();
    let probe = Probe::default();
    let crashed = node.run(probe.future()).await.unwrap_err();
    assert!(!crashed.began());
    assert!(node.run_inline(probe.future()).await.is_err());
    assert_eq!((probe.polls(), probe.drops()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn old_work_stays_dead_after_a_restart() {
    let (_chaos, node, armed) = node();
    let probe = Probe::default();
    let old = node.spawn(probe.future());
    let inline = Probe::default();
    let mut in_place = Box::pin(node.run_inline(inline.future()));
    settle().await;
    assert!(futures_poll(in_place.as_mut()).is_pending());

    drop(node.crash().unwrap());
    assert_eq!((node.incarnation(), node.is_up()), (1, true));
    probe.finish();
    inline.finish();
    assert_eq!(old.await.unwrap().unwrap_err().incarnation(), 0);
    assert_eq!(in_place.await.unwrap_err().incarnation(), 0);
    assert_eq!((probe.polls(), inline.polls()), (1, 1));
    assert_eq!((probe.drops(), inline.drops()), (1, 1));
    assert_eq!(node.run(async { 7 }).await, Ok(7), "new work lives");
    let verbs: Vec<_> = armed.ledger().events().iter().map(|e| e.verb).collect();
    assert_eq!(verbs, [Verb::Crash, Verb::Restart]);
    assert_eq!(armed.ledger().events()[0].whom, "a");
}

fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn crashes_add_up_and_a_restart_ends_them_all() {
    let (_chaos, node, _armed) = node();
    let one = node.crash().unwrap();
    let two = node.crash().unwrap();
    drop(one);
    assert!(!node.is_up());
    drop(two);
    assert_eq!((node.is_up(), node.incarnation()), (true, 1));

    let held = node.crash().unwrap();
    node.crash().unwrap().keep();
    assert_eq!(node.restart(), Ok(2));
    drop(held);
    assert_eq!(node.incarnation(), 2, "that guard has nothing left to do");
    assert_eq!(node.restart(), Ok(3), "what is up is crashed first");
}

#[tokio::test(start_paused = true)]
async fn a_crash_for_a_time_is_over_by_then_or_when_nobody_awaits_it() {
    let (_chaos, node, _armed) = node();
    let crash = tokio::spawn(node.crash_for(ms(100)));
    sleep(ms(99)).await;
    assert!(!node.is_up());
    crash.await.unwrap().unwrap();
    assert!(node.is_up());

    let crash = tokio::time::timeout(ms(10), node.crash_for(ms(1000)));
    assert!(crash.await.is_err());
    assert_eq!((node.is_up(), node.incarnation()), (true, 2));
}

#[tokio::test(start_paused = true)]
async fn a_crash_ends_the_pauses_of_the_process() {
    let (_chaos, node, _armed) = node();
    let probe = Probe::default();
    let work = node.spawn(probe.future());
    settle().await;
    let pause = node.pause().unwrap();
    let down = node.crash().unwrap();
    assert_eq!((probe.drops(), node.state()), (1, NodeState::Down));
    assert!(
        work.await.unwrap().is_err(),
        "nobody has to resume for that"
    );
    drop(down);
    assert_eq!(node.state(), NodeState::Running);
    drop(pause);
    assert_eq!(node.state(), NodeState::Running);
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_a_node_that_is_down_holds_its_next_life() {
    let (_chaos, node, _armed) = node();
    let down = node.crash().unwrap();
    let pause = node.pause().unwrap();
    assert_eq!(node.state(), NodeState::Down);
    drop(down);
    assert_eq!(node.state(), NodeState::Paused);
    let work = node.spawn(async { 7 });
    settle().await;
    assert!(!work.is_finished());
    drop(pause);
    assert_eq!(work.await.unwrap(), Ok(7));
}

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[tokio::test(start_paused = true)]
async fn a_destructor_finds_the_node_down_and_may_do_to_it_what_it_likes() {
    let (_chaos, node, _armed) = node();
    let seen = Arc::new(AtomicU64::new(0));
    let (witness, of) = (Arc::clone(&seen), node.clone());
    let disk = node.durable::<&str>("disk").unwrap();
    let last_words = disk.clone();
    let work = node.spawn(async move {
        let _guard = OnDrop(move || {
            assert!(!of.is_up());
            assert!(last_words.store("clean").is_err());
            drop(of.crash());
            assert!(of.run_now_fails());
            witness.fetch_add(1, SeqCst);
        });
        pending::<()>().await
    });
    settle().await;
    let _down = node.crash().unwrap();
    assert_eq!(seen.load(SeqCst), 1);
    assert!(work.await.unwrap().is_err());
    assert_eq!(disk.get(), None, "a crash is not a clean end");
}

trait Ask {
    fn run_now_fails(&self) -> bool;
}

impl Ask for Node {
    fn run_now_fails(&self) -> bool {
        let refused = std::pin::pin!(self.run(async {}));
        matches!(futures_poll(refused), std::task::Poll::Ready(Err(_)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_destructor_spares_the_others() {
    let (_chaos, node, _armed) = node();
    let probe = Probe::default();
    let bad = node.spawn(async {
        let _guard = OnDrop(|| panic!("on purpose"));
        pending::<()>().await
    });
    let good = node.spawn(probe.future());
    settle().await;
    let _down = node.crash().unwrap();
    assert_eq!(probe.drops(), 1);
    assert!(bad.await.unwrap().is_err() && good.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn code_of_a_node_that_crashes_it_ends_with_that_poll() {
    for bounce in [false, true] {
        let (_chaos, node, _armed) = node();
        let itself = node.clone();
        let disk = node.durable::<u64>("disk").unwrap();
        let written = disk.clone();
        let work = node.spawn(async move {
            if bounce {
                itself.restart().unwrap();
            } else {
                itself.crash().unwrap().keep();
            }
            // The rest of this poll is a ghost's: the next life does not see it.
            assert!(written.store(1).is_err());
            assert!(itself.run_now_fails());
            tokio::task::yield_now().await;
            unreachable!("no poll after the crash");
        });
        assert!(work.await.unwrap().is_err());
        assert_eq!((disk.get(), node.is_up()), (None, bounce));
    }
}

#[tokio::test(start_paused = true)]
async fn work_within_work_dies_once() {
    let (_chaos, node, _armed) = node();
    let probe = Probe::default();
    let inner = node.run(probe.future());
    let outer = node.spawn(inner);
    settle().await;
    assert_eq!((node.living(), probe.polls()), (2, 1));
    let _down = node.crash().unwrap();
    assert!(outer.await.unwrap().is_err());
    assert_eq!((node.living(), probe.drops()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_work_is_its_owners() {
    let (_chaos, node, _armed) = node();
    let work = node.spawn(async {
        if true {
            panic!("on purpose");
        }
    });
    assert!(work.await.unwrap_err().is_panic());
    assert_eq!(node.living(), 0);
    // Nobody is left inside: a pause does not wait for the dead.
    drop(node.pause().unwrap());
}
