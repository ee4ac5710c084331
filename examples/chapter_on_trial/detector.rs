//! `FailureDetector`: five nodes beat every two seconds, and one observer judges them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::select;
use murphy_chaos::{Menu, World, always};
use murphy_core::clock::{Clock, Offset, Wall};
use murphy_detect::detector::Fixed;
use murphy_detect::{Event, Guard, Heartbeat, Moment, Monitor, Observer};
use tokio::time::sleep;

use crate::trial::Trial;

const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];
const INTERVAL: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(10);
const BEATS: u64 = 12;
/// How often the observer looks.
const LOOKS: Duration = Duration::from_millis(500);
const PROMISE: &str = "who beats is not dead: not all five at once";

pub(crate) fn stepped() -> Trial {
    Trial {
        snippet: "FailureDetector, its clock set",
        name: "detector-step",
        menu: Menu::only([]).outages([]),
        breaks: &["step"],
        ..paused()
    }
}

pub(crate) fn paused() -> Trial {
    Trial {
        snippet: "FailureDetector, itself paused",
        name: "detector-pause",
        chapter: |w| Box::pin(chapter(w)),
        twin: |w| Box::pin(twin(w)),
        made_of: "Monitor, Guard",
        menu: Menu::only([]).outages([Duration::from_secs(15)]).steps([]),
        breaks: &["pause"],
    }
}

/// As the chapter has it, with its clock for `time.time()`.
#[derive(Default)]
struct FailureDetector {
    last_heartbeat: BTreeMap<&'static str, Wall>,
}

impl FailureDetector {
    fn record_heartbeat(&mut self, node: &'static str, now: Wall) {
        self.last_heartbeat.insert(node, now);
    }

    fn get_dead_nodes(&self, now: Wall) -> Vec<&'static str> {
        let late = |last: &Wall| now - *last > Offset::ahead(TIMEOUT);
        let dead = self.last_heartbeat.iter().filter(|(_, last)| late(last));
        dead.map(|(node, _)| *node).collect()
    }
}

async fn chapter(w: World) -> Result<(), String> {
    let observer = w.node("observer");
    let detector = Rc::new(RefCell::new(FailureDetector::default()));
    let clock = observer.clock();
    let judging = observer.run_inline(async {
        loop {
            sleep(LOOKS).await;
            let dead = detector.borrow().get_dead_nodes(clock.wall());
            always!(dead.len() < NODES.len(), PROMISE, "dead: {dead:?}");
        }
    });
    let hear = |node, _| detector.borrow_mut().record_heartbeat(node, clock.wall());
    until_over(judging, beating(&w, hear)).await;
    Ok(())
}

async fn twin(w: World) -> Result<(), String> {
    let node = w.node("observer");
    let fixed = Fixed::try_new(TIMEOUT).map_err(|e| e.to_string())?;
    let monitor = Monitor::new(fixed).guard(Guard::new().grace(INTERVAL));
    let (observer, driver) = Observer::new("peers", monitor);
    drop(node.spawn(driver.run()));
    let mut events = observer.events();
    let judging = node.run_inline(async {
        let mut dead = BTreeSet::new();
        while let Some(Ok(event)) = events.next().await {
            match event {
                Event::Down { node, .. } => dead.insert(node),
                Event::Up { node, .. } => dead.remove(&node),
                _ => false,
            };
            always!(dead.len() < NODES.len(), PROMISE, "dead: {dead:?}");
        }
    });
    let hear = |node, seq| {
        let sent = Moment::after(INTERVAL * seq as u32);
        // A beat that does not count is one less.
        let _ = observer.record_heartbeat(&Heartbeat {
            node,
            incarnation: 1,
            seq,
            sent,
            interval: INTERVAL,
        });
    };
    until_over(judging, beating(&w, hear)).await;
    Ok(())
}

/// All five beat; what the observer hears, it hears while it is awake.
async fn beating(w: &World, hear: impl Fn(&'static str, u64)) {
    let (observer, site, hear) = (w.node("observer"), w.site("beat"), &hear);
    for seq in 0..BEATS {
        for (key, node) in (1u64..).zip(NODES) {
            let hears = || observer.run_inline(async { hear(node, seq) });
            let beat = site.run((key, seq), hears).inline();
            // Nobody waits for an observer that sleeps.
            drop(tokio::time::timeout(Duration::from_millis(1), beat).await);
        }
        sleep(INTERVAL).await;
    }
}

/// Until there are no more beats.
async fn until_over(judging: impl Future, beating: impl Future<Output = ()>) {
    drop(select(pin!(beating), pin!(judging)).await);
}
