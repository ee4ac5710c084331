//! Puts an unreliable network in front of a real tower service.
//!
//! ```text
//! caller ──request leg──▶ site ──▶ service
//! caller ◀──reply leg──── site ◀── service
//! ```
//!
//! A [`Site`] is a named place where calls pass. A [`Plan`] names faults at sites; [`Chaos`] arms
//! a plan; a [`FaultLayer`] carries the fates out, and a [`Ledger`] remembers them.
//!
//! A [`Network`] has named nodes and directed links between them, which are the sites called
//! `"a->b"`: it is partitioned, its links hold messages, are slow, and have a [`Profile`]. A [`Node`]
//! is where services run: it is paused and resumed, it crashes and comes back, and its clock is
//! bent. What is done to them by hand ([`Network::partition`], [`Node::pause`]), a plan does at its
//! times ([`Disturbance`]).
//!
//! * **No types change.** Response and error stay the service's. Loss is silence; a refusal is a
//!   value that your closure makes.
//! * **A fault names its leg.** A lost request never happened; a lost reply did.
//! * **Chance is drawn in `call`,** from (seed, site, fault, key, occurrence), and from nothing
//!   else: not the order of polls, not the other faults, not the number of threads.
//! * **State is looked up when a message departs,** which a reply does when the service has answered.
//! * **Off means off.** A disarmed layer reads one number. Network and nodes are disturbed only
//!   while a run is on; its end heals them.
//!
//! What it does not do: it works on calls, not on packets. "To its end" is the end of the service's
//! future: of an HTTP service the reply's head, and the end of its body where the layer was told
//! that it speaks HTTP (`.http()`). What a service `tokio::spawn`s by itself is not seen. A call
//! that has to wait needs a runtime with time enabled, as all of tokio's timers do. Delays are whole
//! milliseconds under a paused clock, as tokio's timers are.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use murphy_core::{Probability, Seed};
//! use murphy_fault::{Chaos, Fault, Plan, TimeLimit};
//! use std::{convert::Infallible, time::Duration};
//! use tower::{service_fn, ServiceBuilder, ServiceExt};
//!
//! let chaos = Chaos::new(Seed::new(42));
//! let service = ServiceBuilder::new()
//!     .layer(chaos.site("api->payments").layer())
//!     .service(service_fn(|order: u64| async move { Ok::<_, Infallible>(order) }));
//!
//! let plan = Plan::new().with("api->payments", Fault::lost_reply(Probability::ALWAYS));
//! let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
//! let silence = tokio::time::timeout(Duration::from_secs(5), service.oneshot(17)).await;
//! assert!(silence.is_err());
//! assert_eq!(armed.ledger().records()[0].fault, "lost-reply");
//! # });
//! ```
//!
//! # Features
//!
//! * `http`: layers that speak HTTP, by `.http()`: refusals with any status and `Retry-After`,
//!   words for methods, paths and headers, bodies that stall, are truncated or reset, lost
//!   trailers, faults that a request's header asks for; ready-made refusals ([`refuse`]).
//! * `axum`: the same for axum's body. Implies `http`.
//! * `grpc`: the same for tonic's body, and refusals with any gRPC status, by `.grpc()`. Implies
//!   `http`.
//! * `metrics`: the counter `murphy_fault_injected_total` (labels `site`, `fault`, `kind`, `leg`,
//!   `masked`).
//!
//! # Events
//!
//! Target `murphy::fault`: `chaos.armed`, `chaos.disarmed`, `world.changed` (info), `fault.injected` (debug),
//! `fault.panicked`, `node.panicked` (error), `chaos.too_many_sites`,
//! `chaos.too_many_nodes`, `node.too_much_work`, `node.still_polling` (warn).

mod abilities;
mod book;
pub mod byzantine;
mod carry;
mod chaos;
mod disturbance;
mod doors;
mod effect;
mod event;
mod fate;
mod fault;
mod future;
mod layer;
mod ledger;
mod leg;
mod link;
mod marker;
#[cfg(feature = "metrics")]
mod metered;
mod model;
mod network;
mod node;
mod passage;
mod plan;
pub mod refuse;
mod requested;
mod run;
mod seat;
mod select;
mod service;
mod site;
mod struck;
mod table;
mod text;
mod transit;
mod turnstile;
mod wire;
mod work;

pub use abilities::{
    Abilities, Able, Altering, ByClone, Can, Cannot, Copying, Failing, Given, Keying, Matching,
    Offers, Refusing, Sizes, Sizing, Sometimes,
};
pub use book::{Finding, Grade, Outcome, Why};
pub use carry::{Carry, Inline, OnLocal, OnTokio};
pub use chaos::{ArmError, Armed, Chaos, TimeLimit};
pub use disturbance::{Deed, Disturbance};
pub use doors::{DropLayer, DuplicateLayer, LatencyLayer, PartitionLayer};
pub use effect::{After, BodyFault, Effect, Keep, Place};
pub use event::{Event, NotArmed, Verb};
pub use fault::{BadHeader, BadStatus, Fault, GrpcCode, HttpStatus};
pub use future::ResponseFuture;
pub use layer::FaultLayer;
pub use ledger::{
    BadLedger, Header, LEDGER_VERSION, Ledger, Record, Summary, Transcript, Unreached, digest,
};
pub use leg::Leg;
pub use marker::{Marker, marker};
pub use model::{BadModel, Failures, Model, Timing};
pub use network::{
    Access, BadRate, Basis, Cut, Held, MOST_NODES, Network, NetworkError, PerSecond, Profile, Rate,
    Regions, Source, UnknownRegion,
};
pub use node::{
    BadCell, Bend, Bent, Boot, Crashed, Down, Durable, Node, NodeClock, NodeFuture, NodeLayer,
    NodeService, NodeState, OnNode, Paused, Reach, Reached, Run, RunInline, Volatile,
};
pub use passage::{Passage, Passing};
pub use plan::{BadPlan, Halt, HaltOn, Limits, MOST_FAULTS, PLAN_VERSION, Plan};
pub use requested::{Asking, REQUESTED_BY};
pub use run::Reason;
pub use select::{BadBurst, Burst, Script, ScriptPoint, Select};
pub use service::FaultService;
pub use site::Site;
pub use struck::Struck;
#[cfg(feature = "grpc")]
pub use wire::Codes;
#[cfg(feature = "http")]
pub use wire::{Answering, BodyError, FaultedBody, Http, Own, Rewrap, Rewrapping, Statuses};
pub use wire::{Wired, Wiring};
pub use work::Orphan;
