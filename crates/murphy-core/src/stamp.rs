//! Middleware that puts a logical clock's stamps on messages, and takes over what they bring.
//!
//! ```text
//!         client                                   server
//!   tick ──▶ request [stamp] ───────────▶ observe, then the service
//!   observe ◀─────────── [stamp] response ◀── tick
//! ```
//!
//! Whatever happened before a request was sent is then before what its handler does, and that is before
//! what the client does with the response: by the stamps as well. Events in between are stamped
//! with a clone of the same clock.
//!
//! A request and a response stay what they are, and so do errors, which carry no stamp: what a
//! server did before it failed is not known to be before, unless the error is an HTTP response.
//! A message without a stamp is passed on. One whose stamp cannot be read, or is
//! [refused](crate::order::Refused) (too far ahead), is passed on as well: the stamp is dropped,
//! [counted](StampLayer::dropped), and told by an event that does not repeat it. What came in over a
//! wire orders nothing here unless it is plausible, and never fails a call.
//!
//! Beneath a retry or a hedge each attempt has a stamp of its own.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use murphy_core::order::{BadStamp, Lamport, LamportStamp, LogicalClock};
//! use murphy_core::stamp::{Carrier, StampLayer};
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//!
//! /// Messages that have a place for a stamp.
//! struct Field;
//! type Message = (&'static str, Option<LamportStamp>);
//!
//! impl Carrier<Message, LamportStamp> for Field {
//!     fn get(&self, message: &Message) -> Option<Result<LamportStamp, BadStamp>> {
//!         message.1.map(Ok)
//!     }
//!
//!     fn set(&self, message: &mut Message, stamp: LamportStamp) {
//!         message.1 = Some(stamp);
//!     }
//! }
//!
//! let (web, bank) = (Lamport::new("web".parse()?), Lamport::new("bank".parse()?));
//! let call = ServiceBuilder::new()
//!     .layer(StampLayer::client(web.clone(), Field))
//!     .layer(StampLayer::server(bank.clone(), Field))
//!     .service(service_fn(|_: Message| async { Ok::<Message, BoxError>(("paid", None)) }));
//! let reply = call.oneshot(("pay", None)).await?;
//! assert_eq!(reply.1.unwrap().to_string(), "3@bank");
//! assert_eq!(web.tick().to_string(), "5@web");
//! # Ok::<(), BoxError>(()) }).unwrap();
//! ```

#[cfg(feature = "http")]
mod header;
mod service;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tower_layer::Layer;

#[cfg(feature = "http")]
pub use self::header::Header;
pub use self::service::{ResponseFuture, Stamp};
use crate::order::{BadStamp, LogicalClock};

/// Where the tracing events of this module go.
const TARGET: &str = "murphy::order";

/// Where a message of type `M` keeps its stamp of type `T`.
///
/// `Header` does it for HTTP (feature `http`), and with it for gRPC: its metadata are headers.
pub trait Carrier<M, T> {
    /// The stamp that a message has: none, or one that may be unreadable. What comes in over a
    /// wire is bounded before it is parsed.
    ///
    /// # Errors
    ///
    /// [`BadStamp`], as from [`str::parse`].
    fn get(&self, message: &M) -> Option<Result<T, BadStamp>>;

    /// Gives a message its stamp, in place of any that it had.
    fn set(&self, message: &mut M, stamp: T);
}

/// Stamps what goes out, and takes over what comes in. See the [module](self).
///
/// Clones share the clock and the count of what was dropped.
pub struct StampLayer<L, C> {
    shared: Arc<Shared<L, C>>,
}

/// How many stamps were not taken over, of all that came in through a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Those that were no stamps.
    pub unreadable: u64,
    /// Those that the clock [refused](crate::order::Refused).
    pub refused: u64,
}

struct Shared<L, C> {
    clock: L,
    carrier: C,
    side: Side,
    unreadable: AtomicU64,
    refused: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl<L, C> StampLayer<L, C> {
    /// For the calling side: requests are stamped, what responses bring is observed.
    #[must_use]
    pub fn client(clock: L, carrier: C) -> Self {
        Self::new(clock, carrier, Side::Client)
    }

    /// For the side that is called: what requests bring is observed, responses are stamped.
    #[must_use]
    pub fn server(clock: L, carrier: C) -> Self {
        Self::new(clock, carrier, Side::Server)
    }

    /// How many stamps were not taken over until now.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        Dropped {
            unreadable: self.shared.unreadable.load(Relaxed),
            refused: self.shared.refused.load(Relaxed),
        }
    }

    fn new(clock: L, carrier: C, side: Side) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                carrier,
                side,
                unreadable: AtomicU64::new(0),
                refused: AtomicU64::new(0),
            }),
        }
    }
}

impl<S, L, C> Layer<S> for StampLayer<L, C> {
    type Service = Stamp<S, L, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Stamp {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<L, C> Clone for StampLayer<L, C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<L, C> fmt::Debug for StampLayer<L, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StampLayer")
            .field("side", &self.shared.side)
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

impl<L: LogicalClock, C> Shared<L, C> {
    fn stamp<M>(&self, message: &mut M)
    where
        C: Carrier<M, L::Stamp>,
    {
        self.carrier.set(message, self.clock.tick());
    }

    fn observe<M>(&self, message: &M)
    where
        C: Carrier<M, L::Stamp>,
    {
        let side = self.side;
        match self.carrier.get(message) {
            None => {}
            Some(Err(BadStamp { kind, .. })) => {
                self.unreadable.fetch_add(1, Relaxed);
                tracing::debug!(name: "stamp.unreadable", target: TARGET, ?side, kind, "a stamp was dropped");
            }
            Some(Ok(stamp)) => {
                if let Err(refused) = self.clock.observe(&stamp) {
                    self.refused.fetch_add(1, Relaxed);
                    let reason = refused.reason();
                    tracing::warn!(name: "stamp.refused", target: TARGET, ?side, reason, "a stamp was dropped");
                }
            }
        }
    }
}
