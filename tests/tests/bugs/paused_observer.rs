//! 5. An observer that stood still, and takes the time that it slept for the silence of others.
//!
//! Twins differ by three lines: the monitor has a guard.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::future::LocalBoxFuture;
use murphy_chaos::fault::Verb;
use murphy_chaos::{Menu, World, always, sometimes};
use murphy_detect::detector::Fixed;
use murphy_detect::{Event, Guard, Heartbeat, Moment, Monitor};
use tokio::time::sleep;

use crate::harness::{Bug, Takes, Twin};
use crate::kit::{self, Memory};

pub(crate) const BUG: Bug = Bug {
    name: "paused-observer",
    source: include_str!("paused_observer.rs"),
    run,
    menu: || Menu::only([]).outages([Duration::from_secs(30)]).steps([]),
    runs: 260,
    breaks: "nobody is called dead for time that the observer slept",
    takes: Takes::One,
};

const INTERVAL: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(5);
/// How often the observer looks.
const TICK: Duration = Duration::from_millis(100);
const BEATS: u64 = 8;

#[derive(Debug)]
struct Watch {
    monitor: Monitor<&'static str, Fixed>,
    heard: Duration,
}

fn monitor(twin: Twin) -> Monitor<&'static str, Fixed> {
    let mut monitor = Monitor::new(Fixed::try_new(SILENCE).expect("a timeout"));
    // Twins part.
    if twin.is_fixed() {
        monitor = monitor.guard(Guard::new().tick(TICK));
    }
    // Twins meet.
    monitor
}

/// Hears the beats of one node; their body is their number.
fn observer(w: World, watch: Memory<Watch>) -> Router {
    let beat = move |State(watch): State<Memory<Watch>>, seq: String| async move {
        let Ok(seq) = seq.parse() else {
            return StatusCode::BAD_REQUEST;
        };
        let now = w.elapsed();
        let mut watch = watch.lock();
        watch.heard = now;
        let beat = Heartbeat {
            node: "db",
            incarnation: 1,
            seq,
            sent: Moment::after(INTERVAL * u32::try_from(seq).unwrap_or(0)),
            interval: INTERVAL,
        };
        match watch.monitor.record_heartbeat(Moment::after(now), &beat) {
            Ok(_) => StatusCode::OK,
            Err(_) => StatusCode::CONFLICT,
        }
    };
    Router::new().route("/beat", post(beat)).with_state(watch)
}

/// Looks at the monitor, for as long as its node lives.
async fn judge(w: World, watch: Memory<Watch>) {
    loop {
        sleep(TICK).await;
        let now = w.elapsed();
        let mut watch = watch.lock();
        while let Some(event) = watch.monitor.poll(Moment::after(now)) {
            let Event::Down { .. } = event else { continue };
            let awake = (now - watch.heard).saturating_sub(slept(&w, watch.heard, now));
            always!(
                // A guard notices a pause by a look that is late, and not to the millisecond.
                awake + INTERVAL * 2 >= SILENCE,
                "nobody is called dead for time that the observer slept",
                "{awake:?}"
            );
        }
    }
}

/// How long the observer stood still, as the ledger knows.
fn slept(w: &World, from: Duration, to: Duration) -> Duration {
    let events = w.chaos().ledger().map(|l| l.events()).unwrap_or_default();
    let (mut slept, mut since) = (Duration::ZERO, None);
    for event in events.iter().filter(|e| e.whom == "watch") {
        match event.verb {
            Verb::Pause => since = since.or(Some(event.at.max(from))),
            Verb::Resume => {
                let began = since.take().unwrap_or(to);
                slept += event.at.min(to).saturating_sub(began);
            }
            _ => {}
        }
    }
    slept
}

fn run(w: World, twin: Twin) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        let (watch, watched) = (
            w.node("watch"),
            Memory::new(Watch {
                monitor: monitor(twin),
                heard: Duration::ZERO,
            }),
        );
        w.serve("watch", observer(w.clone(), watched.clone()));
        let judging = watch.spawn(judge(w.clone(), watched.clone()));
        let client = w.client_from("db", "watch");
        for seq in 0..BEATS {
            let client = client.clone();
            // Beats do not wait for one another.
            tokio::spawn(
                async move { kit::post(&client, seq + 1, "/beat", seq.to_string()).await },
            );
            sleep(INTERVAL).await;
        }
        sleep(Duration::from_secs(40)).await;
        sometimes!(watched.lock().heard > INTERVAL, "a beat is heard");
        judging.abort();
    })
}
