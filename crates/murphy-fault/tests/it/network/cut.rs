//! Cuts: which legs pass, what the caller sees, what the ledger says.

use murphy_fault::{Leg, NetworkError, Outcome, Plan, Regions, TimeLimit};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

use super::{IMPATIENT, NEVER_RAN, UNHEARD, WELL, armed, call, events, lines, run, wire};
use crate::support::{Echo, chaos, ms, within};

#[tokio::test(start_paused = true)]
async fn a_cut_request_never_happened_and_a_cut_reply_did() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let (there, back) = (wire(&chaos, "a", "b"), wire(&chaos, "b", "a"));
    let cut = network.partition_oneway(["a"], ["b"]).unwrap();
    // The one link is the way of requests for one site, and of replies for the other.
    assert_eq!(call(&there).await, NEVER_RAN);
    assert_eq!(call(&back).await, UNHEARD);
    cut.heal();
    assert_eq!((call(&there).await, call(&back).await), (WELL, WELL));
    assert_eq!(
        lines(&armed.ledger()),
        [
            "a->b link.partition NeverRan",
            "b->a link.partition.reply Ran"
        ]
    );
    assert_eq!(events(&armed.ledger()), ["partition a -> b", "heal a -> b"]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_lost_that_departs_into_a_cut() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let echo = Echo::taking(ms(100));
    let service = chaos.site("a->b").layer().layer(echo.clone());
    let reply = tokio::spawn(within(ms(10_000), service.clone().oneshot(7)));
    tokio::time::sleep(ms(50)).await;
    let cut = network.partition(["a"], ["b"]).unwrap();
    tokio::time::sleep(ms(100)).await;
    // Too late: it was lost at 100 ms, not when somebody looks.
    cut.heal();
    assert!(reply.await.unwrap().is_none());
    assert_eq!((echo.began(), echo.ended()), (1, 1));
    let record = armed.ledger().records().remove(0);
    assert_eq!(
        (record.leg, record.outcome, record.at),
        (Leg::Reply, Outcome::Ran, ms(100))
    );
    assert_eq!(record.kind, "partition");
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_is_healed_before_the_reply_departs_loses_nothing() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let service = chaos.site("a->b").layer().layer(Echo::taking(ms(100)));
    let reply = tokio::spawn(service.oneshot(7));
    tokio::time::sleep(ms(50)).await;
    let cut = network.isolate("b").unwrap();
    tokio::time::sleep(ms(49)).await;
    cut.heal();
    assert_eq!(reply.await.unwrap().unwrap(), 7);
    assert!(armed.ledger().records().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cut_elsewhere_stops_no_reply_and_counts_no_call_twice() {
    let (chaos, network, armed) = armed(&["a", "b", "c"]);
    let service = chaos.site("a->b").layer().layer(Echo::taking(ms(100)));
    let reply = tokio::spawn(service.clone().oneshot(7));
    tokio::time::sleep(ms(50)).await;
    let _cut = network.isolate("c").unwrap();
    // The reply looks closer, and so does the next request.
    assert_eq!(reply.await.unwrap().unwrap(), 7);
    assert_eq!(service.oneshot(8).await.unwrap(), 8);
    assert!(armed.ledger().records().is_empty());
    assert_eq!(armed.ledger().summaries()[0].calls, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_layers_is_no_larger_than_its_first() {
    // What a link takes along lies in no future, so that a stack which is off copies nothing.
    let layer = || chaos().site("a->b").layer();
    let mut one = layer().layer(Echo::default());
    let mut four = layer().layer(layer().layer(layer().layer(one.clone())));
    let (one, four) = (one.call(7), four.call(7));
    assert_eq!(size_of_val(&four), size_of_val(&one));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_before_its_reply_departs_cancels_the_call() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let echo = Echo::taking(ms(100));
    let service = chaos.site("a->b").layer().layer(echo.clone());
    let _cut = network.partition_oneway(["b"], ["a"]).unwrap();
    assert!(within(ms(99), service.clone().oneshot(7)).await.is_none());
    tokio::time::sleep(ms(100)).await;
    assert_eq!((echo.began(), echo.ended()), (1, 0));
    assert!(armed.ledger().records().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_cut_stays_cut() {
    let (chaos, network, _armed) = armed(&["a", "b"]);
    let (service, echo) = wire(&chaos, "a", "b");
    let cut = network.partition(["a"], ["b"]).unwrap();
    let lost = tokio::spawn(within(ms(1000), service.clone().oneshot(7)));
    tokio::time::sleep(ms(10)).await;
    cut.heal();
    // Healed at once, for those who come now.
    let start = Instant::now();
    assert_eq!(service.oneshot(8).await.unwrap(), 8);
    assert_eq!(start.elapsed(), ms(0));
    assert!(lost.await.unwrap().is_none());
    assert_eq!(echo.seen(), [8]);
}

#[tokio::test(start_paused = true)]
async fn the_request_departs_when_it_is_called_and_not_when_it_is_polled() {
    let (chaos, network, _armed) = armed(&["a", "b"]);
    let (mut service, echo) = wire(&chaos, "a", "b");
    let before = service.ready().await.unwrap().call(1);
    let cut = network.partition_oneway(["a"], ["b"]).unwrap();
    let during = service.ready().await.unwrap().call(2);
    cut.heal();
    assert_eq!(before.await.unwrap(), 1);
    assert!(within(IMPATIENT, during).await.is_none());
    assert_eq!(echo.seen(), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_cut_is_refused_by_name_and_nothing_is_changed() {
    let (chaos, network, armed) = armed(&["a", "b", "c"]);
    let ab = wire(&chaos, "a", "b");
    let refused = |error: NetworkError, words: &[&str]| {
        let text = error.to_string();
        for word in words {
            assert!(text.contains(word), "{text}: no {word}");
        }
    };
    let unknown = network.partition(["a"], ["bee"]).unwrap_err();
    refused(unknown, &["`bee`", "Network::nodes"]);
    refused(
        network.isolate("aa").unwrap_err(),
        &["`aa`", "did you mean `a`?"],
    );
    let left = network.partition(["a"], ["b"]).unwrap_err();
    refused(left, &["`c`", "in no group"]);
    let twice = network.partition(["a", "b"], ["b", "c"]).unwrap_err();
    refused(twice, &["`b`", "in two groups"]);
    let same = network.partition(["a", "a"], ["b", "c"]).unwrap_err();
    refused(same, &["`a`", "in two groups"]);
    let groups = [["a", "b"], ["c", "a"]];
    refused(network.partition_groups(groups).unwrap_err(), &["`a`"]);
    refused(
        network.partition_groups([["a"], ["b"]]).unwrap_err(),
        &["`c`"],
    );
    let nobody = network.partition([""; 0], ["a", "b", "c"]).unwrap_err();
    refused(nobody, &["group 0"]);
    let nobody = network.partition_oneway(["a"], [""; 0]).unwrap_err();
    refused(nobody, &["group 1"]);
    refused(
        network.hold(["a"], ["a"]).unwrap_err(),
        &["`a`", "two groups"],
    );
    refused(
        network.bridge("b", ["a"], ["b", "c"]).unwrap_err(),
        &["`b`"],
    );
    refused(network.bridge("b", ["a"], ["a"]).unwrap_err(), &["`a`"]);
    refused(network.repair_link("a", "x").unwrap_err(), &["`x`"]);
    refused(network.link("x", "a").unwrap_err(), &["`x`"]);
    let twice = network.place(&Regions::AWS, [("a", "us-east-1"), ("a", "eu-west-1")]);
    refused(twice.unwrap_err(), &["`a`", "two groups"]);
    let where_to = network.place(&Regions::AWS, [("a", "us-east-1"), ("b", "eu-west-7")]);
    refused(
        where_to.unwrap_err(),
        &["eu-west-7", "did you mean `eu-west-1`?"],
    );
    refused(
        network
            .place(&Regions::AWS, [("x", "us-east-1")])
            .unwrap_err(),
        &["`x`"],
    );
    assert_eq!(call(&ab).await, WELL);
    assert_eq!(events(&armed.ledger()), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn two_nodes_have_no_ring_and_no_name_is_an_arrow() {
    let (_, network, _armed) = armed(&["a", "b"]);
    let error = network.majorities_ring().unwrap_err();
    assert_eq!(error, NetworkError::TooFew { have: 2, need: 3 });
    let long = "x".repeat(257);
    for bad in ["", "a->b", &*long] {
        let error = network.nodes(["c", bad]).unwrap_err();
        assert!(matches!(error, NetworkError::BadName { .. }), "{bad}");
    }
    // All or none: `c` is not there either.
    assert_eq!(network.names().len(), 2);
    network.nodes([&long[1..]]).unwrap();
    network.nodes(["a", "a", "b"]).unwrap();
    assert_eq!(network.names().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_network_has_so_many_nodes_and_so_many_disturbances() {
    let (_, network, armed) = armed(&["a", "b"]);
    let many: Vec<String> = (0..murphy_fault::MOST_NODES - 1)
        .map(|n| n.to_string())
        .collect();
    let error = network.nodes(&many).unwrap_err();
    assert!(error.to_string().contains("65536 nodes"), "{error}");
    assert_eq!(network.names().len(), 2);
    network.nodes(&many[1..]).unwrap();

    let cuts: Vec<_> = (0..1024).map(|_| network.isolate("a").unwrap()).collect();
    let error = network.isolate("a").unwrap_err();
    assert!(error.to_string().contains("1024 disturbances"), "{error}");
    // What was refused did not happen.
    assert_eq!(armed.ledger().events().len(), 1024);
    drop(cuts);
    assert!(network.isolate("a").is_ok());
}

#[tokio::test(start_paused = true)]
async fn without_a_run_the_world_is_left_alone() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["a", "b", "c"]).unwrap();
    let refusals = [
        network.partition(["a"], ["b", "c"]).unwrap_err(),
        network
            .partition_groups([vec!["a"], vec!["b", "c"]])
            .unwrap_err(),
        network.partition_oneway(["a"], ["b"]).unwrap_err(),
        network.isolate("a").unwrap_err(),
        network.bridge("a", ["b"], ["c"]).unwrap_err(),
        network.majorities_ring().unwrap_err(),
        network.hold(["a"], ["b"]).unwrap_err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, NetworkError::NotArmed(_)), "{refusal}");
    }
    network.repair();
    network.release();
    network.repair_link("a", "b").unwrap();
    let ab = wire(&chaos, "a", "b");
    let armed = run(&chaos);
    assert_eq!(call(&ab).await, WELL);
    assert_eq!(events(&armed.ledger()), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn repairs_say_so_only_where_something_was_broken() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let ab = wire(&chaos, "a", "b");
    network.repair();
    network.release();
    network.repair_link("a", "b").unwrap();
    assert_eq!(events(&armed.ledger()), [""; 0]);
    let cut = network.partition(["a"], ["b"]).unwrap();
    network.release();
    network.repair_link("a", "b").unwrap();
    assert_eq!(call(&ab).await, UNHEARD);
    network.repair_link("b", "a").unwrap();
    network.repair_link("b", "a").unwrap();
    assert_eq!(call(&ab).await, WELL);
    network.repair();
    drop(cut);
    assert_eq!(
        events(&armed.ledger()),
        [
            "partition a | b",
            "heal a -> b",
            "heal b -> a",
            "heal all links"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_link_is_not_cut() {
    let (chaos, network, _armed) = armed(&["a", "b"]);
    let (strangers, alone) = (wire(&chaos, "x", "y"), wire(&chaos, "a", "a"));
    let _cut = network.isolate("a").unwrap();
    assert_eq!((call(&strangers).await, call(&alone).await), (WELL, WELL));
}

#[tokio::test(start_paused = true)]
async fn whoever_calls_a_node_is_in_its_network() {
    let (chaos, network, _armed) = armed(&["a", "b"]);
    // One site is there before anybody calls it a node, and one hangs on the other.
    let (far, client) = (wire(&chaos, "edge", "client"), wire(&chaos, "client", "a"));
    assert_eq!(network.names().len(), 4);
    let cut = network.isolate("client").unwrap();
    assert_eq!(
        (call(&far).await, call(&client).await),
        (NEVER_RAN, NEVER_RAN)
    );
    cut.heal();
    let refused = network.partition(["a"], ["b"]).unwrap_err().to_string();
    assert!(refused.contains("`client` is in no group"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn several_networks_live_in_one_process() {
    let (chaos, network, armed_one) = armed(&["a", "b"]);
    let (other, _, armed_other) = armed(&["a", "b"]);
    let (here, there) = (wire(&chaos, "a", "b"), wire(&other, "a", "b"));
    let _cut = network.partition(["a"], ["b"]).unwrap();
    assert_eq!((call(&here).await, call(&there).await), (NEVER_RAN, WELL));
    assert_eq!(armed_one.ledger().records().len(), 1);
    assert!(armed_other.ledger().records().is_empty());
    assert!(armed_other.ledger().events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_spared_pass_through_a_cut() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["a", "b"]).unwrap();
    let echo = Echo::default();
    let layer = chaos.site("a->b").layer();
    let service = layer
        .matching(|request: &u64, word| word == "health" && *request == 0)
        .layer(echo.clone());
    let plan = Plan::new().limits(|l| l.exclude = vec!["health".into()]);
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let _cut = network.partition(["a"], ["b"]).unwrap();
    assert_eq!(service.clone().oneshot(0).await.unwrap(), 0);
    assert!(within(IMPATIENT, service.oneshot(1)).await.is_none());
    assert_eq!(lines(&armed.ledger()), ["a->b link.partition NeverRan"]);
}

#[tokio::test(start_paused = true)]
async fn one_group_is_no_partition() {
    let (_, network, armed) = armed(&["a", "b"]);
    for groups in [vec![], vec![vec!["a", "b"]]] {
        let refused = network.partition_groups(groups).unwrap_err();
        assert!(
            matches!(refused, NetworkError::TooFewGroups { .. }),
            "{refused}"
        );
    }
    assert!(armed.ledger().events().is_empty());
}
