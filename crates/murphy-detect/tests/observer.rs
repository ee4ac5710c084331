//! Observers and those who beat, under a paused clock.

mod common;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use common::{fixed, ms};
use futures_util::{FutureExt, StreamExt};
use murphy_detect::detector::Fixed;
use murphy_detect::{
    Event, Guard, Heartbeat, HeartbeatAck, HeartbeatLayer, Heartbeater, Lagged, Liveness, Moment,
    Monitor, Observer, Verdict,
};
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};

type Peers = Observer<&'static str, Fixed>;

/// Dead after 3 s.
fn peers() -> Peers {
    Observer::spawn("peers", fixed(3000))
}

const fn beat(node: &'static str, incarnation: u64, seq: u64) -> Heartbeat<&'static str> {
    Heartbeat {
        node,
        incarnation,
        seq,
        sent: Moment::ZERO,
        interval: Duration::from_secs(1),
    }
}

/// A driver that has nothing to wait for has done everything.
async fn settled() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn events_come_at_their_moment() {
    let peers = peers();
    let mut events = peers.events();
    peers.record_heartbeat(&beat("a", 1, 0)).unwrap();
    let began = Instant::now();
    let mut told = Vec::new();
    while told.len() < 3 {
        let event = events.next().await.unwrap().unwrap();
        told.push((began.elapsed().as_millis(), event));
    }
    let silent = ms(3000);
    let (node, incarnation) = ("a", 1);
    assert_eq!(
        told,
        [
            (0, Event::Up { node, incarnation }),
            (3000, Event::Suspect { node, silent }),
            (3000, Event::Down { node, silent }),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_how_much_it_missed() {
    let (peers, driver) = Observer::new("peers", Monitor::new(fixed(3000)));
    tokio::spawn(driver.run());
    let mut events = peers.events();
    for life in 0..5000 {
        peers.record_heartbeat(&beat("a", life, 0)).unwrap();
    }
    settled().await;
    assert_eq!(events.next().await, Some(Err(Lagged { missed: 904 })));
    assert!(matches!(
        events.next().await,
        Some(Ok(Event::Restarted { new: 904, .. }))
    ));
    assert_eq!(peers.snapshot(), [("a", Liveness::Alive)]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_follows_one_node() {
    let peers = peers();
    let mut a = peers.watch(&"a");
    assert_eq!(*a.borrow_and_update(), Liveness::Unknown);
    peers.record_heartbeat(&beat("b", 1, 0)).unwrap();
    settled().await;
    assert!(!a.has_changed().unwrap());
    peers.record_heartbeat(&beat("a", 1, 0)).unwrap();
    a.changed().await.unwrap();
    assert_eq!(*a.borrow_and_update(), Liveness::Alive);
    a.changed().await.unwrap();
    assert!(a.borrow_and_update().is_dead());
}

#[tokio::test(start_paused = true)]
async fn the_live_set_changes_once_a_turn() {
    let peers = peers();
    let mut live = peers.live_set();
    assert_eq!(**live.borrow_and_update(), [""; 0]);
    for node in ["b", "a", "c"] {
        peers.record_heartbeat(&beat(node, 1, 0)).unwrap();
    }
    live.changed().await.unwrap();
    assert_eq!(**live.borrow_and_update(), ["b", "a", "c"]);
    settled().await;
    assert!(!live.has_changed().unwrap());
    advance(ms(2000)).await;
    peers.record_heartbeat(&beat("a", 1, 1)).unwrap();
    live.changed().await.unwrap();
    assert_eq!(**live.borrow_and_update(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn the_driver_ends_with_the_last_observer() {
    let (peers, driver) = Observer::new("peers", Monitor::new(fixed(3000)));
    let driver = tokio::spawn(driver.run());
    let mut events = peers.events();
    let clone: Peers = peers.clone();
    drop(peers);
    settled().await;
    assert!(!driver.is_finished());
    let dropped = Instant::now();
    drop(clone);
    driver.await.unwrap();
    assert_eq!(
        dropped.elapsed(),
        Duration::ZERO,
        "at once, not at its next look"
    );
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_sooner_deadline_wakes_the_driver() {
    let (peers, driver) = Observer::new("peers", Monitor::new(fixed(60_000)));
    tokio::spawn(driver.run());
    peers.record_heartbeat(&beat("a", 1, 0)).unwrap();
    settled().await;
    let mut events = peers.events();
    advance(ms(50_000)).await;
    peers.record_heartbeat(&beat("b", 1, 0)).unwrap();
    let up = events.next().await.unwrap().unwrap();
    assert_eq!(up.node(), Some(&"b"));
    assert_eq!(events.next().await.unwrap().unwrap().node(), Some(&"a"));
}

#[tokio::test(start_paused = true)]
async fn a_stall_of_the_observer_kills_none_of_a_hundred() {
    let names: Vec<String> = (0..100).map(|n| format!("node-{n}")).collect();
    for stall in [5, 20, 60] {
        let (peers, driver) = Observer::new("peers", Monitor::new(fixed(3000)).guard(Guard::new()));
        tokio::spawn(driver.run());
        let mut events = peers.events();
        let mut seq = 0;
        let mut beats = |peers: &Observer<String, Fixed>, crashed: bool| {
            seq += 1;
            for (n, node) in names.iter().enumerate() {
                if n == 0 && crashed {
                    continue;
                }
                let (node, interval) = (node.clone(), ms(1000));
                let sent = Moment::ZERO;
                let beat = Heartbeat {
                    node,
                    incarnation: 1,
                    seq,
                    sent,
                    interval,
                };
                peers.record_heartbeat(&beat).unwrap();
            }
        };
        for _ in 0..10 {
            beats(&peers, false);
            sleep(ms(1000)).await;
        }
        // Nothing runs meanwhile: that is what `advance` does. One of them crashes.
        advance(Duration::from_secs(stall)).await;
        let resumed = Instant::now();
        for _ in 0..10 {
            beats(&peers, true);
            sleep(ms(1000)).await;
        }
        let mut downs = Vec::new();
        while let Some(Some(Ok(event))) = events.next().now_or_never() {
            if let Event::Down { node, .. } = event {
                downs.push(node);
            }
        }
        assert_eq!(downs, ["node-0"], "after {stall} s");
        let since = peers.with(|monitor, now| match monitor.liveness(&names[0], now) {
            Liveness::Dead { since } => now.since(since),
            other => panic!("{other:?}"),
        });
        let found = resumed.elapsed() - since;
        assert!(found <= ms(3000 + 1000), "found {found:?} after the stall");
    }
}

#[tokio::test(start_paused = true)]
async fn the_service_is_always_ready_and_says_what_became_of_a_beat() {
    let peers = peers();
    let mut service = peers.service();
    let mut told = |beat| {
        assert!(service.ready().now_or_never().is_some());
        let ack = service.call(beat).now_or_never().unwrap().unwrap();
        ack.verdict
    };
    assert_eq!(told(beat("a", 2, 0)), Verdict::Alive);
    assert_eq!(told(beat("a", 2, 0)), Verdict::Duplicate);
    assert_eq!(told(beat("a", 1, 9)), Verdict::Renew { known: 2 });
    assert_eq!(told(beat("b", u64::MAX, 0)), Verdict::Refused);
    sleep(ms(4000)).await;
    let mut told = |beat| service.call(beat).now_or_never().unwrap().unwrap().verdict;
    assert_eq!(told(beat("a", 2, 1)), Verdict::Recovering);
    assert_eq!(told(beat("a", 2, 2)), Verdict::Alive);
}

/// Notes when each beat came, and answers as it is told.
type Noted = Arc<Mutex<Vec<(u128, u64, u64)>>>;

fn note(noted: &Noted, began: Instant, beat: &Heartbeat<&'static str>) {
    let came = (began.elapsed().as_millis(), beat.incarnation, beat.seq);
    noted.lock().unwrap().push(came);
}

#[tokio::test(start_paused = true)]
async fn beats_that_were_missed_are_left_out() {
    let noted = Noted::default();
    let began = Instant::now();
    let to = service_fn({
        let noted = noted.clone();
        move |beat| {
            note(&noted, began, &beat);
            async { Ok::<_, Infallible>(None) }
        }
    });
    let node = Heartbeater::new("a", ms(1000)).unwrap().incarnation(1);
    let _beating = node.spawn(to);
    sleep(ms(1500)).await;
    advance(ms(5500)).await;
    sleep(ms(1500)).await;
    let came: Vec<(u128, u64)> = noted.lock().unwrap().iter().map(|c| (c.0, c.2)).collect();
    assert_eq!(came, [(0, 0), (1000, 1), (7000, 2), (8000, 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_beat_that_hangs_is_given_up_when_the_next_is_due() {
    let noted = Noted::default();
    let began = Instant::now();
    let to = service_fn({
        let noted = noted.clone();
        move |beat: Heartbeat<&'static str>| {
            note(&noted, began, &beat);
            async move {
                match beat.seq {
                    1 => std::future::pending().await,
                    2 => Err("no route"),
                    _ => Ok(None),
                }
            }
        }
    });
    let beating = Heartbeater::new("a", ms(1000)).unwrap().spawn(to);
    sleep(ms(4500)).await;
    let came: Vec<u128> = noted.lock().unwrap().iter().map(|c| c.0).collect();
    assert_eq!(came, [0, 1000, 2000, 3000, 4000]);
    assert_eq!((beating.sent(), beating.failed()), (3, 2));
    beating.stop();
    sleep(ms(5000)).await;
    assert_eq!(noted.lock().unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_told_of_a_later_life_begins_one_above_it() {
    let peers = peers();
    peers.record_heartbeat(&beat("a", 1 << 60, 0)).unwrap();
    let node = Heartbeater::new("a", ms(1000)).unwrap().incarnation(5);
    let beating = node.spawn(peers.service());
    sleep(ms(5500)).await;
    assert_eq!(beating.incarnation(), (1 << 60) + 1);
    assert!(peers.is_alive(&"a"));
}

#[tokio::test(start_paused = true)]
async fn replies_are_signs_of_life_and_failures_are_nothing() {
    let peers = peers();
    peers.record_heartbeat(&beat("a", 1, 0)).unwrap();
    let client = HeartbeatLayer::new(peers.clone(), "a")
        .counting(|status: &u16| *status < 500)
        .layer(service_fn(async |status: Result<u16, &'static str>| status));
    sleep(ms(2000)).await;
    client.clone().oneshot(Ok(200)).await.unwrap();
    sleep(ms(2000)).await;
    assert!(peers.is_alive(&"a"), "it answered");
    client.clone().oneshot(Ok(503)).await.unwrap();
    client.oneshot(Err("refused")).await.unwrap_err();
    sleep(ms(1000)).await;
    settled().await;
    assert!(peers.liveness(&"a").is_dead());
}

#[tokio::test(start_paused = true)]
async fn events_are_a_stream() {
    let peers = peers();
    let events = peers.events().into_stream();
    peers.record_heartbeat(&beat("a", 1, 0)).unwrap();
    let told: Vec<_> = events
        .take(2)
        .map(|event| event.unwrap().node().copied())
        .collect()
        .await;
    assert_eq!(told, [Some("a"), Some("a")]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_interval_is_refused_by_name() {
    let error = Heartbeater::new("a", Duration::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "`interval = 0ns`: use 1 ms to an hour");
}

#[tokio::test(start_paused = true)]
async fn an_answer_tells_the_round_trip() {
    let peers = peers();
    let sent = Moment::after(ms(7));
    let ack: HeartbeatAck = peers
        .service()
        .oneshot(Heartbeat {
            sent,
            ..beat("a", 1, 0)
        })
        .await
        .unwrap();
    assert_eq!(ack.echo, sent);
}

#[tokio::test(start_paused = true)]
async fn a_beat_that_waits_for_its_task_is_heard_before_anybody_is_judged() {
    let monitor = Monitor::new(fixed(3000)).guard(Guard::new());
    let (peers, driver) = Observer::new("peers", monitor);
    tokio::spawn(driver.run());
    peers.record_heartbeat(&beat("a", 1, 0)).unwrap();
    let recorder = tokio::spawn({
        let peers = peers.clone();
        async move {
            sleep(ms(3000)).await;
            // As what a socket wakes: it takes a turn more.
            tokio::task::yield_now().await;
            peers.record_heartbeat(&beat("a", 1, 1)).unwrap();
        }
    });
    recorder.await.unwrap();
    settled().await;
    assert_eq!(peers.with(|monitor, _| monitor.counts().suspicions), 0);
    assert!(peers.is_alive(&"a"));
}
