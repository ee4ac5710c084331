//! Whoever comes after the run has begun: nodes, sites, services.

use murphy_core::Distribution;
use murphy_fault::{Fault, Network, Plan, Profile, Rate, TimeLimit};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::{NEVER_RAN, UNHEARD, WELL, armed, call, lines, run, wire};
use crate::support::{ALWAYS, Echo, SITE, chaos, fixed, ms, within};

#[tokio::test(start_paused = true)]
async fn sites_and_nodes_that_are_declared_late_are_links() {
    let (chaos, network, armed) = armed(&["a", "b"]);
    let cut = network.isolate("a").unwrap();
    let groups = network.partition_oneway(["b"], ["a"]).unwrap();
    // A site of nodes that were there, and one of a node that was not.
    let ab = wire(&chaos, "a", "b");
    let (ac, cb) = (wire(&chaos, "a", "c"), wire(&chaos, "c", "b"));
    assert_eq!((call(&ab).await, call(&ac).await), (NEVER_RAN, NEVER_RAN));
    assert_eq!(call(&cb).await, WELL);
    let (xy, xa) = (wire(&chaos, "x", "y"), wire(&chaos, "y", "z"));
    assert_eq!((call(&xy).await, call(&xa).await), (WELL, WELL));
    network.nodes(["x"]).unwrap();
    let late = network.isolate("z").unwrap();
    assert_eq!((call(&xy).await, call(&xa).await), (WELL, NEVER_RAN));
    drop(late);
    cut.heal();
    assert_eq!((call(&ab).await, call(&ac).await), (UNHEARD, WELL));
    drop(groups);
    let _ring = network.partition(["a", "b"], ["c", "x", "y", "z"]).unwrap();
    assert_eq!((call(&ab).await, call(&ac).await), (WELL, NEVER_RAN));
    assert_eq!(armed.ledger().summaries().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_site_of_the_plan_becomes_a_link_when_its_nodes_are_declared() {
    let chaos = chaos();
    let echo = Echo::default();
    let service = chaos.site(SITE).layer().layer(echo.clone());
    let plan = Plan::new().with(SITE, Fault::latency(fixed(5), ALWAYS).calls(0..1));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    let network = chaos.network();
    network.nodes(["api", "payments"]).unwrap();
    let cut = network.partition(["api"], ["payments"]).unwrap();
    assert!(within(ms(50), service.clone().oneshot(2)).await.is_none());
    cut.heal();
    let _cut = network.partition_oneway(["payments"], ["api"]).unwrap();
    assert!(within(ms(50), service.oneshot(3)).await.is_none());
    assert_eq!(echo.seen(), [1, 3]);
    assert_eq!(
        lines(&armed.ledger()),
        [
            "api->payments latency Delivered",
            "api->payments link.partition NeverRan",
            "api->payments link.partition.reply Ran"
        ]
    );
    // Its calls were counted all along.
    assert_eq!(armed.ledger().summaries()[0].calls, 3);
}

#[tokio::test(start_paused = true)]
async fn a_shape_knows_those_who_were_there() {
    let (chaos, network, _armed) = armed(&["a", "b", "c", "d", "e"]);
    let _ring = network.majorities_ring().unwrap();
    network.nodes(["f"]).unwrap();
    for other in ["a", "b", "c", "d", "e"] {
        assert_eq!(call(&wire(&chaos, "f", other)).await, WELL, "{other}");
    }
    assert_eq!(call(&wire(&chaos, "a", "c")).await, NEVER_RAN);
    let _alone = network.isolate("f").unwrap();
    network.nodes(["g"]).unwrap();
    assert_eq!(call(&wire(&chaos, "g", "f")).await, NEVER_RAN);
}

fn slow(network: &Network, n: u64) {
    network.profile_everywhere(&Profile::new().latency(Distribution::fixed(ms(n))));
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_that_of_the_arming_also_for_those_who_come_late() {
    let (chaos, network, first) = armed(&["a", "b"]);
    slow(&network, 10);
    let took = async |from: &str, to: &str| {
        let start = Instant::now();
        let service = wire(&chaos, from, to).0;
        service.oneshot(7).await.unwrap();
        start.elapsed()
    };
    assert_eq!(took("a", "b").await, ms(0));
    assert_eq!(took("b", "a").await, ms(0));
    drop(first);
    let _second = run(&chaos);
    assert_eq!(took("a", "b").await, ms(20));
    slow(&network, 100);
    network.nodes(["c"]).unwrap();
    assert_eq!(took("a", "c").await, ms(20));
    // The way from a node to itself is no link.
    assert_eq!(took("a", "a").await, ms(0));
    let rate = Rate::messages(10.0).unwrap();
    let queue = Profile::new().rate(rate, 8.try_into().unwrap());
    network.profile(["a"], ["b", "c"], &queue).unwrap();
    assert_eq!(took("b", "c").await, ms(20));
}
