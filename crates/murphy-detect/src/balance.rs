//! Liveness for tower's load balancer: nodes that are suspected get no calls.
//!
//! ```text
//! Discover ─▶ LivenessDiscover ─▶ Balance ─▶ Gated<S> ── open ──▶ S
//!                   ▲                            └── suspected: is not ready, and wakes
//!               Observer
//! ```
//!
//! [`LivenessDiscover`] wraps any discovery. It *gates* by default: an endpoint whose node is suspected is not ready, keeps
//! its connection and its load, and is ready again when the node is. Or it [evicts](LivenessDiscover::evicting): the
//! service is dropped, and a new copy is given when the node is back.
//!
//! * A node that was never heard of is neither alive nor dead: it gets calls.
//! * Half of the endpoints, and one at least, stay open whatever is believed (those that are suspected least): an
//!   observer that is cut off must not take a whole service down.
//! * [`SuspicionLoad`] makes a silent node heavier before it is suspected, so that calls leave it little by little.
//!
//! # What to know of `Balance`
//!
//! * In tower 0.5.3, where an endpoint is removed between a `poll_ready` and its `call`, `Balance` calls whichever one moved into
//!   its place, without a look at its load ([tower#856]). So nothing is ever *removed* from a `Balance` here: what is to
//!   go fails at its next `poll_ready`, which `Balance` handles rightly. That holds for the removals of the wrapped discovery too.
//!   The price: an endpoint that is gone is dropped when it is next picked.
//! * It is pending for as long as no endpoint is ready: put a timeout or a deadline around it.
//! * It polls its endpoints only when it is polled. An endpoint that gets ready in between (a connection) may do so by itself
//!   in tower's `SpawnReady`.
//!
//! [tower#856]: https://github.com/tower-rs/tower/issues/856

mod discover;
mod gated;
mod load;
mod rule;

pub use self::discover::LivenessDiscover;
pub use self::gated::{Gated, Gone};
pub use self::load::{Pending, PendingFuture, SuspicionLoad};
