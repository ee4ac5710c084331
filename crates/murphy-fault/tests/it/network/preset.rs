//! Presets: a link that is said to have a round trip of x has one of x.

use std::time::Duration;

use murphy_core::{Distribution, Probability};
use murphy_fault::{Access, Basis, Leg, Network, Outcome, Profile, Regions};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::{call, lines, run, wire};
use crate::support::{Echo, chaos, fixed, ms, within};

/// As a timer of tokio's has it: whole milliseconds, rounded up.
fn whole(way: Duration) -> Duration {
    ms(way.as_nanos().div_ceil(1_000_000) as u64)
}

/// How long one call takes from `a` to `b`.
async fn round_trip(describe: impl FnOnce(&Network)) -> Duration {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["a", "b"]).unwrap();
    describe(&network);
    let (service, _) = wire(&chaos, "a", "b");
    let armed = run(&chaos);
    let start = Instant::now();
    service.oneshot(7).await.unwrap();
    // What a link is like is no fault.
    assert_eq!(lines(&armed.ledger()), [""; 0]);
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn regions_are_as_far_apart_as_published() {
    let aws = Regions::AWS;
    let mut pairs = 0;
    for here in aws.names() {
        for there in aws.names() {
            let rtt = aws.rtt(here, there).unwrap();
            assert_eq!(rtt, aws.rtt(there, here).unwrap(), "{here} {there}");
            let took = round_trip(|network| {
                network.place(&aws, [("a", *here), ("b", *there)]).unwrap();
            });
            // Each leg is rounded up by itself, and no more than that.
            assert_eq!(took.await, 2 * whole(rtt / 2), "{here} {there}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 64);
    assert_eq!(
        aws.rtt("us-east-1", "eu-west-1").unwrap(),
        Duration::from_micros(70_500)
    );
    let error = aws.rtt("us-east-1", "eu-wset-1").unwrap_err().to_string();
    assert!(error.contains("did you mean `eu-west-1`?"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn everybody_who_is_placed_is_apart_and_nobody_else() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["a", "b", "c", "x"]).unwrap();
    let places = [("a", "us-east-1"), ("b", "us-east-1"), ("c", "eu-west-1")];
    network.place(&Regions::AWS, places).unwrap();
    let wires = [("a", "b"), ("a", "c"), ("c", "b"), ("a", "x")];
    let services = wires.map(|(from, to)| wire(&chaos, from, to).0);
    let _armed = run(&chaos);
    let mut took = Vec::new();
    for service in services {
        let start = Instant::now();
        service.oneshot(7).await.unwrap();
        took.push(start.elapsed());
    }
    assert_eq!(took, [ms(2), ms(72), ms(72), ms(0)]);
}

#[tokio::test(start_paused = true)]
async fn access_is_as_slow_as_published() {
    for access in Access::ALL {
        // Without bytes its rate costs nothing, and what is lost and sent again is in the ledger.
        let (up, down) = (access.up(), access.down());
        let took = {
            let chaos = chaos();
            let network = chaos.network();
            network.nodes(["phone", "api"]).unwrap();
            network.access("phone", &access).unwrap();
            let layer = chaos.site("phone->api").layer();
            let layer = layer.sizing(|_: &u64| 0, |_: &u64| 0);
            let service = layer.layer(Echo::default());
            let armed = run(&chaos);
            let mut took = Vec::new();
            for _ in 0..200 {
                let start = Instant::now();
                service.clone().oneshot(7).await.unwrap();
                took.push(start.elapsed());
            }
            let resent = armed.ledger().records();
            assert!(resent.iter().all(|r| r.kind == "resend"), "{resent:?}");
            took.into_iter().min().unwrap()
        };
        assert_eq!(took, 2 * whole(access.rtt() / 2), "{}", access.name());
        for profile in [up, down] {
            let source = profile.source().unwrap();
            assert_eq!(
                (source.preset, source.basis),
                (access.name(), Basis::RoundTrip)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_cost_what_the_access_says_each_way() {
    // 700 kbit/s are 87,500 bytes a second; a tenth of a second each way, and 300 ms of round trip.
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["api", "phone"]).unwrap();
    network.access("phone", &Access::REGULAR_3G).unwrap();
    let layer = chaos.site("phone->api").layer();
    let service = layer
        .sizing(|size: &u64| *size, |size: &u64| *size)
        .layer(Echo::default());
    let _armed = run(&chaos);
    let start = Instant::now();
    service.oneshot(8750).await.unwrap();
    assert_eq!(start.elapsed(), ms(500));

    // What a device sends is slower than what it is sent.
    let (up, down) = (Access::SLOW_4G.up(), Access::SLOW_4G.down());
    assert!(up.to_string().contains("93750B/s"), "{up}");
    assert!(down.to_string().contains("204800B/s"), "{down}");
}

#[test]
fn every_preset_says_where_it_is_from() {
    let aws = Regions::AWS;
    let pairs = aws
        .names()
        .iter()
        .map(|to| aws.between("us-east-1", to).unwrap());
    let access = Access::ALL.iter().flat_map(|a| [a.up(), a.down()]);
    for profile in pairs.chain(access) {
        let source = profile.source().expect("a source");
        for text in [source.preset, source.publisher, source.date] {
            assert!(!text.trim().is_empty(), "{source}");
        }
        assert!(source.date.starts_with("20"), "{source}");
        assert!(source.to_string().contains("round trip"), "{source}");
        // What is not measured says so.
        let judged = source.to_string().contains("judgement");
        assert!(source.measured || judged, "{source}");
    }
    assert_eq!(Profile::new().source(), None);
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_one_way() {
    let slow = Profile::new().latency(fixed(30));
    let there = round_trip(|n| n.profile(["a"], ["b"], &slow).unwrap()).await;
    let back = round_trip(|n| n.profile(["b"], ["a"], &slow).unwrap()).await;
    let both = round_trip(|n| n.profile(["a", "b"], ["a", "b"], &slow).unwrap()).await;
    let all = round_trip(|n| n.profile_everywhere(&slow)).await;
    let over = round_trip(|n| {
        n.profile_everywhere(&slow);
        n.profile(["a"], ["b"], &Profile::new()).unwrap();
    });
    assert_eq!((there, back, both, all), (ms(30), ms(30), ms(60), ms(60)));
    assert_eq!(over.await, ms(30));
}

#[tokio::test(start_paused = true)]
async fn a_lossy_link_loses_each_way_and_says_so() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["a", "b"]).unwrap();
    let half = Probability::try_new(0.5).unwrap();
    network.profile_everywhere(&Profile::new().losing(half));
    let (service, echo) = wire(&chaos, "a", "b");
    let armed = run(&chaos);
    let mut heard = 0;
    for n in 0..1000 {
        heard += u64::from(within(ms(5), service.clone().oneshot(n)).await.is_some());
    }
    let count = |fault: &str| {
        let records = armed.ledger().records();
        records
            .iter()
            .filter(|r| r.fault == fault && r.outcome != Outcome::Nothing)
            .count() as u64
    };
    let (requests, replies) = (count("link.loss"), count("link.loss.reply"));
    assert!((400..600).contains(&requests), "{requests}");
    assert!((200..300).contains(&replies), "{replies}");
    assert_eq!(
        (echo.began(), heard),
        (1000 - requests, 1000 - requests - replies)
    );
    // A perfect loss is none.
    assert_eq!(Profile::new().losing(Probability::NEVER), Profile::new());
    assert_eq!(
        Profile::new().resending(Probability::NEVER, ms(5)),
        Profile::new()
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_beneath_tcp_is_late() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["a", "b"]).unwrap();
    let often = Probability::try_new(0.3).unwrap();
    let resending = Profile::new().resending(often, ms(100));
    network.profile(["a"], ["b"], &resending).unwrap();
    let (service, echo) = wire(&chaos, "a", "b");
    let armed = run(&chaos);
    let mut took = Vec::new();
    for n in 0..500 {
        let start = Instant::now();
        service.clone().oneshot(n).await.unwrap();
        took.push(start.elapsed());
    }
    assert_eq!(echo.ended(), 500);
    let late = took.iter().filter(|t| !t.is_zero()).count();
    assert!((110..190).contains(&late), "{late}");
    // A round trip and 200 ms, then twice that on top, and so on.
    let waits = [
        ms(0),
        ms(300),
        ms(900),
        ms(2100),
        ms(4500),
        ms(9300),
        ms(18_900),
        ms(38_100),
    ];
    assert!(took.iter().all(|t| waits.contains(t)), "{took:?}");
    assert!(took.contains(&ms(900)));
    let records = armed.ledger().records();
    let told: Vec<_> = records.iter().filter_map(|r| r.magnitude).collect();
    let felt: Vec<_> = took.into_iter().filter(|t| !t.is_zero()).collect();
    assert_eq!(told, felt);
    assert!(
        records
            .iter()
            .all(|r| (&*r.fault, r.leg) == ("link.loss", Leg::Request))
    );
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_feel_and_a_cut_is_a_cut() {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["a", "b"]).unwrap();
    let slow = Profile::new().latency(Distribution::fixed(ms(10)));
    network.profile_everywhere(&slow);
    let ab = wire(&chaos, "a", "b");
    let armed = run(&chaos);
    assert_eq!(call(&ab).await, (true, true));
    // Cut while the request is on the wire: it has departed.
    let reply = tokio::spawn(within(ms(50), ab.0.clone().oneshot(7)));
    tokio::time::sleep(ms(5)).await;
    let cut = network.partition_oneway(["a"], ["b"]).unwrap();
    assert!(reply.await.unwrap().is_some());
    drop(cut);
    // Cut while the reply is on the wire: the same.
    let reply = tokio::spawn(within(ms(50), ab.0.clone().oneshot(7)));
    tokio::time::sleep(ms(15)).await;
    let cut = network.partition(["a"], ["b"]).unwrap();
    assert!(reply.await.unwrap().is_some());
    assert_eq!(call(&ab).await, (false, false));
    drop(cut);
    assert_eq!(lines(&armed.ledger()), ["a->b link.partition NeverRan"]);
}
