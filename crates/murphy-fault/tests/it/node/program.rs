//! Programs that a node starts anew.

use std::future::pending;
use std::sync::{Arc, Mutex};

use super::{Probe, node, settle};

#[tokio::test(start_paused = true)]
async fn a_program_begins_anew_after_every_restart_and_sees_what_was_durable() {
    let (_chaos, node, _armed) = node();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let book = Arc::clone(&seen);
    let program = tokio::spawn(node.serve(move |boot| {
        let book = Arc::clone(&book);
        async move {
            let disk = boot.durable::<u64>("n").unwrap();
            book.lock().unwrap().push((boot.incarnation(), disk.get()));
            disk.store(10 + boot.incarnation()).unwrap();
            disk.set(99).unwrap();
            if boot.incarnation() < 3 {
                pending::<()>().await;
            }
            "ended by itself"
        }
    }));
    settle().await;
    node.restart().unwrap();
    settle().await;
    let down = node.crash().unwrap();
    settle().await;
    assert_eq!(seen.lock().unwrap().len(), 2, "it is down");
    drop(down);
    settle().await;
    // Twice before it could begin: only the last life counts.
    node.restart().unwrap();
    assert_eq!(program.await.unwrap(), "ended by itself");
    let seen = seen.lock().unwrap().clone();
    assert_eq!(
        seen,
        [(0, None), (1, Some(10)), (2, Some(11)), (3, Some(12))]
    );
    settle().await;
    assert_eq!(node.living(), 0);
}

#[tokio::test(start_paused = true)]
async fn children_die_with_their_life_and_none_is_born_after_it() {
    let (_chaos, node, _armed) = node();
    let (probe, boots) = (Probe::default(), Arc::new(Mutex::new(Vec::new())));
    let (child, book) = (probe.clone(), Arc::clone(&boots));
    let program = tokio::spawn(node.serve(move |boot| {
        let child = boot.spawn(child.future());
        book.lock().unwrap().push(boot);
        async move { child.await.unwrap().map(drop) }
    }));
    settle().await;
    node.restart().unwrap();
    settle().await;
    assert_eq!(probe.drops(), 1);
    let first = boots.lock().unwrap()[0].clone();
    assert_eq!(first.incarnation(), 0);
    let late = first.run(async {}).await.unwrap_err();
    assert_eq!((late.incarnation(), late.began()), (0, false));
    assert_eq!(first.node().name(), "a");
    program.abort();
    settle().await;
    assert_eq!(node.living(), 1, "a task is its own: the child lives on");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_paused_while_down_begins_when_it_is_resumed() {
    let (_chaos, node, _armed) = node();
    let probe = Probe::default();
    let started = probe.clone();
    let program = tokio::spawn(node.serve(move |_| started.future()));
    settle().await;
    let down = node.crash().unwrap();
    let pause = node.pause().unwrap();
    drop(down);
    settle().await;
    assert_eq!(probe.polls(), 1);
    drop(pause);
    settle().await;
    assert_eq!(probe.polls(), 2);
    drop(program);
}
