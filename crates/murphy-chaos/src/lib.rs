//! Runs a test under many faults in virtual time, and hands back the few that break it.
//!
//! ```text
//! old failures ─▶ no fault ─▶ every fault at every call ─▶ other orders ─▶ pairs ─▶ storms
//!                 learns the    one a run                                   two     chance
//!                 calls
//!                                  │ a promise is broken
//!                                  ▼
//!                 fewer faults ─▶ smaller ones ─▶ three times again ─▶ one line that repeats it
//! ```
//!
//! A run is a closure on a fresh current-thread runtime with a paused clock: an hour of timeouts
//! costs microseconds. So a pull request can afford every single fault at every call, then pairs, then
//! thousands of storms. Faults are named by (site, key, occurrence) and not by position, so that what is
//! found is shrunk in a few replays, and its code still repeats it after unrelated code was changed.
//!
//! What it does not do: real sockets (there is no I/O driver in a run: keep to in-memory
//! transports, or explore [in real time](Explore::real_time)), threads, and every interleaving of tasks (it lets others go
//! first, or moves calls by milliseconds, which is enough to swap any two that pass a site; [`World::step`] is one without a
//! call). A loop that never awaits a timer is not cut by the horizon. Whatever
//! draws entropy (a `HashMap`'s order, uuids, `select!` without `biased`) makes runs that do not repeat
//! themselves; every exploration runs a seed twice to find out, and is undecided if they differ.
//!
//! # Examples
//!
//! A client that tries again what it did not hear back from; a lost reply is enough to charge twice.
//!
//! ```
//! # #[cfg(feature = "http")] fn main() {
//! use axum::{Router, routing::post};
//! use murphy_chaos::{Budget, always, explore};
//! use std::sync::{Arc, atomic::{AtomicU32, Ordering::SeqCst}};
//! use std::time::Duration;
//!
//! let outcome = explore("double-charge").budget(Budget::runs(200)).run(|w| async move {
//!     let charged = Arc::new(AtomicU32::new(0));
//!     let count = Arc::clone(&charged);
//!     w.serve("pay", Router::new().route("/charge", post(async move || { count.fetch_add(1, SeqCst); })));
//!     let pay = w.client("pay");
//!     for _attempt in 0..2 {
//!         let charge = pay.post("/charge", "42 EUR");
//!         if tokio::time::timeout(Duration::from_secs(5), charge).await.is_ok() { break; }
//!     }
//!     always!(charged.load(SeqCst) <= 1, "an order is charged once");
//! });
//! assert_eq!(outcome.failures[0].injections[0].kind(), "lost-reply");
//! println!("{}", outcome.failures[0].code); // MURPHY_REPLAY=.. repeats it
//! # } #[cfg(not(feature = "http"))] fn main() {}
//! ```
//!
//! In a test, `.check(..)` in place of `.run(..)` fails it with the report. [`Explore::ablate`] explores again without each of
//! your policies, and tells which faults it pays for.
//!
//! # What repeats
//!
//! A run is a function of its seed and of what goes wrong in it: its **trace** is the same in every process. It is the ledger of
//! the run ([`Failure::transcript`], `failure-n.ledger.jsonl`): the plan; every call in the order in which they are made, by
//! site, key, occurrence, ordinal and virtual time (as a record of the rule `watch`); every fate, by fault, leg, magnitude and
//! what became of it; everything that is done to nodes, links and clocks, and when. What an exploration compares of two runs
//! is that, the broken promise and when it broke, the marks, and how long the run took in virtual time. No part of it: the time
//! of day, what bodies say, and the order of polls between two calls.
//!
//! A replay code names calls as layers key them, and so survives what is added elsewhere (a site, a call, a layer), and what
//! moves in time; upsets are by time, and move with what is put before them. Other calls under the *same key*
//! at the *same site* shift the occurrences.
//!
//! # Environment
//!
//! * `MURPHY_SEED`: the seed of everything. By default made of the exploration's name.
//! * `MURPHY_BUDGET`: runs and real time, as `20000`, `60s` or `20000,60s`.
//! * `MURPHY_REPLAY`: a replay code, or `@` and a file with one. Explorations of other names skip
//!   themselves.
//! * `MURPHY_ANNOTATE`: where `GITHUB_ACTIONS` is `true`, annotate what is not green.
//!
//! # What is left behind
//!
//! `target/murphy/<name>/` says what the last exploration of that name came to: `index.html` to look at (lanes, messages and
//! their fates over virtual time, the faults in words, the illegal window of a history), `junit.xml` for a CI system,
//! `report.txt`, and of each failure its code, plan and ledger. What cannot be written is a note in the report, and no
//! reason for another verdict.
//!
//! # Features
//!
//! * `http` (default): [`World::serve`], [`World::client`].
//! * `html` (default): the page of what failed, `index.html`, and [`Outcome::to_html`].
//! * `junit` (default): `junit.xml` of every exploration, and [`Outcome::to_junit`].
//! * `progress` (default): a bar on the terminal, where an exploration takes longer than two seconds. Without it, lines.
//! * `axum`, `grpc`: the fault layers' features of these names, for layers of your own.

mod ablate;
mod ablation;
mod annotate;
mod artifacts;
mod assert;
mod budget;
mod catalogue;
mod code;
mod coverage;
mod crew;
mod ddmin;
mod enumerate;
mod exchange;
mod explore;
mod files;
mod injection;
#[cfg(feature = "junit")]
mod junit;
mod kind;
mod menu;
mod once;
mod order;
mod outcome;
#[cfg(feature = "html")]
mod page;
mod panics;
mod progress;
mod promise;
mod real;
mod repeat;
mod report;
mod scene;
mod script;
mod search;
mod shrink;
mod storm;
#[cfg(feature = "html")]
mod timeline;
mod watch;
#[cfg(feature = "html")]
mod words;
mod world;

pub use ablate::Policies;
pub use ablation::{Ablation, Cause, NotAblated, Row, Worth};
pub use annotate::ANNOTATE_VARIABLE;
#[doc(hidden)]
pub use assert::{__always, __eventually, __sometimes};
pub use budget::{BadBudget, Budget};
pub use catalogue::Passed;
pub use code::{BadCode, ReplayCode};
pub use coverage::{Cell, Coverage};
pub use exchange::{Answer, Exchange};
pub use explore::{Ends, Explore, REPLAY_VARIABLE, explore};
pub use injection::{CallId, Injection, Upset};
pub use kind::{BadKind, Kind};
pub use menu::Menu;
/// Recorders, models, checkers.
#[doc(no_inline)]
pub use murphy_check as check;
/// Seeds, keys, scopes, clocks.
#[doc(no_inline)]
pub use murphy_core as core;
/// Sites, faults, plans, ledgers, networks, nodes.
#[doc(no_inline)]
pub use murphy_fault as fault;
pub use outcome::{Failure, Outcome, Phase, Stage, Verdict};
pub use promise::{Promise, Violation};
pub use real::{BadConfirm, RealTime};
pub use repeat::Divergence;
pub use scene::Mark;
pub use world::{Caller, Crowd, World};
#[cfg(feature = "http")]
pub use world::{Client, ClientFuture, NotServed, Reply, ReplyBody};

#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../../../docs/guide-ci.md")]
mod guide {}
