//! The process that has to know. It says what it believes, a line of JSON each.

use std::time::Duration;

use anyhow::{Result, bail};
use examples::process::{orders, say};
use murphy_core::order::NodeId;
use murphy_detect::wire::udp::serve;
use murphy_detect::{Adaptive, Event, Guard, Liveness, Monitor, Observer, SafeMode};
use serde::{Deserialize, Serialize};
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval};

use crate::processes::INTERVAL;

/// How long a node is suspected before it is taken for dead.
pub(crate) const SUSPECT_FOR: Duration = Duration::from_millis(1500);

/// What the observer says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// Where it listens.
    Port(u16),
    /// Something happened.
    Event {
        kind: Kind,
        node: Option<NodeName>,
        text: String,
    },
    /// What it believes of everybody.
    Beliefs(Vec<(NodeName, String)>),
}

pub(crate) type NodeName = String;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Up,
    Suspect,
    Trusted,
    Down,
    Paused,
    Other,
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run() -> Result<()> {
    let _orders = orders();
    let monitor = Monitor::new(Adaptive::default())
        .suspect_for(SUSPECT_FOR)
        .guard(Guard::new().grace(2 * INTERVAL))
        .safe_mode(SafeMode::new());
    let (observer, driver) = Observer::new("observer", monitor);
    let mut events = observer.events();
    tokio::spawn(driver.run());

    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    say(&Said::Port(socket.local_addr()?.port()))?;
    let service = observer.service();
    tokio::spawn(async move { serve(socket, "observer", service).await });
    tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(200));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let beliefs = observer.snapshot();
            let beliefs = beliefs
                .iter()
                .map(|(node, belief)| (node.to_string(), mark(*belief)));
            let _ = say(&Said::Beliefs(beliefs.collect()));
        }
    });
    while let Some(Ok(event)) = events.next().await {
        say(&told(&event))?;
    }
    bail!("the observer lost sight of its own events")
}

fn mark(belief: Liveness) -> String {
    match belief {
        Liveness::Unknown => "unknown",
        Liveness::Alive => "alive",
        Liveness::Suspect { .. } => "suspect",
        Liveness::Dead { .. } => "DEAD",
    }
    .into()
}

fn told(event: &Event<NodeId>) -> Said {
    let (kind, text) = match event {
        Event::Up { .. } => (Kind::Up, "is up".into()),
        Event::Suspect { silent, .. } => {
            let text = format!("is suspected, silent for {silent:.1?}");
            (Kind::Suspect, text)
        }
        Event::Trusted { .. } => (Kind::Trusted, "is trusted again".into()),
        Event::Down { silent, .. } => (Kind::Down, format!("is down, silent for {silent:.1?}")),
        Event::ObserverPaused { lost } => {
            let text = format!("the observer knows that it stood still for {lost:.1?}");
            (Kind::Paused, text)
        }
        Event::SafeMode { on, .. } => (Kind::Other, format!("safe mode: {on}")),
        other => (Kind::Other, format!("{other:?}")),
    };
    let node = event.node().map(ToString::to_string);
    Said::Event { kind, node, text }
}
