//! The layer by the name that people look for.

use murphy_fault::{NetworkError, PartitionLayer};
use tower::{Layer, ServiceExt};

use super::{NEVER_RAN, UNHEARD, WELL, call, events, lines};
use crate::support::{Echo, ms, within};

#[tokio::test(start_paused = true)]
async fn a_partition_layer_cuts_its_one_link_each_way() {
    let link = PartitionLayer::try_new("api", "payments").unwrap();
    let echo = Echo::default();
    let wire = (link.layer(echo.clone()), echo);
    assert_eq!(call(&wire).await, WELL);
    let cut = link.cut().unwrap();
    assert_eq!(call(&wire).await, NEVER_RAN);
    cut.heal();
    let requests = link.cut_requests().unwrap();
    assert_eq!(call(&wire).await, NEVER_RAN);
    drop(requests);
    let replies = link.cut_replies().unwrap();
    assert_eq!(call(&wire).await, UNHEARD);
    drop(replies);
    assert_eq!(call(&wire).await, WELL);
    let ledger = link.ledger().unwrap();
    let never = "api->payments link.partition NeverRan";
    let unheard = "api->payments link.partition.reply Ran";
    assert_eq!(lines(&ledger), [never, never, unheard]);
    let done = events(&ledger);
    assert_eq!(done[0], "partition api | payments");
    assert_eq!(done[4], "partition payments -> api");
    assert_eq!(done.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_cut_loses_the_replies_to_what_is_there_already() {
    let link = PartitionLayer::try_new("api", "payments").unwrap();
    let echo = Echo::taking(ms(10));
    let service = link.layer(echo.clone());
    let reply = tokio::spawn(within(ms(100), service.oneshot(7)));
    tokio::time::sleep(ms(5)).await;
    let _cut = link.cut().unwrap();
    assert!(reply.await.unwrap().is_none());
    assert_eq!(echo.ended(), 1);
}

#[tokio::test(start_paused = true)]
async fn clones_cut_one_link_and_two_layers_do_not() {
    let link = PartitionLayer::try_new("api", "payments").unwrap();
    let other = PartitionLayer::try_new("api", "payments").unwrap();
    let [here, there] = [link.clone(), other].map(|layer| {
        let echo = Echo::default();
        (layer.into_inner().layer(echo.clone()), echo)
    });
    let _cut = link.cut().unwrap();
    link.clone().cut_replies().unwrap().keep();
    assert_eq!((call(&here).await, call(&there).await), (NEVER_RAN, WELL));
    link.heal();
    assert_eq!(call(&here).await, WELL);
}

#[tokio::test(start_paused = true)]
async fn its_guard_heals_though_the_layer_is_gone() {
    let link = PartitionLayer::try_new("api", "payments").unwrap();
    let echo = Echo::default();
    let wire = (link.layer(echo.clone()), echo);
    let cut = link.cut().unwrap();
    drop(link);
    assert_eq!(call(&wire).await, NEVER_RAN);
    drop(cut);
    assert_eq!(call(&wire).await, WELL);
}

#[test]
fn a_link_needs_two_names() {
    let same = PartitionLayer::try_new("api", "api").unwrap_err();
    assert!(matches!(same, NetworkError::InTwoGroups { .. }), "{same}");
    for (from, to) in [("", "b"), ("a", "b->c")] {
        let bad = PartitionLayer::try_new(from, to).unwrap_err();
        assert!(matches!(bad, NetworkError::BadName { .. }), "{bad}");
    }
}
