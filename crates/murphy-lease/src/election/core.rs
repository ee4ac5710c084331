//! The election, sans I/O: it is told the time and what was said.
//!
//! ```text
//!                 nobody leads                 a majority would             a majority did
//!   Following ──────────────────▶ Pre-voting ─────────────────▶ Voting ─────────────────▶ Leading
//!       ▲                             │ a leader is alive           │ split: [T, 2T) later     │
//!       └─────────────────────────────┴─────────────────────────────┴──── no majority heard of it in time
//! ```
//!
//! [`Seat`] is a voter's side, [`Campaign`] a candidate's up to *Leading*; from there on it is a lease, whose
//! [machine](crate::machine) renews it by beats and ends it by the leader's own clock.
//!
//! *Leader lease.* A voter that votes, or hears a beat, elects nobody else for `lease · (1 + drift) + margin` from when it came. The
//! leader leads until `lease · (1 − drift) − margin` from when it *sent* what a majority answered. So it has stopped before
//! any majority can elect another, if no clock is wrong by more than the drift.

mod campaign;
mod seat;

pub(crate) use campaign::{Campaign, Electorate, Heard, Step};
pub(crate) use seat::{Patience, Seat};
