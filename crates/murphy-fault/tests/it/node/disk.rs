//! What a node remembers.

use murphy_fault::BadCell;

use super::node;

#[tokio::test(start_paused = true)]
async fn what_is_durable_survives_a_crash_and_nothing_else_does() {
    let (_chaos, node, _armed) = node();
    let disk = node.durable::<String>("log").unwrap();
    let memory = node.memory(0);
    assert_eq!(disk.get(), None);
    disk.store("one".into()).unwrap();
    disk.set("two".into()).unwrap();
    memory.set(2).unwrap();
    assert_eq!((disk.get().as_deref(), memory.get()), (Some("two"), 2));
    assert_eq!(disk.stored().as_deref(), Some("one"));

    let down = node.crash().unwrap();
    assert_eq!((disk.get().as_deref(), memory.get()), (Some("one"), 0));
    assert!(disk.store("x".into()).is_err() && disk.set("x".into()).is_err());
    assert!(disk.sync().is_err() && memory.set(9).is_err());
    drop(down);
    assert_eq!((disk.get().as_deref(), memory.get()), (Some("one"), 0));
    disk.sync().unwrap();
    assert_eq!(
        disk.get().as_deref(),
        Some("one"),
        "what was lost is not synced"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_synced_survives() {
    let (_chaos, node, _armed) = node();
    let disk = node.durable::<u64>("term").unwrap();
    disk.sync().unwrap();
    disk.set(1).unwrap();
    disk.sync().unwrap();
    node.restart().unwrap();
    assert_eq!(disk.get(), Some(1));
    disk.set(2).unwrap();
    disk.store(3).unwrap();
    assert_eq!((disk.get(), disk.stored()), (Some(3), Some(3)));
}

#[tokio::test(start_paused = true)]
async fn one_name_is_one_cell_of_one_type() {
    let (chaos, node, _armed) = node();
    node.durable::<u64>("term").unwrap().store(7).unwrap();
    assert_eq!(node.durable::<u64>("term").unwrap().get(), Some(7));
    assert_eq!(chaos.node("b").durable::<u64>("term").unwrap().get(), None);
    let wrong = node.durable::<String>("term").unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "node `a`: `term` was asked for as `alloc::string::String`, and holds a `u64`"
    );
    for n in 1..65_536 {
        node.durable::<u64>(&n.to_string()).unwrap();
    }
    let full = node.durable::<u64>("late").unwrap_err();
    assert!(matches!(full, BadCell::TooMany { .. }), "{full}");
    assert!(node.durable::<u64>("term").is_ok(), "what is there stays");
}

#[tokio::test(start_paused = true)]
async fn an_unread_value_of_a_past_life_is_not_resurrected() {
    let (_chaos, node, _armed) = node();
    let (disk, memory) = (node.durable::<u64>("d").unwrap(), node.memory(0));
    disk.set(1).unwrap();
    memory.set(1).unwrap();
    // Two lives later, nobody having looked in between.
    node.restart().unwrap();
    node.restart().unwrap();
    assert_eq!((disk.get(), memory.get()), (None, 0));
}
