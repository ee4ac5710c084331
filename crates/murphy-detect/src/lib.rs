//! Heartbeats, and what may be concluded from their absence.
//!
//! Nobody can tell a dead node from one that is slow, or from one whose messages are lost: a failure detector
//! *suspects*, and is sometimes wrong. What can be had is a known time to detection, rare mistakes, and no
//! mistakes of the observer's own making.
//!
//! | | what it does |
//! |---|---|
//! | [`detector`] | from the beats that came to the moment until which silence is forgiven; [`Adaptive`] by default |
//! | [`configure`] | from a wish ("found in 30 s, one mistake a month") to an interval and a margin |
//! | [`Monitor`] | told of beats and of time, it knows who is alive: unknown → alive → suspect → dead |
//! | [`Guard`], [`SafeMode`] | an observer that stood still judges nobody; one that sees most of the world fall waits |
//! | [`Observer`] | a monitor that tasks share: events, a watch of one node, the live set |
//! | [`HeartbeatService`] | takes beats as a tower service; always ready |
//! | [`Heartbeater`] | the task of a node that beats, through whatever stack it is given |
//! | [`HeartbeatLayer`] | replies are signs of life |
//! | `wire` | beats as bytes, over UDP (`udp`) and over HTTP (`http`) |
//! | `balance` | nodes that are suspected get no calls: gates, evictions and loads for tower's `Balance` |
//! | [`odd`] | what becomes of beats that are not as they should be, with a test for each |
//!
//! All times are monotonic: that of the observer, which is told or is tokio's (so that all of it runs under a paused
//! clock), and that of the sender, of which only differences count. The time of day numbers the lives of nodes, where
//! nothing else is given, and is looked at nowhere else.
//!
//! A verdict is one observer's belief, and two observers may disagree: whatever must not happen twice needs a lease with a
//! fencing token as well.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_detect::{Adaptive, Event, Heartbeater, Observer};
//! use std::time::Duration;
//!
//! let observer = Observer::spawn("peers", Adaptive::default());
//! let mut events = observer.events();
//! let beating = Heartbeater::new("db-1", Duration::from_secs(1))?.spawn(observer.service());
//! assert!(matches!(events.next().await, Some(Ok(Event::Up { node: "db-1", .. }))));
//!
//! beating.stop();
//! assert!(matches!(events.next().await, Some(Ok(Event::Suspect { node: "db-1", .. }))));
//! assert!(matches!(events.next().await, Some(Ok(Event::Down { node: "db-1", .. }))));
//! # Ok::<(), murphy_detect::BadKnob>(())
//! # }).unwrap();
//! ```
//!
//! # Features
//!
//! None is on by default. `udp`: datagrams. `http`: requests and replies of the `http` crate. `balance`: what tower's load
//! balancer needs. `metrics`: the counters below, through the `metrics` facade.
//!
//! # Events
//!
//! Target `murphy::detect`. Nothing is said of a beat that counts.
//!
//! | name | level | when | fields |
//! |---|---|---|---|
//! | `node.up` | info | a node is alive, for the first time or again | `site`, `node`, `incarnation` |
//! | `node.suspect` | warn | its deadline passed | `site`, `node`, `silent` |
//! | `node.trusted` | info | a suspect was heard | `site`, `node`, `suspected` |
//! | `node.down` | warn | it is taken for dead | `site`, `node`, `silent` |
//! | `node.restarted` | warn | it began another life | `site`, `node`, `old`, `new` |
//! | `node.forgotten` | info | it had been down for long | `site`, `node`, `incarnation` |
//! | `observer.paused` | warn | the observer stood still | `site`, `lost` |
//! | `observer.safe_mode` | warn | too many are silent at once, or no longer | `site`, `on`, `suspects` |
//! | `beat.refused` | debug | a beat did not count | `site`, `why` |
//! | `beat.failed` | debug | a beat was not sent, or not answered in time | `site`, `why` |
//! | `beat.renewed` | warn | a sender was told of a later life, and begins one above it | `site`, `old`, `new` |
//! | `wire.dropped` | debug | bytes were no beat | `site`, `why` |
//! | `wire.failed` | debug | a socket failed | `site`, `error` |
//!
//! # Spans
//!
//! `heartbeat.send` (debug; `seq`): what a [`Heartbeater`] sends its beat in, so that whatever its stack says belongs to
//! that beat. An observer has none: it answers in the call, and judges without waiting for anything.
//!
//! # Counters
//!
//! With the feature `metrics`; each begins with `murphy_detect_`, ends with `_total` and has the label `site`: `up`,
//! `suspected`, `trusted`, `down`, `restarted`, `forgotten`, `observer_paused`, `safe_mode`, `refused`, `beats_failed`,
//! `renewed`, `dropped`, `socket_failed`. Gauges: `murphy_detect_alive`, `murphy_detect_suspect`, `murphy_detect_dead`.

#[cfg(feature = "balance")]
pub mod balance;
pub mod configure;
pub mod detector;
mod event;
pub mod heartbeat;
pub mod heartbeater;
mod knob;
pub mod layer;
mod metered;
mod moment;
pub mod monitor;
pub mod observer;
pub mod odd;
#[cfg(any(feature = "udp", feature = "http"))]
pub mod wire;

pub use detector::{Adaptive, Beat, Detector};
pub use heartbeat::{Heartbeat, HeartbeatAck, Pulse, Verdict};
pub use heartbeater::{Beating, Heartbeater};
pub use layer::HeartbeatLayer;
pub use moment::Moment;
pub use monitor::{Counts, Event, Guard, Liveness, Monitor, Refused, SafeMode, Slot, Tally};
pub use murphy_core::BadKnob;
pub use murphy_core::order::NodeId;
pub use observer::{Driver, Events, HeartbeatService, Lagged, Observer};

/// The target of every event.
const TARGET: &str = "murphy::detect";
