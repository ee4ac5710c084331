//! [`Stale`]: answers that were true once.

mod asking;
mod memory;
mod remembering;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use murphy_core::{Draw, Key};
use tower_layer::Stack;

use crate::abilities::Can;
use memory::Memory;

pub use asking::{Asking, AskingFuture, AskingService};
pub use remembering::{Remembering, RememberingFuture, RememberingService};

/// A liar that has not heard the news: it answers with an earlier true reply.
///
/// It never invents. A layer beneath the fault layer remembers what was true; the hook puts one of
/// those, drawn, but for the newest, in the place of the reply. Where there is none, the truth stays.
///
/// ```text
///   caller ──▶ Asking ──▶ FaultLayer ──▶ Remembering ──▶ service
///              which key?   .answers()     what was true
/// ```
///
/// Put around the fault layer by [`around`](Self::around), which is both layers. A handle: clones share one memory, as do all
/// services that it is put around. It holds `capacity` replies in all, the newest ones, and one clone is
/// made of each reply that passes, armed or not. Errors are not remembered.
///
/// With [`keyed_by`](Self::keyed_by) a request is answered with replies to requests of its own key.
/// Of calls that are under way at once, "newest" is who was answered last.
///
/// # Examples
///
/// ```
/// use murphy_core::{Probability, Seed};
/// use murphy_fault::{byzantine::Stale, Fault, FaultLayer, Select};
/// use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
/// use std::{convert::Infallible, num::NonZeroUsize, sync::Arc};
/// use tower::{service_fn, Service, ServiceBuilder, ServiceExt};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let clock = Arc::new(AtomicU64::new(0));
/// let stale = Stale::new(NonZeroUsize::new(8).unwrap()).keyed_by(|account: &u64| *account);
/// let third = Fault::altered_reply(Select::nth([2]));
/// let mut balance = ServiceBuilder::new()
///     .layer(stale.around(
///         FaultLayer::seeded(Seed::new(42), "api->bank", third).altering_replies(stale.answers()),
///     ))
///     .service(service_fn(move |account: u64| {
///         let now = clock.fetch_add(1, SeqCst);
///         async move { Ok::<_, Infallible>((account, now)) }
///     }));
/// assert_eq!(balance.ready().await?.call(17).await?, (17, 0));
/// assert_eq!(balance.ready().await?.call(99).await?, (99, 1));
/// assert_eq!(balance.ready().await?.call(17).await?, (17, 0), "as it was");
/// # Ok::<(), Infallible>(())
/// # }).unwrap();
/// ```
#[doc(alias = "replay")]
#[doc(alias = "out of date")]
pub struct Stale<M, K = Key> {
    memory: Arc<Memory<M>>,
    key: K,
}

impl<M> Stale<M> {
    /// Remembers so many replies, of whatever requests. One alone is the newest: that liar never
    /// lies.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self {
            memory: Arc::new(Memory::new(capacity)),
            key: Key::new(0),
        }
    }

    /// The same, which answers a request with replies to requests of its key. Its memory is empty.
    #[must_use]
    pub fn keyed_by<Req, T, F>(self, key: F) -> Stale<M, Can<F>>
    where
        F: Fn(&Req) -> T,
        T: Into<Key>,
    {
        Stale {
            memory: Arc::new(Memory::new(self.memory.capacity())),
            key: Can::new(key),
        }
    }
}

impl<M, K: Clone> Stale<M, K> {
    /// Both its layers, with this one between them: the fault layer that has its
    /// [`answers`](Self::answers).
    #[must_use]
    pub fn around<L>(&self, layer: L) -> Stack<Stack<Remembering<M, K>, L>, Asking<K>> {
        let beneath = Remembering::new(Arc::clone(&self.memory), self.key.clone());
        Stack::new(
            Stack::new(beneath, layer),
            Asking::new(id(&self.memory), self.key.clone()),
        )
    }

    /// The hook, for [`altering_replies`](crate::FaultLayer::altering_replies) of the layer that it is
    /// [around](Self::around). Elsewhere it knows no key, and leaves the truth.
    pub fn answers(&self) -> impl Fn(&mut M, Draw) + use<M, K>
    where
        M: Clone,
    {
        let memory = Arc::clone(&self.memory);
        move |reply: &mut M, draw: Draw| {
            let old = asking::asked(id(&memory)).and_then(|key| memory.stale(key, draw));
            if let Some(old) = old {
                *reply = old;
            }
        }
    }

    /// How many replies it remembers now.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.memory.len()
    }
}

/// Tells one memory from another.
fn id<M>(memory: &Arc<Memory<M>>) -> usize {
    Arc::as_ptr(memory).addr()
}

impl<M, K: Clone> Clone for Stale<M, K> {
    fn clone(&self) -> Self {
        Self {
            memory: Arc::clone(&self.memory),
            key: self.key.clone(),
        }
    }
}

impl<M, K> fmt::Debug for Stale<M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stale")
            .field("remembered", &self.memory.len())
            .field("capacity", &self.memory.capacity())
            .finish_non_exhaustive()
    }
}
