//! Guards: what ends with them, and what does not.

use murphy_core::Seed;
use murphy_fault::{Chaos, Plan, TimeLimit};

use super::{NEVER_RAN, WELL, armed, call, events, run, wire};
use crate::support::{Echo, ms};

#[tokio::test(start_paused = true)]
async fn a_link_is_whole_when_the_last_cut_of_it_is_healed() {
    let (chaos, network, _armed) = armed(&["a", "b", "c"]);
    let (ab, ac) = (wire(&chaos, "a", "b"), wire(&chaos, "a", "c"));
    let wide = network.isolate("a").unwrap();
    let narrow = network.partition_oneway(["a"], ["b"]).unwrap();
    let again = network.partition_oneway(["a"], ["b"]).unwrap();
    drop(wide);
    assert_eq!((call(&ab).await, call(&ac).await), (NEVER_RAN, WELL));
    drop(again);
    assert_eq!(call(&ab).await, NEVER_RAN);
    drop(narrow);
    assert_eq!(call(&ab).await, WELL);
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_is_kept_lasts_until_it_is_repaired() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let ab = wire(&chaos, "a", "b");
    network.partition(["a"], ["b"]).unwrap().keep();
    network.hold(["b"], ["a"]).unwrap().keep();
    assert_eq!(call(&ab).await, NEVER_RAN);
    network.release();
    assert_eq!(call(&ab).await, NEVER_RAN);
    network.repair();
    assert_eq!(call(&ab).await, WELL);
    assert_eq!(
        events(&armed.ledger()),
        [
            "partition a | b",
            "hold b -> a",
            "release all links",
            "heal all links"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn repairing_all_leaves_holds_and_releasing_all_leaves_cuts() {
    let (chaos, network, _armed) = armed(&["a", "b", "c"]);
    let (ab, ac) = (wire(&chaos, "a", "b"), wire(&chaos, "a", "c"));
    let _cut = network.partition_oneway(["a"], ["b"]).unwrap();
    let _held = network.hold(["a"], ["c"]).unwrap();
    network.release();
    assert_eq!((call(&ab).await, call(&ac).await), (NEVER_RAN, WELL));
    let _held = network.hold(["a"], ["c"]).unwrap();
    network.repair();
    assert_eq!((call(&ab).await, call(&ac).await), (WELL, NEVER_RAN));
}

#[tokio::test(start_paused = true)]
async fn a_guard_of_an_old_run_leaves_the_new_one_alone() {
    let (chaos, network, first) = armed(&["a", "b"]);
    let ab = wire(&chaos, "a", "b");
    let (old_cut, old_held) = (
        network.partition(["a"], ["b"]).unwrap(),
        network.hold(["a"], ["b"]).unwrap(),
    );
    let old = first.disarm();
    assert_eq!(call(&ab).await, WELL);
    // Healed by the end of the run, which says so itself.
    assert_eq!(events(&old), ["partition a | b", "hold a -> b"]);

    let second = run(&chaos);
    assert_eq!(call(&ab).await, WELL);
    let new = network.partition(["a"], ["b"]).unwrap();
    drop((old_cut, old_held));
    assert_eq!(call(&ab).await, NEVER_RAN);
    assert_eq!(events(&second.ledger()), ["partition a | b"]);
    drop(second);
    drop(new);
    assert_eq!(events(&old), ["partition a | b", "hold a -> b"]);
}

#[tokio::test(start_paused = true)]
async fn a_guard_mends_a_run_whose_chaos_is_gone() {
    let chaos = Chaos::new(Seed::new(42));
    let network = chaos.network();
    network.nodes(["a", "b"]).unwrap();
    let ab = wire(&chaos, "a", "b");
    chaos.arm(&Plan::new(), TimeLimit::None).unwrap().keep();
    let cut = network.partition(["a"], ["b"]).unwrap();
    drop((chaos, network));
    assert_eq!(call(&ab).await, NEVER_RAN);
    drop(cut);
    assert_eq!(call(&ab).await, WELL);
}

#[tokio::test(start_paused = true)]
async fn a_held_message_is_let_go_though_the_chaos_is_gone() {
    let chaos = Chaos::new(Seed::new(42));
    let network = chaos.network();
    network.nodes(["a", "b"]).unwrap();
    let (service, echo) = wire(&chaos, "a", "b");
    chaos.arm(&Plan::new(), TimeLimit::None).unwrap().keep();
    let held = network.hold(["a"], ["b"]).unwrap();
    drop((chaos, network));
    let reply = tokio::spawn(tower::ServiceExt::oneshot(service, 7));
    tokio::time::sleep(ms(10)).await;
    assert_eq!(echo.began(), 0);
    held.release();
    assert_eq!(reply.await.unwrap().unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_an_old_run_meets_the_link_as_it_is() {
    let (chaos, network, first) = armed(&["a", "b"]);
    let echo = Echo::taking(ms(100));
    let service = tower::Layer::layer(&chaos.site("a->b").layer(), echo.clone());
    let reply = tokio::spawn(tower::ServiceExt::oneshot(service, 7));
    tokio::time::sleep(ms(50)).await;
    let _cut = network.partition(["a"], ["b"]).unwrap();
    drop(first);
    // The cut ended with its run, before the reply departed.
    assert_eq!(reply.await.unwrap().unwrap(), 7);
}
