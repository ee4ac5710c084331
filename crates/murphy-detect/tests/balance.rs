//! Liveness in front of tower's `Balance`, under a paused clock.
#![cfg(feature = "balance")]

mod common;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{fixed, ms};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use murphy_detect::balance::{LivenessDiscover, Pending, SuspicionLoad};
use murphy_detect::detector::Fixed;
use murphy_detect::{Heartbeat, Moment, Monitor, Observer};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;
use tower::balance::p2c::Balance;
use tower::discover::{Change, Discover};
use tower::load::Load;
use tower::{BoxError, Service, ServiceExt};

/// Replies with its name.
#[derive(Clone, Debug)]
struct Named {
    name: &'static str,
    load: f64,
}

impl Service<()> for Named {
    type Response = &'static str;
    type Error = Infallible;
    type Future = Ready<Result<&'static str, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(self.name))
    }
}

impl Load for Named {
    type Metric = f64;

    fn load(&self) -> f64 {
        self.load
    }
}

type Found = Change<&'static str, Named>;

const fn found(name: &'static str, load: f64) -> Found {
    Change::Insert(name, Named { name, load })
}

/// A discovery that finds what it is sent.
fn sent(
    mut changes: UnboundedReceiver<Found>,
) -> impl Stream<Item = Result<Found, Infallible>> + Unpin {
    stream::poll_fn(move |cx| changes.poll_recv(cx).map(|change| change.map(Ok)))
}

fn discovery() -> (
    UnboundedSender<Found>,
    impl Stream<Item = Result<Found, Infallible>> + Unpin,
) {
    let (found, changes) = unbounded_channel();
    (found, sent(changes))
}

type Peers = Observer<&'static str, Fixed>;

/// Dead after 3 s, and no safe mode: the floor is what is asked here.
fn peers() -> Peers {
    let (peers, driver) = Observer::new("backends", Monitor::new(fixed(3000)));
    tokio::spawn(driver.run());
    peers
}

fn hear(peers: &Peers, nodes: &[&'static str], seq: u64) {
    for &node in nodes {
        let (sent, interval) = (Moment::ZERO, Duration::from_secs(1));
        let incarnation = 1;
        let beat = Heartbeat {
            node,
            incarnation,
            seq,
            sent,
            interval,
        };
        peers.record_heartbeat(&beat).unwrap();
    }
}

/// Who answers how many of a thousand calls.
async fn answers<D>(balance: &mut Balance<D, ()>) -> BTreeMap<&'static str, u32>
where
    D: Discover<Key = &'static str> + Unpin,
    D::Error: Into<BoxError>,
    D::Service: Service<(), Response = &'static str> + Load,
    <D::Service as Load>::Metric: std::fmt::Debug,
    <D::Service as Service<()>>::Error: Into<BoxError>,
{
    let mut answers = BTreeMap::new();
    for _ in 0..1000 {
        let name = balance.ready().await.unwrap().call(()).await.unwrap();
        *answers.entry(name).or_default() += 1;
    }
    answers
}

/// "a" is picked, then "c" comes, then "a" is removed: "b" bears less than "c", and has to be called.
fn called_after_a_removal<D>(
    found_: &UnboundedSender<Found>,
    balance: &mut Balance<D, ()>,
) -> String
where
    D: Discover<Key = &'static str> + Unpin,
    D::Error: Into<BoxError>,
    D::Service: Service<(), Response = &'static str> + Load,
    <D::Service as Load>::Metric: std::fmt::Debug,
    <D::Service as Service<()>>::Error: Into<BoxError>,
{
    let changes = [
        vec![found("a", 0.0), found("b", 1.0)],
        vec![found("c", 99.0)],
        vec![Change::Remove("a")],
    ];
    for changes in changes {
        for change in changes {
            found_.send(change).unwrap();
        }
        let is_ready = balance.ready().now_or_never();
        is_ready.expect("ready").unwrap();
    }
    balance.call(()).now_or_never().unwrap().unwrap().to_owned()
}

/// If this fails, tower has mended it, and its `Balance` may be given removals.
#[tokio::test(start_paused = true)]
async fn balance_itself_calls_whoever_moved_into_the_place_of_the_removed() {
    let (found, discover) = discovery();
    let mut balance = Balance::new(discover);
    assert_eq!(called_after_a_removal(&found, &mut balance), "c");
}

#[tokio::test(start_paused = true)]
async fn behind_a_gate_it_calls_the_lightest_after_a_removal() {
    let (found, discover) = discovery();
    let discover = LivenessDiscover::new(discover, peers(), |name| *name);
    let mut balance = Balance::new(discover);
    assert_eq!(called_after_a_removal(&found, &mut balance), "b");
    let names: Vec<_> = answers(&mut balance).await.into_keys().collect();
    assert_eq!(names, ["b"], "nobody calls who is gone");
}

#[tokio::test(start_paused = true)]
async fn a_suspected_node_gets_no_calls_until_it_is_back() {
    for evicts in [false, true] {
        let (found_, discover) = discovery();
        let peers = peers();
        let discover = LivenessDiscover::new(discover, peers.clone(), |name| *name);
        let discover = if evicts {
            discover.evicting()
        } else {
            discover
        };
        let mut balance = Balance::new(discover);
        for name in ["a", "b", "c"] {
            found_.send(found(name, 1.0)).unwrap();
        }
        hear(&peers, &["a", "b", "c"], 0);
        assert_eq!(answers(&mut balance).await.len(), 3);

        sleep(ms(2000)).await;
        hear(&peers, &["a", "b"], 1);
        sleep(ms(1500)).await;
        let names: Vec<_> = answers(&mut balance).await.into_keys().collect();
        assert_eq!(names, ["a", "b"], "evicts: {evicts}");

        for seq in 2..4 {
            hear(&peers, &["a", "b", "c"], seq);
            sleep(ms(100)).await;
        }
        assert_eq!(answers(&mut balance).await.len(), 3, "evicts: {evicts}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_of_the_endpoints_stay_open_whatever_is_believed() {
    let (found_, discover) = discovery();
    let peers = peers();
    let discover = LivenessDiscover::new(discover, peers.clone(), |name| *name);
    let mut balance = Balance::new(discover);
    for name in ["a", "b", "c", "d"] {
        found_.send(found(name, 1.0)).unwrap();
    }
    for (n, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        hear(&peers, &[name], n as u64);
        sleep(ms(100)).await;
    }
    sleep(ms(10_000)).await;
    let names: Vec<_> = answers(&mut balance).await.into_keys().collect();
    // The least suspicious: those that were heard last.
    assert_eq!(names, ["c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_never_heard_of_gets_calls() {
    let (found_, discover) = discovery();
    let discover = LivenessDiscover::new(discover, peers(), |name| *name);
    let mut balance = Balance::new(discover);
    for name in ["a", "b"] {
        found_.send(found(name, 1.0)).unwrap();
    }
    assert_eq!(answers(&mut balance).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_gate_wakes_whoever_waits_at_it() {
    let (found_, discover) = discovery();
    let peers = peers();
    let mut discover = LivenessDiscover::new(discover, peers.clone(), |name| *name);
    for name in ["a", "b"] {
        found_.send(found(name, 1.0)).unwrap();
    }
    hear(&peers, &["a", "b"], 0);
    let mut services = Vec::new();
    while let Some(Some(Ok(change))) = discover.next().now_or_never() {
        if let Change::Insert(_, service) = change {
            services.push(service);
        }
    }
    sleep(ms(2000)).await;
    hear(&peers, &["b"], 1);
    sleep(ms(1500)).await;
    assert!(discover.next().now_or_never().is_none());
    let a = tokio::spawn(async move { services.remove(0).ready().await.map(|_| ()) });
    tokio::task::yield_now().await;
    assert!(!a.is_finished());
    hear(&peers, &["a"], 2);
    hear(&peers, &["a"], 3);
    // Somebody polls the discovery, as `Balance` does for each call.
    let driven = tokio::spawn(async move { discover.next().await.is_some() });
    a.await.unwrap().unwrap();
    driven.abort();
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_grows_heavier_before_it_is_suspected() {
    let peers = peers();
    hear(&peers, &["a", "b"], 0);
    sleep(ms(1500)).await;
    hear(&peers, &["b"], 1);
    let load = |name| {
        let inner = Pending::new(Named { name, load: 0.0 });
        SuspicionLoad::new(inner, peers.clone(), name).load()
    };
    assert!((load("a") - 1.5).abs() < 1e-9, "{}", load("a"));
    assert!((load("b") - 1.0).abs() < 1e-9, "{}", load("b"));
    assert!((load("never heard of") - 1.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_call_weighs_until_it_is_over_or_dropped() {
    let mut pending = Pending::new(tower::service_fn(async |wait: Duration| {
        sleep(wait).await;
        Ok::<_, Infallible>(())
    }));
    let weighs = |pending: &Pending<_>| pending.load() as u32;
    let short = pending.call(ms(10));
    let long = pending.call(ms(1000));
    assert_eq!(weighs(&pending), 3);
    short.await.unwrap();
    assert_eq!(weighs(&pending), 2);
    drop(long);
    assert_eq!(weighs(&pending), 1);
}

#[tokio::test(start_paused = true)]
async fn a_floor_below_half_is_refused() {
    let (_found, discover) = discovery();
    let discover = LivenessDiscover::new(discover, peers(), |name: &&'static str| *name);
    assert!(discover.floor(0.2).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_gate_outlives_the_discovery() {
    let peers = peers();
    hear(&peers, &["a", "b"], 0);
    let found = stream::iter([found("a", 1.0), found("b", 1.0)].map(Ok::<_, Infallible>));
    let discover = LivenessDiscover::new(found, peers.clone(), |name| *name);
    let mut balance = Balance::new(discover);
    assert_eq!(answers(&mut balance).await.len(), 2);
    sleep(ms(2000)).await;
    hear(&peers, &["a"], 1);
    sleep(ms(1500)).await;
    let names: Vec<_> = answers(&mut balance).await.into_keys().collect();
    assert_eq!(names, ["a"]);
}
