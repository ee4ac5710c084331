//! Chance, time, order and scope: what the rest of Murphy agrees on.
//!
//! * **Chance** is a pure function. A [`Seed`] and a few names make a [`Stream`]; a stream and a
//!   [`Point`] make a [`Draw`]; a draw is compared with a [`Probability`] or goes through the
//!   quantile function of a [`Distribution`]. Nothing is consumed, so nothing can be consumed in
//!   another order.
//! * **Time** is tokio's, or is passed in through a [`Clock`]: one that can be trusted, or a
//!   [`SkewedClock`], which is fast, slow, set, frozen or suspended as a test tells it.
//! * **Order** is a [logical clock](order)'s: what happened before, whatever the clocks say.
//! * **Scope** is what a call inherits from its caller: a [`Key`] and a deadline.
//!
//! And a word between crates that do not know each other: [`OwnSide`], in errors that say nothing of the peer.
//!
//! # Features
//!
//! * `tower`: `stamp`, the layer that puts a logical clock's stamps on messages.
//! * `http`: stamps in a header of HTTP messages, and so in gRPC's metadata; implies `tower`.
//!
//! # Examples
//!
//! ```
//! use murphy_core::{Lane, Point, Probability, Seed, Stream};
//!
//! let lost = Stream::new(Seed::new(42), "api->payments", "loss", Lane::Fires);
//! let five_percent: Probability = "5%".parse()?;
//! let first_try = Point::keyed("order-17".into(), 0);
//!
//! // The same question has the same answer, whoever else asked before.
//! assert_eq!(lost.at(first_try).hits(five_percent), lost.at(first_try).hits(five_percent));
//! # Ok::<(), murphy_core::BadProbability>(())
//! ```

pub mod clock;
mod distribution;
mod draw;
mod hash;
mod key;
mod knob;
pub mod order;
mod own_side;
mod probability;
pub mod scope;
mod seed;
#[cfg(feature = "tower")]
pub mod stamp;

pub use clock::{Clock, ManualClock, SkewedClock, SystemClock, TokioClock, Wall};
pub use distribution::{BadDistribution, Distribution, Shape};
pub use draw::{Draw, Lane, Point, Stream};
pub use hash::{hash_bytes, mix};
pub use key::Key;
pub use knob::BadKnob;
pub use own_side::OwnSide;
pub use probability::{BadProbability, Probability};
pub use scope::Scope;
pub use seed::{BadSeed, ReportSeed, Seed};
